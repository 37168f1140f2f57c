"""The sensor on the landing zone: one run for each batch that is whole, once per content, whatever else lies there."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, RUN_KEY_TAG, SENSOR_NAME_TAG, WILL_RETRY_TAG

from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.lake.tables import made_from
from mlops_assets.orchestration import asks
from mlops_assets.orchestration.build import build_definitions
from mlops_assets.orchestration.partitions import RANGE_END, RANGE_START, batch_partitions
from mlops_assets.orchestration.pipeline import SomeRefused
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.runs import RunFailed, run_job
from mlops_assets.stores.landing import landing, progress
from mlops_assets_tests.orchestration.deployment import Deployment, content
from mlops_assets_tests.orchestration.test_corrupt_inputs import with_column
from mlops_assets_tests.orchestration.toy import PARCELS, day_number

Tick = Callable[..., dg.SensorResult]
LONG_AGO = 60.0


@pytest.fixture
def tick(monkeypatch: pytest.MonkeyPatch) -> Tick:
    """One look of the sensor at the landing zone, as Dagster's daemon asks for it; by itself on an instance that knows
    of no run.
    """
    logging.getLogger("dagster").setLevel(logging.CRITICAL)

    def look(instance: dg.DagsterInstance | None = None, *, use_case: UseCase = PARCELS) -> dg.SensorResult:
        sensor = build_definitions([use_case]).get_repository_def().get_sensor_def("parcels__new_data")
        resources = {"lake": LakeResource(), "data": DataResource()}
        with (
            dg.DagsterInstance.ephemeral() as empty,
            dg.build_sensor_context(instance=instance or empty, resources=resources) as context,
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


def start(deployment: Deployment, result: dg.SensorResult) -> list[str]:
    """Runs what was asked for, tagged as Dagster's daemon does it; the run keys."""
    for request in result.run_requests or []:
        with suppress(RunFailed):
            run_job(
                deployment.use_case,
                job=str(request.job_name).removeprefix("parcels__"),
                instance=deployment.instance,
                batches=[request.partition_key] if request.partition_key else (),
                tags={RUN_KEY_TAG: str(request.run_key), SENSOR_NAME_TAG: "parcels__new_data"},
            )
    return [str(key) for key in keys(result)]


def going_on(deployment: Deployment, *, status: dg.DagsterRunStatus, key: str = "") -> None:
    """Makes Dagster have a run that has not ended."""
    tags = {RUN_KEY_TAG: key, SENSOR_NAME_TAG: "parcels__new_data"} if key else {}
    deployment.instance.add_run(dg.DagsterRun(job_name="parcels__ingest", status=status, tags=tags))


def memory_of(deployment: Deployment) -> Path:
    """Where the sensor keeps what it remembers."""
    return deployment.data / "sensors" / "parcels.json"


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


@pytest.mark.parametrize("forgets", [False, True], ids=["remembering", "having lost its memory"])
def test_a_correction_that_is_withdrawn_starts_a_run_under_a_key_that_none_had(
    ingested: Deployment, tick: Tick, forgets: bool
) -> None:
    day, seen = day_number(10), []
    ingested.land(10)
    for version in (content("parcels", day), corrected(day), content("parcels", day)):
        ingested.drop(version, source="parcels", batch=day)
        settle(ingested)
        if forgets:
            memory_of(ingested).unlink(missing_ok=True)
        tick(ingested.instance)
        seen += start(ingested, tick(ingested.instance))

    assert len(seen) == len(set(seen)) == 3
    assert b",3\n" in corrected(day)
    assert ingested.lake.at().read(f"parcels/raw/parcels/{day}.csv") == content("parcels", day)


def test_a_sensor_that_lost_its_memory_asks_for_nothing_that_is_on_its_way(ingested: Deployment, tick: Tick) -> None:
    ingested.land(10)
    settle(ingested)
    (key,) = keys(tick(ingested.instance))
    going_on(ingested, status=dg.DagsterRunStatus.STARTING, key=str(key))
    memory_of(ingested).unlink()

    found = tick(ingested.instance)

    assert asked(found) == []
    assert f"Asked for and not in the lake yet: {day_number(10)} (STARTING, run " in said(found)


def test_what_a_killed_run_left_half_way_is_told_and_asked_for_again(ingested: Deployment, tick: Tick) -> None:
    ingested.land(10)
    settle(ingested)
    first = tick(ingested.instance)
    ingested.run("ingest", day_number(10), assets=["raw_parcels", "raw_roads", "validated_roads"])

    again = tick(ingested.instance)
    going_on(ingested, status=dg.DagsterRunStatus.STARTED)
    meanwhile = tick(ingested.instance)
    start(ingested, again)

    assert asked(again) == ingest_runs(10)
    assert keys(again) != keys(first)
    assert asked(meanwhile) == []
    assert "is STARTED: what is unfinished waits for its end." in said(meanwhile)
    unfinished = f"1 batch is unfinished: validated_parcels of what has landed is missing for {day_number(10)}."
    assert unfinished in said(meanwhile)
    assert "all of them are in the lake" in said(tick(ingested.instance))


def test_reference_files_that_are_half_way_are_asked_for_again(empty: Deployment, tick: Tick) -> None:
    empty.land(0)
    empty.run("reference", assets=["raw_depots"])
    settle(empty)

    assert asked(tick()) == [("parcels__reference", None), *ingest_runs(0)]


def test_a_batch_whose_run_ended_without_it_is_told_and_not_asked_for_for_ever(
    ingested: Deployment, tick: Tick
) -> None:
    ingested.land(10)
    settle(ingested)
    (key,) = keys(tick(ingested.instance))
    going_on(ingested, status=dg.DagsterRunStatus.FAILURE, key=str(key))

    told = tick(ingested.instance)

    assert asked(told) == []
    assert f"Batch {day_number(10)} is not in the lake: run" in said(told)
    assert "ended with FAILURE" in said(told)


def test_a_failed_run_that_dagster_starts_again_goes_on_for_a_while(
    ingested: Deployment, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingested.land(10)
    settle(ingested)
    (key,) = keys(tick(ingested.instance))
    tags = {RUN_KEY_TAG: str(key), SENSOR_NAME_TAG: "parcels__new_data", WILL_RETRY_TAG: "true"}
    failed = dg.DagsterRun(job_name="parcels__ingest", status=dg.DagsterRunStatus.FAILURE, tags=tags)
    ingested.instance.add_run(failed)

    waiting = tick(ingested.instance)
    with monkeypatch.context() as patch:
        patch.setattr(asks, "UNTIL_STARTED_AGAIN", timedelta(0))
        never = tick(ingested.instance)
    again = ingested.instance.add_run(dg.DagsterRun(job_name="parcels__ingest", status=dg.DagsterRunStatus.FAILURE))
    ingested.instance.add_run_tags(failed.run_id, {AUTO_RETRY_RUN_ID_TAG: again.run_id})
    ended = tick(ingested.instance)

    assert asked(waiting) == asked(never) == asked(ended) == []
    assert f"run {failed.run_id[:8]} ended with FAILURE" in said(never)
    assert f"{day_number(10)} (FAILURE, run {failed.run_id[:8]})" in said(waiting)
    assert f"run {again.run_id[:8]} ended with FAILURE" in said(ended)


def test_days_that_are_missing_between_others_are_told(ingested: Deployment, tick: Tick) -> None:
    ingested.land(12)
    settle(ingested)
    start(ingested, tick(ingested.instance))

    missing = f"Between {day_number(0)} and {day_number(12)} 2 days are missing: {day_number(10)} to {day_number(11)}."
    assert missing in said(tick(ingested.instance))


def test_of_a_use_case_without_an_end_today_waits_and_yesterday_is_taken(empty: Deployment, tick: Tick) -> None:
    today = datetime.now(UTC).date()
    yesterday = today - timedelta(days=1)
    endless = replace(PARCELS, batches=DailyBatches(first=yesterday, last=None))
    deployment = replace(empty, use_case=endless)
    empty.land(0, sources=["depots"])
    for day in (yesterday, today):
        for source in ("parcels", "roads"):
            empty.drop(content(source, day.isoformat()), source=source, batch=day.isoformat())
    empty.run("reference")
    settle(empty)

    first = tick(use_case=endless)
    deployment.ingest()
    settled = tick(use_case=endless)

    assert asked(first) == [("parcels__ingest", yesterday.isoformat())]
    assert empty.paths("history/") == [f"history/{yesterday}.parquet"]
    assert f"Batch {today} waits: its day is not over yet (UTC)." in said(settled)


def test_a_tick_opens_what_is_new_alone(ingested: Deployment, tick: Tick, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(ingested)
    tick(), tick()
    read: list[str] = []
    monkeypatch.setattr(landing, "_read", lambda path: read.append(path.name) or path.read_bytes())
    monkeypatch.setattr(progress, "made_from", lambda path: read.append(path.name) or made_from(path))
    ingested.land(10)
    tick()
    ingested.run("ingest", day_number(10))
    tick()

    landed = [name for name in read if name.endswith(".csv")]
    assert set(landed) == {f"{day_number(10)}.csv"}
    assert len(read) - len(landed) == 3  # what was made of the new day: two validated files and its history


@pytest.mark.parametrize("batches", [PARCELS.batches, DailyBatches(first=date(2024, 3, 1))], ids=["closed", "open"])
def test_landing_and_partitions_agree_on_which_days_there_are(batches: DailyBatches) -> None:
    use_case = replace(PARCELS, batches=batches)
    now = datetime(2024, 3, 20, 0, 0, 1, tzinfo=UTC)
    days = [(date(2024, 2, 25) + timedelta(days=number)).isoformat() for number in range(60)]

    partitions = batch_partitions(use_case).get_partition_keys(current_time=now)

    assert [day for day in days if batches.why_not_taken(day, today=now.date()) is None] == list(partitions)


def test_a_month_at_once_asks_for_one_run_over_its_days(empty: Deployment, tick: Tick) -> None:
    empty.land(0, 29)
    empty.run("reference")
    settle(empty)

    month = tick()

    assert asked(month) == [("parcels__ingest", None)]
    (request,) = month.run_requests or []
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == (day_number(0), day_number(29))


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
    first = tick(ingested.instance)
    start(ingested, first)
    logging.getLogger("dagster").setLevel(logging.WARNING)

    refused = tick(ingested.instance)
    logged = capfd.readouterr().err
    ingested.drop(content("parcels", day_number(10)), source="parcels", batch=day_number(10))
    settle(ingested)
    tick(ingested.instance)
    start(ingested, tick(ingested.instance))
    capfd.readouterr()
    whole = tick(ingested.instance)

    assert (asked(first), asked(refused)) == (ingest_runs(10), [])
    for told in (said(refused), logged):
        assert says.format(day=day_number(10)) in told
        assert "It is kept on branch stage-parcels-" in told
    assert "refused" not in capfd.readouterr().err + said(whole)


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
