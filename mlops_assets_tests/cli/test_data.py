"""`mlops land` and `run`: what a person types, what is said, and what it does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.orchestration import pipeline
from mlops_assets.orchestration.runs import RunSummary
from mlops_assets.use_cases import registry
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment, content
from mlops_assets_tests.orchestration.test_sensor import settle
from mlops_assets_tests.orchestration.toy import FIRST, PARCELS, day_number


def trained_instead(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the use cases that would have been trained; no run is started for them."""
    names: list[str] = []

    def train(use_case: UseCase, **_: object) -> RunSummary:
        names.append(use_case.name)
        return RunSummary(run_id="none", batches=(), seconds={}, metadata={}, checks=())

    monkeypatch.setattr(pipeline, "train", train)
    return names


def test_seed_data_lands_once_and_only_what_was_asked_for(run_mlops: Mlops, empty: Deployment) -> None:
    said = run_mlops("land", "parcels", "--from", day_number(0), "--to", day_number(1), "--source", "parcels")

    assert "landing/parcels: 2" in said.output
    landed = sorted(path.name for path in (empty.data / "landing").rglob("*.csv"))
    assert landed == [f"{day_number(0)}.csv", f"{day_number(1)}.csv"]
    assert "landing/parcels: 0" in run_mlops("land", "parcels", "--to", day_number(1), "--source", "parcels").output


@pytest.mark.parametrize("words", [("--from", "yesterday"), ("--to", "2024-13-01")])
def test_what_is_no_batch_is_refused_before_anything_lands(
    run_mlops: Mlops, empty: Deployment, words: tuple[str, str]
) -> None:
    with pytest.raises(DeclarationError, match=f"'{words[1]}' is no batch of parcels: it must be a day"):
        run_mlops("land", "parcels", *words)

    assert not (empty.data / "landing").exists()


@pytest.mark.parametrize("words", [("--from", "2015-01-01", "--to", "2015-01-03"), ("--from", "2025-01-01")])
def test_days_that_the_seed_has_not_are_no_success(run_mlops: Mlops, empty: Deployment, words: tuple[str, ...]) -> None:
    with pytest.raises(DeclarationError, match=f"The seed of flights has no batch from {words[1]} to"):
        run_mlops("land", "flights", *words)


def test_an_unknown_source_is_refused_with_the_known_ones(run_mlops: Mlops, empty: Deployment) -> None:
    with pytest.raises(DeclarationError, match=r"'boats'.*parcels, roads, depots"):
        run_mlops("land", "parcels", "--source", "boats")


def test_a_run_takes_in_what_has_landed_and_a_second_one_nothing(run_mlops: Mlops, empty: Deployment) -> None:
    run_mlops("land", "parcels", "--to", day_number(2))

    assert "3 batches were taken in." in run_mlops("run", "parcels", "--ingest-only").output
    assert "0 batches were taken in." in run_mlops("run", "parcels", "--ingest-only").output
    assert empty.paths("history/") == [f"history/{day_number(day)}.parquet" for day in range(3)]


def test_a_run_says_what_was_refused_and_why_after_taking_the_rest(run_mlops: Mlops, empty: Deployment) -> None:
    empty.land(0, 1)
    empty.drop(b"", source="roads", batch=day_number(1))

    done = run_mlops("run", "parcels", "--ingest-only")

    assert done.exit_code == 3
    assert f"{day_number(1)}]: The file is empty" in done.output
    assert empty.paths("history/") == [f"history/{day_number(0)}.parquet"]


def test_a_broken_file_does_not_keep_the_good_ones_from_being_trained_on(
    run_mlops: Mlops, ingested: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = trained_instead(monkeypatch)
    ingested.land(10)
    ingested.drop(b"", source="roads", batch=day_number(10))

    assert run_mlops("run", "parcels").exit_code == 3
    assert trained == ["parcels"]


def test_days_that_are_none_of_the_use_case_are_told_and_left_out(run_mlops: Mlops, empty: Deployment) -> None:
    empty.land(0)
    before, after = day_number(-1), day_number(31)
    for batch in (before, after):
        for source in ("parcels", "roads"):
            empty.drop(content(source, batch), source=source, batch=batch)

    done = run_mlops("run", "parcels", "--ingest-only")

    assert done.exit_code == 3
    assert f"Batch {before} of parcels is left out: it is before the first day, {day_number(0)}." in done.output
    assert f"Batch {after} of parcels is left out: it is after the last day, {day_number(30)}." in done.output
    assert empty.paths("history/") == [f"history/{day_number(0)}.parquet"]
    settle(empty)
    assert f"Batch {before} of parcels is left out" in run_mlops("status", "parcels").output


def test_a_run_finishes_what_a_killed_one_left(run_mlops: Mlops, ingested: Deployment) -> None:
    ingested.land(10)
    ingested.run("ingest", day_number(10), assets=["raw_parcels", "raw_roads"])

    assert "1 batches were taken in." in run_mlops("run", "parcels", "--ingest-only").output
    assert f"history/{day_number(10)}.parquet" in ingested.paths("history/")


def test_days_that_are_missing_are_told_before_training_and_training_goes_on(
    run_mlops: Mlops, ingested: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = trained_instead(monkeypatch)
    ingested.land(12)

    done = run_mlops("run", "parcels")

    missing = f"Between {day_number(0)} and {day_number(12)} 2 days are missing: {day_number(10)} to {day_number(11)}."
    assert f"Training goes on without what is not there. {missing}" in done.output
    assert (done.exit_code, trained) == (0, ["parcels"])


def test_a_file_of_today_waits_and_is_no_refusal(
    run_mlops: Mlops, empty: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = datetime.now(UTC).date().isoformat()
    endless = replace(PARCELS, batches=DailyBatches(first=FIRST, last=None))
    monkeypatch.setattr(registry, "find", lambda name: endless)
    empty.land(0)
    for source in ("parcels", "roads"):
        empty.drop(content(source, today), source=source, batch=today)

    done = run_mlops("run", "parcels", "--ingest-only")

    assert done.exit_code == 0
    assert f"Batch {today} waits: its day is not over yet (UTC)." in done.output
    assert empty.paths("history/") == [f"history/{day_number(0)}.parquet"]
