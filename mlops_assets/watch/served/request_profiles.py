"""What the requests of a served day looked like: one small mergeable profile, of the day, its segments and its hours.

Two kinds of columns are in it. What a caller *asked* counts by rows. What was *looked up* as of the moment of
prediction (the weather of the hour before) is the same for all rows of a key and an hour, so it counts once for those:
three hundred flights under one shower are one shower.

Belongs here: rows from collected records, profiles from rows, and parts of profiles. Judging them is in
``request_judgement.py``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from mlops_assets.contract.features import AsOfView
from mlops_assets.contract.slices import OVERALL
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.requests import request_schema
from mlops_assets.watch.profiles.profile import PROFILE_SCHEMA, Profile, merge
from mlops_assets.watch.profiles.profiling import profile_batches

EVENT_HOUR = "event_hour"
_HOURS = f"{EVENT_HOUR}="
_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP",
}


@dataclass(frozen=True, kw_only=True)
class RequestColumns:
    """The columns of a request that are compared (``asked``), those that are needed beside them (``beside``), the
    features that are looked up as they are by the view they come from, and the columns whose values are segments.
    """

    asked: pa.Schema
    beside: pa.Schema
    looked_up: Mapping[str, AsOfView]
    texts: frozenset[str]
    slices: tuple[str, ...]

    @cached_property
    def views(self) -> tuple[AsOfView, ...]:
        """Every view that something is looked up in, once."""
        return tuple({view.name: view for view in self.looked_up.values()}.values())

    def of_view(self, view: AsOfView) -> list[str]:
        """The columns that are looked up in it."""
        return [name for name, each in self.looked_up.items() if each.name == view.name]

    @property
    def unchanged(self) -> list[str]:
        """For how long each view that has a time answered the same: a column each."""
        return [unchanged_column(view) for view in self.views if view.time_column]

    @property
    def features(self) -> pa.Schema:
        """The looked-up columns with their types."""
        return pa.schema([(name, pa.string() if name in self.texts else pa.float64()) for name in self.looked_up])


def request_columns(use_case: UseCase) -> RequestColumns:
    """What of the requests of a use case is compared: no hidden columns, and no dates, which name their day."""
    schema, hidden = request_schema(use_case.request), use_case.logged
    fields = [schema.field(name) for name in use_case.request.model_fields if name not in hidden]
    asked = pa.schema([field for field in fields if field.type != pa.date32()])
    looked_up = {
        each.name: view
        for view in use_case.asof
        for each in use_case.features
        if each.name.startswith(view.column("")) and each.name not in hidden
    }
    sliced = tuple(name for name in (use_case.monitoring.slices if use_case.monitoring else ()) if name not in hidden)
    wanted = dict.fromkeys([*sliced, *(key for view in looked_up.values() for key in view.keys)])
    return RequestColumns(
        asked=asked,
        beside=pa.schema([schema.field(name) for name in wanted if name in schema.names and name not in asked.names]),
        looked_up=looked_up,
        texts=frozenset(each.name for each in use_case.features if each.kind == "categorical"),
        slices=sliced,
    )


def unchanged_column(view: AsOfView) -> str:
    """For how many hours, up to the row's, what a view answered for a key was the same."""
    return view.column("unchanged_hours")


def request_rows(records: pa.Table, *, columns: RequestColumns, connection: DuckDBPyConnection) -> pa.Table:
    """One row for each of the collected ``records``: what is asked, needed beside it and looked up, and the hour.

    A value that is not of the declared type counts as missing: the request model of another version took it.
    """
    connection.register("collected", records.select(["inputs", "features", "event_time"]))
    inputs = _structure(pa.schema([*columns.asked, *columns.beside]))
    parts = [f"unnest(from_json(inputs, '{inputs}'))"]
    if columns.looked_up:
        parts.append(f"unnest(from_json(features, '{_structure(columns.features)}'))")
    hour = f"hour(event_time) AS {EVENT_HOUR}"
    try:
        return connection.sql(f"SELECT {', '.join([*parts, hour])} FROM collected").to_arrow_table()
    finally:
        connection.unregister("collected")


def profile_requests(
    days: Mapping[str, pa.Table], *, columns: RequestColumns, connection: DuckDBPyConnection
) -> dict[str, Profile]:
    """The profile of each day's rows (``request_rows``), over the day, its segments and its hours."""
    parts = [_profiled(days, names=columns.asked.names, slices=columns.slices, connection=connection)]
    for view in columns.views:
        names = columns.of_view(view)
        observed = {day: _observations(rows, view=view, names=names) for day, rows in days.items()}
        timed = [unchanged_column(view)] if view.time_column else []
        keyed = [name for name in columns.slices if name in view.keys]
        parts.append(_profiled(observed, names=[*names, *timed], slices=keyed, connection=connection))
    return {day: _together([part[day] for part in parts]) for day in days}


def _profiled(
    days: Mapping[str, pa.Table], *, names: Sequence[str], slices: Sequence[str], connection: DuckDBPyConnection
) -> dict[str, Profile]:
    by = [*slices, EVENT_HOUR]
    made = profile_batches(days, columns=list(dict.fromkeys([*names, *by])), slices=by, connection=connection)
    return {day: only(profile, names) for day, profile in made.items()}


def of_day(profile: Profile) -> Profile:
    """The day and its segments, without its hours."""
    return Profile(table=profile.table.filter(pc.invert(pc.starts_with(profile.table["scope"], _HOURS))))


def of_hours(profile: Profile, *, until: int) -> Profile:
    """The hours of the day before ``until`` as one batch, without segments."""
    names = pa.array([f"{_HOURS}{hour}" for hour in range(until)])
    hours = profile.table.filter(pc.is_in(profile.table["scope"], value_set=names))
    place = hours.schema.get_field_index("scope")
    whole = hours.set_column(place, "scope", pa.array([OVERALL] * hours.num_rows, pa.string()))
    return merge([Profile(table=whole)]) if hours.num_rows else Profile(table=PROFILE_SCHEMA.empty_table())


def only(profile: Profile, columns: Collection[str]) -> Profile:
    """The same of these columns."""
    names = pa.array(sorted(columns), pa.string())
    return Profile(table=profile.table.filter(pc.is_in(profile.table["column"], value_set=names)))


def _structure(schema: pa.Schema) -> str:
    """What DuckDB is to read out of a JSON object, as an SQL text."""
    return json.dumps({field.name: _SQL_TYPES[field.type] for field in schema}).replace("'", "''")


def _together(parts: list[Profile]) -> Profile:
    table = pa.concat_tables(part.table for part in parts)
    return Profile(table=table.sort_by([("scope", "ascending"), ("column", "ascending")]).combine_chunks())


def _observations(rows: pa.Table, *, view: AsOfView, names: list[str]) -> pa.Table:
    """What a view answered, once for each key, hour and answer, with ``unchanged_column`` if it has a time."""
    keys = [*view.keys, EVENT_HOUR]
    found = rows.group_by([*keys, *names], use_threads=False).aggregate([])
    if not view.time_column:
        return found
    found = found.sort_by([(name, "ascending") for name in keys])
    hour = found[EVENT_HOUR].to_numpy()
    begins = _differs(found, list(view.keys)) | _differs(found, names)
    first = np.maximum.accumulate(np.where(begins, np.arange(found.num_rows), 0))
    unknown = np.all([found[name].is_null().to_numpy() for name in names], axis=0)
    lasted = pa.array((hour - hour[first]).astype(np.float64), mask=unknown)
    return found.append_column(unchanged_column(view), lasted)


def _differs(table: pa.Table, names: list[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether a row has other values in these columns than the one before it; two missing ones are the same."""
    other = np.ones(table.num_rows, dtype=np.bool_)
    codes = [pc.dictionary_encode(table[name], null_encoding="encode").combine_chunks().indices for name in names]
    values = np.stack([each.to_numpy() for each in codes]) if codes else np.zeros((0, table.num_rows))
    other[1:] = (values[:, 1:] != values[:, :-1]).any(axis=0)
    return other
