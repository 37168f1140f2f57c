"""Channels are what ``MLOPS_ALERT_URLS`` names: refused at start when they cannot be used, shown without secrets."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.contract.errors import SettingError
from mlops_assets.stores.alerts.channels import alert_channels

PAGER = """
class Pager:
    def __init__(self, url):
        self.url = url

    def send(self, message):
        pass
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution with a channel, on the path."""
    info = tmp_path / "team_pager-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: team-pager\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlops_assets.alert_channels]\npager = team_pager:Pager\n")
    (tmp_path / "team_pager.py").write_text(PAGER)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("team_pager", None)


def channels_of(urls: str) -> list[str]:
    return [f"{type(channel).__name__} {name}" for name, channel in alert_channels({"MLOPS_ALERT_URLS": urls}).items()]


def test_without_a_setting_there_are_none() -> None:
    assert alert_channels({}) == {}


def test_each_url_is_a_channel_whose_name_tells_no_secret() -> None:
    first, second = channels_of("json://user:secret@127.0.0.1/a\n json://127.0.0.1/token")

    assert first.startswith("AppriseChannel json://… (")
    assert first != second
    assert "secret" not in first
    assert "token" not in second


def test_another_distribution_brings_a_channel_by_its_scheme(installed: None) -> None:
    assert [name.split(" ")[0] for name in channels_of("pager://duty json://127.0.0.1")] == ["Pager", "AppriseChannel"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nowhere://secret", r"URL 2 of MLOPS_ALERT_URLS cannot be used: apprise knows no service for nowhere://…"),
        ("slack://secret", r"URL 2 of .*no service for slack://… \(\w+\), or the URL lacks something"),
        ("secret", "MLOPS_ALERT_URLS is no URL; it must begin with"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(url: str, why: str) -> None:
    with pytest.raises(SettingError, match=why) as refused:
        alert_channels({"MLOPS_ALERT_URLS": f"json://127.0.0.1 {url}"})
    assert "secret" not in str(refused.value)
