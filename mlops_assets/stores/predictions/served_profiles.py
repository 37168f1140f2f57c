"""The profiles of served days in the lake: reading them back as what a day is compared with, and their bytes.

While fewer days were served than say what is usual, the rows that the version was judged on stand in for the days
before: what it was asked then, looked up as it would have been.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection

from mlops_assets.contract.drift import DriftPlan
from mlops_assets.contract.paths import batch_of, evaluation_path, served_profile_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.training_view import attach
from mlops_assets.lake.batches import EVERY_BATCH
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, parquet_bytes, read_parquet
from mlops_assets.stores.features.offline import examples_of, reach_between
from mlops_assets.stores.features.source_tables import create_source_views
from mlops_assets.stores.landing.acceptances import acceptances
from mlops_assets.stores.models.record import PREDICTIONS
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.served.request_judgement import Past
from mlops_assets.watch.served.request_profiles import (
    EVENT_HOUR,
    RequestColumns,
    only,
    profile_requests,
    request_columns,
)

REQUESTS = "requests"
"""What a person accepts days of, as sources are named, whose requests are the new usual."""
PARTS = 28
"""So many days stand for held-out rows that have no time."""
_UNUSUAL = b"unusual"


def profile_bytes(profile: Profile, *, unusual: Mapping[str, Sequence[str]]) -> bytes:
    """As the lake keeps it: with the columns that were unusual in its metadata."""
    return parquet_bytes(profile.table.replace_schema_metadata({_UNUSUAL: json.dumps(unusual)}))


def past_of(head: Snapshot, *, day: str, use_case: UseCase, version: str, connect: Connect) -> Past:
    """What the requests of ``day`` are compared with: the served days before, or else held-out rows of ``version``."""
    plan = use_case.monitoring.inputs if use_case.monitoring else DriftPlan()
    served = stored_past(head, day=day, use_case=use_case, days=2 * plan.window)
    start = (date.fromisoformat(day) - timedelta(days=plan.window)).isoformat()
    if sum(start <= one < day for one in served.profiles) > plan.minimum_past:
        return served
    with connect() as connection:
        stand_in = held_out_profiles(
            head, use_case=use_case, version=version, before=min(served.profiles, default=day), connection=connection
        )
    return replace(
        served,
        profiles={**stand_in, **served.profiles},
        held_out=frozenset(stand_in.keys() - served.profiles.keys()),
        version=version,
    )


def stored_past(head: Snapshot, *, day: str, use_case: UseCase, days: int) -> Past:
    """The served days that the lake holds profiles of, as many as ``days`` back."""
    last = date.fromisoformat(day)
    names = [(last - timedelta(days=back)).isoformat() for back in range(1, days + 1)]
    paths = [served_profile_path(use_case.name, batch=name) for name in names]
    kept = sorted(path for path, info in head.find_many(paths).items() if info is not None)
    local = {batch_of(path): head.local(path) for path in kept}
    known = [each for each in acceptances(use_case.name, head=head) if REQUESTS in each.sources]
    return Past(
        profiles={name: Profile(table=read_parquet(path)) for name, path in local.items()},
        unusual={
            name: json.loads((pq.read_schema(path).metadata or {}).get(_UNUSUAL, b"{}")) for name, path in local.items()
        },
        accepted=frozenset(name for name in names if any(each.covers(name, source=REQUESTS) for each in known)),
    )


def held_out_profiles(
    head: Snapshot, *, use_case: UseCase, version: str, before: str, connection: DuckDBPyConnection
) -> dict[str, Profile]:
    """The profiles of the rows that ``version`` was judged on, by days that end before the day ``before``.

    They are moved there by whole weeks; rows without a time are dealt out over ``PARTS`` days.
    """
    columns = request_columns(use_case)
    examples = _held_out_examples(head, use_case=use_case, version=version, connection=connection)
    rows = _as_requests(examples, use_case=use_case, columns=columns)
    day = days_before(examples, before=date.fromisoformat(before), timed=use_case.batches.has_event_times)
    days = {name: rows.filter(pc.equal(day, name)) for name in sorted(pc.unique(day).to_pylist())}
    empty = [name for name in rows.column_names if rows[name].null_count == rows.num_rows]
    known = [name for name in rows.column_names if name not in empty or name in examples.column_names]
    known += [name for name in columns.unchanged if not set(known).isdisjoint(columns.looked_up)]
    made = profile_requests(days, columns=columns, connection=connection)
    return {name: only(profile, known) for name, profile in made.items()}


def _held_out_examples(head: Snapshot, *, use_case: UseCase, version: str, connection: DuckDBPyConnection) -> pa.Table:
    """The examples that a version was judged on, with what is looked up as of their moments."""
    judged = read_parquet(head.local(evaluation_path(use_case.name, version=version, name=PREDICTIONS)))
    wanted = EVERY_BATCH
    if use_case.batches.has_event_times:
        days = pc.min_max(pc.cast(judged["event_time"], pa.date32())).as_py()
        wanted = reach_between(use_case, first=days["min"], last=days["max"]).sources or EVERY_BATCH
    create_source_views(connection, head, use_case=use_case, wanted=wanted)
    examples = examples_of(connection, use_case=use_case)
    mine = examples.filter(pc.is_in(examples["id"], value_set=judged["id"].combine_chunks()))
    return attach(connection, mine, asof=use_case.asof)


def _as_requests(examples: pa.Table, *, use_case: UseCase, columns: RequestColumns) -> pa.Table:
    """Examples as rows of ``request_rows``; a column that they lack is null."""
    timed = "event_time" in examples.column_names
    times = [field.name for field in columns.asked if pa.types.is_timestamp(field.type)]
    named = {times[0]: "event_time"} if timed and len(times) == 1 else {}
    found = {}
    for field in [*columns.asked, *columns.beside, *columns.features]:
        name = field.name if field.name in examples.column_names else named.get(field.name, "")
        found[field.name] = examples[name].cast(field.type) if name else pa.nulls(examples.num_rows, field.type)
    hour = pc.hour(examples["event_time"]) if timed else pa.array(np.zeros(examples.num_rows, dtype=np.int64))
    return pa.table({**found, EVENT_HOUR: hour})


def days_before(examples: pa.Table, *, before: date, timed: bool) -> pa.Array:
    """The day that each row stands for, as text."""
    if not timed:
        back = 1 + np.arange(examples.num_rows) % PARTS
        return pc.strftime(pa.array(np.datetime64(before) - back.astype("timedelta64[D]")), format="%Y-%m-%d")
    day = pc.cast(examples["event_time"], pa.date32())
    weeks = ((before - pc.max(day).as_py()).days - 1) // 7
    moved = np.asarray(day.to_numpy(), dtype="datetime64[D]") + np.timedelta64(7 * weeks, "D")
    return pc.strftime(pa.array(moved), format="%Y-%m-%d")
