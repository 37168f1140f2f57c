"""What one more day costs in a lake that holds a month, and in one that holds ten years.

Part of `benchmarks/features.py`, which compares both with its goal. A day is published as validated, aggregated into
its history, which is published, and the online store is refreshed from it: what the assets do, by the same functions,
without what Dagster adds to either.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import duckdb

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import WHOLE, history_path, validated_path
from mlops_assets.contract.source import Cadence
from mlops_assets.features.history import daily_aggregates, split_by_batch
from mlops_assets.features.sql import quoted
from mlops_assets.lake.batches import Wanted
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeSettings
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.lake.write import Write
from mlops_assets.stores.features.online import open_online_store
from mlops_assets.stores.features.online_refresh import refresh_online_store
from mlops_assets.stores.features.source_tables import create_source_views
from mlops_assets.stores.landing.progress import history_inputs
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets.use_cases.flights.seed import SEED
from mlops_assets_tests.use_cases.flights.seed_tables import days_from, seed_tables

DAY = date(2013, 7, 1)
HELD = {"month": 30, "ten years": 3650}
REAL = 180
"""So many days before DAY are real; older ones are the same days again, under the dates of earlier years."""
ROUNDS = 7


def new_day(folder: Path) -> dict[str, float]:
    """Median seconds of a new day by how long the lake's past is, the two taking turns."""
    lakes = {}
    with _sources() as connection:
        for name, days in HELD.items():
            lakes[name] = Lake.connect(LakeSettings.embedded(folder / name))
            _fill(lakes[name], connection, days=days)
        seconds: dict[str, list[float]] = {name: [] for name in HELD}
        for day in days_from(DAY, ROUNDS + 1):
            files = _validated(connection, day)
            for name, lake in lakes.items():
                begun = time.perf_counter()
                _take_in(lake, files, day=day, data=folder / name)
                seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(spent[1:]) for name, spent in seconds.items()}  # the first one warms up


def _take_in(lake: Lake, files: dict[str, bytes], *, day: date, data: Path) -> None:
    """What is done for a day: its rows published, its history made of them and published, the store refreshed."""
    batch = day.isoformat()
    _publish(lake, "validated", files)
    head, wanted = lake.at(), Wanted.these([batch])
    assert batch in history_inputs(head, use_case=USE_CASE, wanted=wanted)
    with duckdb.connect() as connection:
        create_source_views(connection, head, use_case=USE_CASE, wanted=wanted)
        history = daily_aggregates(connection, views=USE_CASE.history, relations=USE_CASE.relations)
    made = split_by_batch(history, batches=[batch])
    _publish(lake, "history", {history_path("flights", batch=batch): parquet_bytes(made[batch])})
    store = open_online_store("flights", data=data, environment={})
    with duckdb.connect() as connection:
        done = refresh_online_store(store, snapshot=lake.at(), use_case=USE_CASE, connection=connection)
    store.close()
    assert done.changed
    assert done.view.as_of == day + timedelta(days=1)


def _fill(lake: Lake, connection: duckdb.DuckDBPyConnection, *, days: int) -> None:
    """A past of ``days`` up to the day before DAY."""
    history = daily_aggregates(connection, views=USE_CASE.history, relations=USE_CASE.relations)
    real = [(DAY - timedelta(days=back)).isoformat() for back in range(1, REAL + 1)]
    made = {batch: parquet_bytes(table) for batch, table in split_by_batch(history, batches=real).items()}
    rows = [_validated(connection, DAY - timedelta(days=back)) for back in range(1, REAL + 1)]
    files = {}
    for back in range(1, days + 1):
        batch, same = (DAY - timedelta(days=back)).isoformat(), (back - 1) % REAL
        files[history_path("flights", batch=batch)] = made[real[same]]
        for path, content in rows[same].items():
            files[path.replace(real[same], batch)] = content
    for source in USE_CASE.sources:
        if source.cadence is Cadence.STATIC:
            path = validated_path("flights", source=source.name, batch=WHOLE)
            files[path] = parquet_bytes(connection.sql(f"FROM {quoted(source.name)}").to_arrow_table())
    _publish(lake, "validated", files)


def _validated(connection: duckdb.DuckDBPyConnection, day: date) -> dict[str, bytes]:
    files = {}
    for source in USE_CASE.sources:
        if source.cadence is Cadence.DAILY:
            rows = connection.sql(
                f"SELECT * EXCLUDE (batch) FROM {quoted(source.name)} WHERE batch = $batch",
                params={"batch": day.isoformat()},
            ).to_arrow_table()
            files[validated_path("flights", source=source.name, batch=day.isoformat())] = parquet_bytes(rows)
    return files


def _publish(lake: Lake, asset: str, files: dict[str, bytes]) -> None:
    lake.publish(Write(use_case="flights", asset=asset), files=files, audit=partial(_readable, paths=list(files)))


def _readable(staged: Snapshot, *, paths: list[str]) -> list[CheckResult]:
    found = staged.find_many(paths)
    return [CheckResult(name="is_there", passed=all(found.values()))]


@contextmanager
def _sources() -> Iterator[duckdb.DuckDBPyConnection]:
    with seed_tables(first=DAY - timedelta(days=REAL), last=DAY + timedelta(days=ROUNDS)) as connection:
        connection.execute(f"CREATE TABLE airlines AS FROM read_csv('{SEED / 'airlines.csv'}')")
        yield connection
