"""Weeks, months, days as they come and drops with event times: many in one run, with the past that days have."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pytest
from dagster._core.storage.tags import RUN_KEY_TAG, SENSOR_NAME_TAG

from mlops_assets.contract.paths import training_view_path
from mlops_assets.contract.source import Cadence
from mlops_assets.contract.use_case import (
    Batches,
    DailyBatches,
    MonthlyBatches,
    NamedBatches,
    UseCase,
    WeeklyBatches,
)
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeSettings
from mlops_assets.orchestration.build import build_definitions
from mlops_assets.orchestration.partitions import RANGE_END, RANGE_START, batch_partitions
from mlops_assets.orchestration.pipeline import SomeRefused
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.runs import RunFailed, run_job
from mlops_assets.steps.view import view
from mlops_assets.stores.features.online import open_online_store
from mlops_assets.stores.features.online_refresh import next_day, refresh_online_store
from mlops_assets.stores.landing.landing import LandingZone
from mlops_assets.stores.landing.own_files import land_files
from mlops_assets_tests.orchestration.deployment import Deployment, content, copy_deployment, let_go
from mlops_assets_tests.orchestration.test_sensor import settle
from mlops_assets_tests.orchestration.toy import FIRST, PARCELS, day_number

DAYS = 10
DROPS = [f"drop-{number}" for number in range(1, DAYS + 1)]


def in_batches(batches: Batches, *, cadence: Cadence) -> UseCase:
    """The toy, whose sources arrive otherwise."""
    days = {"parcels": ("day",), "roads": ("observed_at",)} if cadence is not Cadence.NAMED else {}
    sources = [
        replace(each, cadence=cadence, batch_day=days.get(each.name, ())) if each.arrives else each
        for each in PARCELS.sources
    ]
    return replace(PARCELS, batches=batches, sources=tuple(sources), backtest=None)


AS_THEY_COME = in_batches(DailyBatches(), cadence=Cadence.DAILY)
WEEKLY = in_batches(WeeklyBatches(), cadence=Cadence.WEEKLY)
MONTHLY = in_batches(MonthlyBatches(), cadence=Cadence.MONTHLY)
NAMED = in_batches(NamedBatches(has_event_times=True), cadence=Cadence.NAMED)


def land_days(deployment: Deployment, days: Collection[int]) -> None:
    """Lands one file of many days for each source, and the depots."""
    deployment.land(0, sources=["depots"])
    for source in deployment.use_case.arriving:
        header = content(source.name, day_number(0)).splitlines(keepends=True)[0]
        rows = [content(source.name, day_number(day)).split(b"\n", 1)[1] for day in days]
        file = deployment.data / source.name / "days.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(header + b"".join(rows))
        land_files([file], zone=LandingZone(deployment.data / "landing"), use_case="parcels", source=source)


def land_drops(deployment: Deployment, *, spoiled: Collection[str] = ()) -> None:
    """Lands a drop with a name for each of the days, and the depots."""
    deployment.land(0, sources=["depots"])
    for number, drop in enumerate(DROPS):
        for source in ("parcels", "roads"):
            rows = b"" if drop in spoiled else content(source, day_number(number))
            deployment.drop(rows, source=source, batch=drop)


def batches_of(deployment: Deployment) -> list[list[str]]:
    """The batches of every run over some that takes in what has landed."""
    return [list(run.batches) for run in deployment.ingest() if run.batches]


@pytest.fixture(scope="module")
def daily_view(ingested_template: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """The toy's training view of its first days, as it is made of daily batches."""
    data = copy_deployment(ingested_template, to=tmp_path_factory.mktemp("daily") / "data")
    head = Lake.connect(LakeSettings.embedded(data)).at()
    table = view(head, use_case=PARCELS, connect=duckdb.connect).outcome.table
    let_go(data)
    return table


@pytest.mark.parametrize("use_case", [AS_THEY_COME, WEEKLY, MONTHLY, NAMED], ids=["days", "weeks", "months", "drops"])
def test_a_view_is_the_same_whatever_batches_its_rows_came_in(
    empty: Deployment, use_case: UseCase, daily_view: pa.Table
) -> None:
    deployment = replace(empty, use_case=use_case)
    land_days(deployment, range(DAYS))
    taken = batches_of(deployment)

    deployment.run("train", assets=["training_view"])

    table = deployment.table(training_view_path("parcels").removeprefix("parcels/"))
    assert [len(run) for run in taken] == [{"days": DAYS, "weeks": 2}.get(_word(use_case), 1)]
    assert table.equals(daily_view)


def _word(use_case: UseCase) -> str:
    return f"{use_case.batches.period}s"


def test_days_as_they_come_go_in_one_run_over_days_that_are_missing(empty: Deployment) -> None:
    deployment = replace(empty, use_case=AS_THEY_COME)
    land_days(deployment, [0, 1, 4, 9])

    assert batches_of(deployment) == [[day_number(day) for day in (0, 1, 4, 9)]]


def test_many_drops_go_in_one_run_in_the_order_of_their_names(empty: Deployment) -> None:
    deployment = replace(empty, use_case=NAMED)
    land_drops(deployment)

    assert batches_of(deployment) == [DROPS]
    assert batches_of(deployment) == []


def test_a_bad_drop_stops_none_of_the_good_ones(empty: Deployment) -> None:
    deployment = replace(empty, use_case=NAMED)
    land_drops(deployment, spoiled=["drop-3"])

    with pytest.raises(SomeRefused, match="drop-3") as refused:
        deployment.ingest()

    assert [list(run.batches) for run in refused.value.taken if run.batches] == [DROPS[:2], DROPS[3:]]
    assert deployment.paths("history/") == sorted(f"history/{drop}.parquet" for drop in DROPS if drop != "drop-3")


def test_what_lands_later_goes_in_runs_of_what_follows_in_dagster(empty: Deployment) -> None:
    deployment = replace(empty, use_case=MONTHLY)
    land_days(deployment, [0, 61])
    first = batches_of(deployment)
    land_days(deployment, [0, 31, 61, 92])

    assert first == [["2024-03", "2024-05"]]
    assert batches_of(deployment) == [["2024-04", "2024-06"]]


def test_the_store_of_a_month_that_goes_on_is_as_of_the_day_after_its_last_outcome(empty: Deployment) -> None:
    deployment = replace(empty, use_case=MONTHLY)
    land_days(deployment, range(DAYS))
    deployment.ingest()

    head = deployment.lake.at()
    with (
        closing(open_online_store("parcels", data=empty.data / "other")) as online,
        duckdb.connect() as connection,
    ):
        done = refresh_online_store(online, snapshot=head, use_case=MONTHLY, connection=connection)

    last_outcome = FIRST + timedelta(days=DAYS)  # of parcels sent in the evening of the day before
    assert next_day(head, use_case=MONTHLY) == last_outcome + timedelta(days=1)
    assert [audit.name for audit in done.audits if not audit.passed] == []


def tick(deployment: Deployment) -> dg.SensorResult:
    """One look of the sensor, with the partitions that it asks for, as Dagster's daemon adds them."""
    sensor = build_definitions([deployment.use_case]).get_repository_def().get_sensor_def("parcels__new_data")
    resources = {"lake": LakeResource(), "data": DataResource()}
    with dg.build_sensor_context(instance=deployment.instance, resources=resources) as context:
        found = sensor(context)
    assert isinstance(found, dg.SensorResult)
    for request in found.dynamic_partitions_requests or []:
        deployment.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
    return found


def start(deployment: Deployment, found: dg.SensorResult) -> list[list[str]]:
    """Runs what was asked for under its key; the batches of each run over some."""
    asked = []
    for request in found.run_requests or []:
        batches = [request.partition_key] if request.partition_key else []
        if RANGE_START in request.tags:
            partitions = batch_partitions(deployment.use_case)
            known = list(partitions.get_partition_keys(dynamic_partitions_store=deployment.instance))
            batches = known[known.index(request.tags[RANGE_START]) : known.index(request.tags[RANGE_END]) + 1]
        with suppress(RunFailed):
            run_job(
                deployment.use_case,
                job=str(request.job_name).removeprefix("parcels__"),
                instance=deployment.instance,
                batches=batches,
                tags={RUN_KEY_TAG: str(request.run_key), SENSOR_NAME_TAG: "parcels__new_data"},
            )
        asked += [batches] if batches else []
    return asked


def test_the_sensor_asks_for_many_drops_at_once_and_once_more_for_those_that_a_bad_one_stopped(
    empty: Deployment,
) -> None:
    deployment = replace(empty, use_case=NAMED)
    land_drops(deployment, spoiled=["drop-3"])
    settle(deployment)

    rounds = [start(deployment, tick(deployment)) for _ in range(4)]

    assert [each for each in rounds if each] == [[DROPS], [DROPS[:2], DROPS[3:]]]
    assert deployment.paths("history/") == sorted(f"history/{drop}.parquet" for drop in DROPS if drop != "drop-3")


def test_weeks_and_months_that_are_missing_are_told(empty: Deployment) -> None:
    deployment = replace(empty, use_case=MONTHLY)
    land_days(deployment, [0, 92])
    deployment.ingest()
    settle(deployment)

    said = tick(deployment).skip_reason
    assert said is not None
    assert "Between 2024-03 and 2024-06 2 months are missing: 2024-04 to 2024-05." in str(said.skip_message)


def test_a_month_that_goes_on_is_taken_and_one_to_come_waits() -> None:
    today = datetime(2024, 5, 10, tzinfo=UTC).date()

    assert MonthlyBatches().why_not_taken("2024-05", today=today) is None
    assert MonthlyBatches().why_not_taken("2024-06", today=today) == "its month has not begun yet (UTC)"
    assert WeeklyBatches(first=today).why_not_taken("2024-W18") == "it is before the first week, 2024-W19"
    assert batch_partitions(MONTHLY).name == "parcels__batches"
