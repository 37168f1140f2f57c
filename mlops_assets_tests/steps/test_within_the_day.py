"""The toy with the past of all parcels together and of the last hours: answers within the day equal training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.history import Count, HistoryView, Mean, history_features
from mlops_assets.features.lineage import feature_lineage
from mlops_assets.lake.tables import read_parquet
from mlops_assets.orchestration.partitions import batch_partitions
from mlops_assets.steps.aggregate import aggregate
from mlops_assets.steps.land import land
from mlops_assets.steps.validate import validate
from mlops_assets.steps.view import view
from mlops_assets.stores.features.online import open_online_store
from mlops_assets.stores.features.online_refresh import next_day, verify_online_store
from mlops_assets.stores.landing.landing import LandingZone
from mlops_assets.stores.predictions.parity import audit_parity
from mlops_assets_tests.orchestration.deployment import let_go
from mlops_assets_tests.orchestration.toy import HISTORY, PARCELS, SQL, parcels_csv, roads_csv
from mlops_assets_tests.steps.played import DAYS, SERVED, Loop

EVERY = replace(HISTORY, name="every", keys=(), sql=SQL / "history_every.sql")
RECENT = HistoryView(
    name="recent",
    keys=("depot",),
    sql=SQL / "history_recent.sql",
    windows=(1,),
    hours=(1, 4),
    delay=timedelta(minutes=10),
    features=(
        Count(name="parcels", of="parcels", description="Parcels sent"),
        Mean(name="weight", of="hectograms", per="parcels", description="Mean weight in hectograms"),
    ),
)
VIEWS = (HISTORY, EVERY, RECENT)
RUNNING = replace(
    PARCELS,
    batches=replace(PARCELS.batches, within_the_day=True),
    history=VIEWS,
    features=(*PARCELS.features[:4], *history_features(VIEWS, owner="team:toys")),
)


def until(content: bytes, hour: int) -> bytes:
    """The day's file as it is before that hour."""
    header, *rows = content.decode().splitlines()
    return "\n".join([header, *(row for row in rows if int(row.split(" ")[1][:2]) < hour), ""]).encode()


def take_part(loop: Loop, *, hour: int) -> None:
    """The running day as far as it has come."""
    zone, batches = LandingZone(loop.data / "landing"), [SERVED]
    for name, content in (("parcels", until(parcels_csv(SERVED), hour)), ("roads", roads_csv(SERVED))):
        source = RUNNING.source(name)
        zone.land(content, use_case="parcels", source=source, batch=SERVED)
        loop.put("raw", land(loop.lake.at(), use_case=RUNNING, source=source, batches=batches, zone=zone))
        made = validate(loop.lake.at(), use_case=RUNNING, source=source, batches=batches, connect=duckdb.connect)
        loop.put("validated", made)
    loop.put("history", aggregate(loop.lake.at(), use_case=RUNNING, batches=batches, connect=duckdb.connect))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """Ten days and a champion, and the eleventh day up to 13 o'clock, when it is asked about all of its parcels."""
    loop = Loop(data=Path(tmp_path_factory.mktemp("running")), use_case=RUNNING)
    loop.take(DAYS)
    loop.train()
    take_part(loop, hour=13)
    loop.serve(SERVED)
    loop.collect()
    yield loop
    let_go(loop.data)


def served_rows(loop: Loop) -> pa.Table:
    files = loop.lake.at().local_many("parcels/prediction_log/").values()
    return pa.concat_tables([read_parquet(path) for path in files])


def test_training_counts_the_hours_before_each_parcel_and_all_parcels_of_the_days_before(running: Loop) -> None:
    made = view(running.lake.at(), use_case=RUNNING, connect=duckdb.connect, through=DAYS[-1]).outcome.table

    day = made.filter(pc.equal(pc.strftime(made["event_time"], "%Y-%m-%d"), DAYS[5])).sort_by("event_time").to_pylist()
    assert day[0]["recent__parcels_4h"] is None
    at_noon = next(row for row in day if row["event_time"].hour == 12 and row["event_time"].minute == 0)
    assert at_noon["recent__parcels_1h"] == 3.0  # of 11:00, 11:20 and 11:40; a parcel is known ten minutes later
    assert at_noon["recent__parcels_4h"] == 11.0
    assert at_noon["recent__parcels_1d"] == 30.0
    assert at_noon["every__parcels_3d"] == 2 * at_noon["depot__parcels_3d"]


def test_answers_of_the_running_day_equal_the_offline_path(running: Loop) -> None:
    rows = served_rows(running)

    verdict = audit_parity(rows, of=rows.num_rows, use_case=RUNNING, lake=running.lake, connect=duckdb.connect, seed=1)

    assert verdict.passed, verdict.reasons
    assert verdict.figures["compared"] == 60
    assert set(rows["history_as_of"].to_pylist()) == {SERVED}
    assert set(rows["flags"].to_pylist()) == {"[]"}


def test_the_store_of_the_running_day_equals_the_lake_in_every_value(running: Loop) -> None:
    assert next_day(running.lake.at(), use_case=RUNNING).isoformat() == SERVED
    online = open_online_store("parcels", data=running.data)
    with duckdb.connect() as connection:
        verdict = verify_online_store(online, lake=running.lake, use_case=RUNNING, connection=connection)
    online.close()

    assert verdict.passed, verdict.reasons
    assert verdict.figures["recent by minute"] == 2
    assert verdict.figures["every"] == 1


def test_days_that_are_over_before_they_come_have_no_hours() -> None:
    with pytest.raises(DeclarationError, match="view 'recent' has windows of hours, but days are taken when they are"):
        replace(RUNNING, batches=PARCELS.batches)


def test_a_day_that_is_running_is_taken_where_it_is_declared() -> None:
    today = date(2024, 3, 11)

    assert PARCELS.batches.why_not_taken("2024-03-11", today=today) == "its day is not over yet (UTC)"
    assert RUNNING.batches.why_not_taken("2024-03-11", today=today) is None
    assert RUNNING.batches.why_not_taken("2024-03-12", today=today) == "its day has not begun yet (UTC)"


def test_the_running_day_is_a_partition_where_it_is_declared() -> None:
    noon = datetime(2024, 3, 11, 12, tzinfo=UTC)
    last = [batch_partitions(each).get_partition_keys(current_time=noon)[-1] for each in (PARCELS, RUNNING)]

    assert last == ["2024-03-10", "2024-03-11"]


def test_what_counts_all_rows_comes_from_the_moment_they_are_known() -> None:
    origins = feature_lineage(RUNNING)

    assert [each.column for each in origins["every__parcels_3d"]] == ["sent_at"]
    assert [each.column for each in origins["recent__weight_4h"]] == ["weight"]
    assert [each.column for each in origins["recent__parcels_4h"]] == ["depot"]
