"""`mlops alerts`: what stands is read in a terminal of 80 columns, and changed by a person."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets.contract.alerts import Urgency
from mlops_assets.contract.errors import AlertError, SettingError
from mlops_assets.stores.alerts.book import AlertBook, standing_alerts
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.contract.test_alerts import NOON, make_finding, make_look
from mlops_assets_tests.orchestration.deployment import Deployment

ID = make_finding().id


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder in which two causes stand, one of them at two days."""
    for name in ("MLOPS_LAKE_BRANCH", "MLOPS_ALERT_URLS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    page = make_finding(urgency=Urgency.PAGE, to_do="Ask the source what changed.", likely_cause="Values are missing.")
    with AlertBook(tmp_path) as book:
        book.use_channels(["json://… (3f2a9c41)"])
        look = make_look(make_finding("#dest", what="A long sentence, " * 9), page, at="2013-07-01 2013-07-02")
        book.record([look], now=NOON)
    return tmp_path


def mlops(*words: str) -> str:
    return CliRunner().invoke(app, ["alerts", *words], catch_exceptions=False).output


def test_what_pages_is_listed_first_within_80_columns(data: Path) -> None:
    lines = mlops().splitlines()

    assert lines[:4] == [
        "2 alerts are open; 1 to page somebody for.",
        f"{ID}  page    open          flights, since 2013-07-01 12:00",
        "  validated_flights/matches_schema#tailnum: 2 batches, 2013-07-01 to 2013-07-02",
        "  Column 'tailnum' has no values.",
    ]
    assert lines[-1] == "2 messages wait for json://… (3f2a9c41): not tried yet."
    assert max(map(len, lines)) <= 80


def test_one_is_shown_with_all_that_is_known_and_what_became_of_it(data: Path) -> None:
    shown = mlops("show", ID[:5])

    for line in (
        "Likely cause: Values are missing.",
        "What to do: Ask the source what changed.",
        "2013-07-01 12:00  open",
    ):
        assert line in shown


def test_a_person_acknowledges_silences_and_resolves(data: Path) -> None:
    assert "is acknowledged" in mlops("ack", ID)
    assert "acknowledged" in mlops("list")
    said = mlops("silence", ID, "--until", "2999-12-31", "--reason", "known")
    assert "is silent until 3000-01-01" in " ".join(said.split())
    assert "Silenced until 3000-01-01 00:00 UTC: known" in mlops("show", ID)
    assert "is resolved" in mlops("resolve", ID)
    assert [alert.id for alert in standing_alerts(data)] == [make_finding("#dest").id]
    assert "resolved" in mlops("list", "--all")
    with pytest.raises(AlertError, match="is resolved: there is nothing to change"):
        mlops("ack", ID)


@pytest.mark.parametrize(("until", "reason"), [("2013-01-01", "known"), ("7d", " "), ("soon", "known")])
def test_a_silence_needs_an_end_to_come_and_a_reason(data: Path, until: str, reason: str) -> None:
    with pytest.raises(SettingError):
        mlops("silence", ID, "--until", until, "--reason", reason)


def test_nothing_open_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path))

    assert mlops() == "No alert is open.\n"


def test_status_names_the_number_of_open_alerts(run_mlops: Mlops, empty: Deployment) -> None:
    assert "alert" not in run_mlops("status", "parcels").output
    finding = make_finding().model_copy(update={"use_case": "parcels"})
    with AlertBook(empty.data) as book:
        book.record([make_look(finding)], now=datetime.now(UTC))

    said = run_mlops("status", "parcels").output

    assert "1 alert is open; none to page somebody for. `mlops alerts` lists them." in said
    assert "alert" not in run_mlops("status", "flights").output


def test_doctor_names_the_channels_and_refuses_a_url_that_cannot_be_used(
    run_mlops: Mlops, empty: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_ALERT_URLS", "json://127.0.0.1")
    assert "json://… (" in run_mlops("doctor").output

    monkeypatch.setenv("MLOPS_ALERT_URLS", "nowhere://secret")
    said = run_mlops("doctor")

    assert said.exit_code == 1
    assert "URL 1 of MLOPS_ALERT_URLS cannot be used" in said.output
    assert "secret" not in said.output
