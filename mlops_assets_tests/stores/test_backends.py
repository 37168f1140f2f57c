"""A backend that another distribution brings holds what ours hold, and nothing of the platform is touched for it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from mlops_assets.contract.errors import SettingError
from mlops_assets.stores.backends import ONLINE_STORES, outside_distributions
from mlops_assets.stores.features.online import open_online_store
from mlops_assets_tests.stores.features.test_online import DAY, NOON, make_view

BACKEND = '''
"""Keeps everything in this process."""

KEPT = {}


class HereBackend:
    def __init__(self, url, *, use_case):
        self.place = url
        self._kept = KEPT.setdefault(use_case, {"in_use": 0, "generations": {}})

    def current(self):
        found = self._kept["generations"].get(self._kept["in_use"])
        return found and found[0]

    def generations(self):
        return [found for found, _ in reversed(self._kept["generations"].values())]

    def fetch(self, asked):
        values = self._kept["generations"][self._kept["in_use"]][1]
        def latest(key, until):
            seen = [each for each in values if each[0] == key and each[1] <= until]
            return max(seen, key=lambda each: each[1])[2] if seen else None
        return self._kept["in_use"], [latest(*each) for each in asked]

    def replace(self, values, *, commit, as_of, layout):
        from mlops_assets.stores.features.online_backend import Generation
        number = len(self._kept["generations"]) + 1
        made = Generation(number=number, commit=commit, as_of=as_of, layout=layout)
        self._kept["generations"][number] = (made, list(values))
        self._kept["in_use"] = number

    def use(self, number):
        self._kept["in_use"] = number

    def close(self):
        pass
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A distribution with a backend, on the path."""
    info = tmp_path / "site" / "team_store-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: team-store\nVersion: 1.0\n")
    points = "here = team_store:HereBackend\nlost = team_store_that_is_not_there:Backend\n"
    (info / "entry_points.txt").write_text(f"[mlops_assets.online_stores]\n{points}")
    (tmp_path / "site" / "team_store.py").write_text(BACKEND)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()
    yield tmp_path
    sys.modules.pop("team_store", None)


def test_a_store_of_another_distribution_is_refreshed_and_looked_up_in(installed: Path) -> None:
    store = open_online_store("shops", data=installed, environment={"MLOPS_ONLINE_STORE_URL": "here://anywhere"})
    store.refresh(make_view(), commit="c1")
    asked = pa.table({"id": ["a"], "event_time": [NOON], "shop": ["s1"], "street": ["High St"]})

    found = store.look_up(asked)

    assert (found.commit, found.as_of) == ("c1", DAY)
    assert found.examples["shop__mean_7d"].to_pylist() == [1.0]
    assert found.examples["heat__degrees"].to_pylist() == [11.5]
    assert found.examples["owner__age"].to_pylist() == [44]
    assert not (installed / "online").exists()


def test_a_bento_is_told_which_distribution_its_store_comes_from(installed: Path) -> None:
    assert outside_distributions() == ("team-store",)


def test_a_scheme_nobody_knows_is_refused_with_those_there_are(installed: Path) -> None:
    with pytest.raises(SettingError, match=r"is heer://…; it must begin with one of here://, lost://, redis://"):
        ONLINE_STORES.load("heer://x")


def test_a_store_whose_client_is_missing_says_what_to_install(installed: Path) -> None:
    with pytest.raises(SettingError, match="needs 'team_store_that_is_not_there' for lost://"):
        ONLINE_STORES.load("lost://x")
