"""The sensor on the landing zone: one run for each batch that is whole, once per content, whatever else lies there."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.orchestration.build import build_definitions
from mlops_assets.orchestration.pipeline import SomeRefused
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets_tests.orchestration.deployment import Deployment, content
from mlops_assets_tests.orchestration.test_corrupt_inputs import with_column
from mlops_assets_tests.orchestration.toy import PARCELS, day_number

Tick = Callable[[], dg.SensorResult]
LONG_AGO = 60.0


@pytest.fixture
def tick(monkeypatch: pytest.MonkeyPatch) -> Tick:
    """One look of the sensor at the landing zone, as Dagster's daemon asks for it."""
    sensor = build_definitions([PARCELS]).get_repository_def().get_sensor_def("parcels__new_data")
    logging.getLogger("dagster").setLevel(logging.CRITICAL)

    def look() -> dg.SensorResult:
        resources = {"lake": LakeResource(), "data": DataResource()}
        with (
            dg.DagsterInstance.ephemeral() as instance,
            dg.build_sensor_context(instance=instance, resources=resources) as context,
        ):
            found = sensor(context)
        assert isinstance(found, dg.SensorResult)
        return found

    return look


def settle(deployment: Deployment, *, seconds: float = LONG_AGO) -> None:
    """Makes every landed file look as if nobody had touched it for a while."""
    then = time.time() - seconds
    for path in (deployment.data / "landing").rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (then, then))


def asked(result: dg.SensorResult) -> list[tuple[str, str | None]]:
    """Job and batch of every run that was asked for, in order."""
    return [(str(request.job_name), request.partition_key) for request in result.run_requests or []]


def keys(result: dg.SensorResult) -> list[str | None]:
    """The run keys: Dagster starts one run per key, ever."""
    return [request.run_key for request in result.run_requests or []]


def said(result: dg.SensorResult) -> str:
    """Why nothing was started."""
    assert result.skip_reason is not None
    return str(result.skip_reason.skip_message)


def ingest_runs(*days: int) -> list[tuple[str, str | None]]:
    return [("parcels__ingest", day_number(day)) for day in days]


def test_a_new_day_starts_one_run_with_one_key_until_the_lake_holds_it(ingested: Deployment, tick: Tick) -> None:
    ingested.land(10)
    settle(ingested)

    first, again = tick(), tick()
    ingested.run("ingest", day_number(10))

    assert asked(first) == asked(again) == ingest_runs(10)
    assert keys(first) == keys(again)
    assert "all of them are in the lake" in said(tick())


def test_a_file_that_is_still_written_waits(ingested: Deployment, tick: Tick) -> None:
    ingested.land(10)
    settle(ingested)
    half = ingested.drop(content("parcels", day_number(10))[:200], source="parcels", batch=day_number(10))

    written_now = tick()
    half.write_bytes(content("parcels", day_number(10)))
    still = tick()
    settle(ingested)
    changed_since = tick()
    settled = tick()

    assert [asked(each) for each in (written_now, still, changed_since)] == [[], [], []]
    assert "still being written" in said(written_now)
    assert asked(settled) == ingest_runs(10)


def test_a_file_with_the_name_of_an_unfinished_one_waits_until_it_is_renamed(ingested: Deployment, tick: Tick) -> None:
    ingested.land(10, sources=["roads"])
    folder = ingested.data / "landing" / "parcels" / "parcels"
    unfinished = folder / f"{day_number(10)}.csv.part"
    unfinished.write_bytes(content("parcels", day_number(10)))
    settle(ingested)

    before = tick()
    unfinished.rename(folder / f"{day_number(10)}.csv")
    tick()

    assert asked(before) == []
    assert asked(tick()) == ingest_runs(10)


def test_a_day_waits_for_all_of_its_sources(ingested: Deployment, tick: Tick) -> None:
    ingested.land(10, sources=["roads"])
    settle(ingested)

    waiting = tick()
    ingested.land(10, sources=["parcels"])
    settle(ingested)
    tick()

    assert said(waiting) == f"Nothing to start. Batch {day_number(10)} waits for parcels."
    assert asked(tick()) == ingest_runs(10)


def test_days_that_land_out_of_order_are_each_taken(ingested: Deployment, tick: Tick) -> None:
    ingested.land(12)
    settle(ingested)
    first = tick()
    ingested.run("ingest", day_number(12))
    ingested.land(11)
    settle(ingested)

    assert asked(first) == ingest_runs(12)
    assert asked(tick()) == ingest_runs(11)


def test_a_day_that_lands_twice_with_the_same_content_starts_nothing(ingested: Deployment, tick: Tick) -> None:
    ingested.drop(content("parcels", day_number(3)), source="parcels", batch=day_number(3))
    settle(ingested)

    assert asked(tick()) == []
    assert asked(tick()) == []


def test_a_corrected_day_starts_a_run_of_its_own(ingested: Deployment, tick: Tick) -> None:
    ingested.land(10)
    settle(ingested)
    first = tick()
    ingested.run("ingest", day_number(10))
    ingested.drop(corrected(day_number(10)), source="parcels", batch=day_number(10))
    settle(ingested)
    tick()
    second = tick()

    assert asked(second) == ingest_runs(10)
    assert keys(second) != keys(first)


def test_a_correction_that_is_withdrawn_starts_a_run_again(ingested: Deployment, tick: Tick) -> None:
    day, seen = day_number(10), []
    ingested.land(10)
    for version in (content("parcels", day), corrected(day), content("parcels", day)):
        ingested.drop(version, source="parcels", batch=day)
        settle(ingested)
        tick()
        seen += keys(tick())
        ingested.run("ingest", day)

    assert len(set(seen)) == 3


def test_a_month_at_once_asks_for_one_run_per_day_in_order(empty: Deployment, tick: Tick) -> None:
    empty.land(0, 29)
    empty.run("reference")
    settle(empty)

    month = tick()

    assert asked(month) == ingest_runs(*range(30))
    assert len(set(keys(month))) == 30


def test_days_wait_for_reference_files(empty: Deployment, tick: Tick) -> None:
    empty.land(0, sources=["parcels", "roads"])
    settle(empty)
    without = tick()
    empty.land(0, sources=["depots"])
    settle(empty)
    landed = tick()
    empty.run("reference")

    assert asked(without) == []
    assert "Every batch waits for reference files: depots." in said(without)
    assert asked(landed) == [("parcels__reference", None)]
    assert asked(tick()) == ingest_runs(0)


def test_what_cannot_be_taken_is_said_and_the_others_go_on(
    ingested: Deployment, tick: Tick, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    landing = ingested.data / "landing" / "parcels"
    outside = tmp_path / "outside.csv"
    outside.write_bytes(content("parcels", day_number(11)))
    (landing / "parcels" / f"{day_number(11)}.csv").symlink_to(outside)
    (landing / "parcels" / "2024-03-99.csv").write_bytes(b"x")
    (landing / "parcels" / "..evil.csv").write_bytes(b"x")
    (landing / "letters").mkdir()
    ingested.land(10)
    settle(ingested)
    logging.getLogger("dagster").setLevel(logging.WARNING)

    found = tick()

    assert asked(found) == ingest_runs(10)
    logged = capfd.readouterr().err
    assert f"{day_number(11)}.csv: The file is a link to {outside}: put the file itself here." in logged
    assert "The name '2024-03-99' must be a day, such as 2013-01-31." in logged
    assert "'letters' is no source of parcels. Sources: parcels, roads, depots." in logged


def test_what_cannot_be_taken_is_the_reason_when_nothing_starts(ingested: Deployment, tick: Tick) -> None:
    (ingested.data / "landing" / "parcels" / "parcels" / "monday.csv").write_bytes(b"x")
    settle(ingested)

    assert "monday.csv: The name 'monday' must be a day" in said(tick())


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"", "raw_parcels refused {day}: The file is empty (0 bytes)."),
        (
            with_column(content("parcels", day_number(1)), column=4, value="heavy"),
            "validated_parcels refused {day}: No row is left to publish.",
        ),
    ],
    ids=["file", "rows"],
)
def test_what_was_refused_is_said_until_the_day_lands_whole(
    ingested: Deployment, tick: Tick, capfd: pytest.CaptureFixture[str], bad: bytes, says: str
) -> None:
    ingested.land(10)
    ingested.drop(bad, source="parcels", batch=day_number(10))
    settle(ingested)
    assert asked(tick()) == ingest_runs(10)
    ingested.execute("ingest", day_number(10))
    logging.getLogger("dagster").setLevel(logging.WARNING)

    tick()
    refused = capfd.readouterr().err
    ingested.drop(content("parcels", day_number(10)), source="parcels", batch=day_number(10))
    settle(ingested)
    tick(), tick()
    ingested.run("ingest", day_number(10))
    capfd.readouterr()
    tick()

    assert says.format(day=day_number(10)) in refused
    assert "It is kept on branch stage-parcels-" in refused
    assert "refused" not in capfd.readouterr().err


def test_what_the_sensor_remembers_does_not_grow_dagsters_own_records(ingested: Deployment, tick: Tick) -> None:
    found = tick()

    assert not found.cursor


@pytest.mark.parametrize("damage", [b"", b"{", b'{"seen": 3}', b"[]"], ids=["empty", "cut", "other", "list"])
def test_a_damaged_memory_costs_a_look_and_nothing_else(ingested: Deployment, tick: Tick, damage: bytes) -> None:
    ingested.land(10)
    settle(ingested)
    (ingested.data / "sensors").mkdir()
    (ingested.data / "sensors" / "parcels.json").write_bytes(damage)

    assert asked(tick()) == ingest_runs(10)


def corrected(day: str) -> bytes:
    """A day of which one parcel turns out to have been on time."""
    return content("parcels", day).replace(b",40\n", b",3\n", 1)


def test_a_day_that_is_none_of_the_use_case_stops_no_other(tick: Tick, empty: Deployment) -> None:
    empty.land(0)
    empty.ingest()
    empty.land(1)
    for source in ("parcels", "roads"):
        empty.drop(content(source, day_number(-1)), source=source, batch=day_number(-1))
    settle(empty)

    assert asked(tick()) == [("parcels__ingest", day_number(1))]
    with pytest.raises(SomeRefused):
        empty.ingest()
    assert f"Batch {day_number(-1)} of parcels is left out: it is before the first day" in str(tick().skip_reason)
