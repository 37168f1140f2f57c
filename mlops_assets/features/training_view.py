"""The point-in-time join: what was known of every entity at the moment of prediction, and the matrix made of
it.

Here belong the steps that training, batch scoring and serving share. ``attach`` is the offline way to history
and as-of columns (the online store is the other); ``request_features`` is the one SQL step of both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import AsOfView, Feature, Relation
from mlops_assets.contract.history import HistoryView
from mlops_assets.contract.sql import Sql
from mlops_assets.features.entity_codes import coded_entities
from mlops_assets.features.relations import compute_relations
from mlops_assets.features.roll_up import (
    EPOCH,
    MINUTES_A_DAY,
    Totals,
    from_day,
    nan_as_null,
    read_totals,
    roll_up,
    to_minutes,
)
from mlops_assets.features.sql import compute, microseconds, quoted, run_sql

_AT_ONCE = 2
_PIECE = 1 << 17
"""Rows that are rolled up together, ``_AT_ONCE`` times over: few enough for memory, many enough that threads rarely
wait for each other.
"""

_NAMED = 3
_NAME_ROWS = "an id names one row, so make it of the row's key, or of batch and source_row where rows have none"

HIDDEN = ("label", "outcome_known_at")  # known after the moment of prediction: never shown to features.sql


def labelled_examples(
    connection: duckdb.DuckDBPyConnection, *, examples_sql: Sql, relations: Sequence[Relation] = ()
) -> pa.Table:
    """The rows of ``examples.sql``, ordered by event_time (if any) and id; an id twice is a ``FeatureError``."""
    compute_relations(connection, relations)
    table = run_sql(connection, examples_sql)
    order = [name for name in ("event_time", "id") if name == "id" or name in table.column_names]
    table = table.sort_by([(name, "ascending") for name in order])
    ids = table.column("id")
    if ids.null_count:
        raise FeatureError(f"'{examples_sql.name}' yields {ids.null_count} rows without an id: {_NAME_ROWS}.")
    if pc.count_distinct(ids).as_py() != table.num_rows:
        raise FeatureError(f"'{examples_sql.name}' yields {_repeated_ids(table)}: {_NAME_ROWS}.")
    return table


def _repeated_ids(table: pa.Table) -> str:
    """How many ids of ``table`` name several rows, and of the first ones how many rows and what these differ in."""
    counts = pc.value_counts(table.column("id"))
    twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    told = []
    for name in twice[:_NAMED]:
        rows = table.filter(pc.equal(table.column("id"), name))
        differing = [
            column for column in table.column_names if pc.count_distinct(rows.column(column), mode="all").as_py() > 1
        ]
        how = f"that differ in {', '.join(differing)}" if differing else "that are the same in every column"
        told.append(f"'{name}' ({rows.num_rows} rows {how})")
    return f"{len(twice)} ids more than once, such as {', '.join(told)}"


def attach(
    connection: duckdb.DuckDBPyConnection,
    examples: pa.Table,
    *,
    history: Sequence[HistoryView] = (),
    asof: Sequence[AsOfView] = (),
    as_of: date | None = None,
) -> pa.Table:
    """``examples`` (any rows with ``event_time`` and the key columns) with every history and as-of column, in
    order.

    ``connection`` holds the relation ``history`` (the per-batch files together) and the sources that the as-
    of views read. Windows of days count what was known before the day of ``event_time``, or before ``as_of`` when
    that is given (what an online store of that day knows); windows of hours what was known before its minute.
    """
    columns = attach_history(connection, examples, views=history, as_of=as_of) if history else {}
    for view in asof:
        columns |= attach_asof(connection, examples, view=view)
    for name, values in columns.items():
        examples = examples.append_column(name, values)
    return examples


def attach_history(
    connection: duckdb.DuckDBPyConnection,
    examples: pa.Table,
    *,
    views: Sequence[HistoryView],
    as_of: date | None = None,
) -> dict[str, pa.ChunkedArray]:
    """One float64 column per history column, aligned with ``examples``; NULL where nothing is known."""
    pieces = list(stream_history(connection, [examples], views=views, as_of=as_of))
    return {name: pa.chunked_array([piece[name] for piece in pieces]) for name in pieces[0]}


def stream_history(
    connection: duckdb.DuckDBPyConnection,
    parts: Iterable[pa.Table],
    *,
    views: Sequence[HistoryView],
    as_of: date | None = None,
) -> Iterator[dict[str, pa.Array]]:
    """``attach_history`` piece by piece, in order, for examples that don't fit in memory.

    Each part reads the history that its own days need, so parts in the order of time need little of it at once.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        rolling: deque[Future[dict[str, pa.Array]]] = deque()
        for examples in parts:
            minutes = to_minutes(examples.column("event_time"))
            days = minutes // MINUTES_A_DAY
            asked = days
            if as_of is not None:
                days = np.full_like(days, (as_of - EPOCH).days)
                asked = np.concatenate([asked, days]) if any(view.by_minute for view in views) else days
            totals = read_totals(connection, views=views, asked=_first_and_last(asked))
            for start in range(0, max(len(days), 1), _PIECE):
                stop = start + _PIECE
                piece = examples.slice(start, _PIECE), days[start:stop], minutes[start:stop]
                rolling.append(pool.submit(_columns, *piece, totals=totals, views=views))
                if len(rolling) > _AT_ONCE:
                    yield rolling.popleft().result()
        while rolling:
            yield rolling.popleft().result()


def _columns(
    examples: pa.Table,
    days: NDArray[np.int64],
    minutes: NDArray[np.int64],
    *,
    totals: Sequence[Totals],
    views: Sequence[HistoryView],
) -> dict[str, pa.Array]:
    columns: dict[str, pa.Array] = {}
    for view, known in zip(views, totals, strict=True):
        entities = coded_entities(examples, view.keys)
        rolled = roll_up(known, view=view, entities=entities, days=days, minutes=minutes)
        columns |= {name: nan_as_null(values) for name, values in rolled.items()}
    return columns


def _first_and_last(days: NDArray[np.int64]) -> tuple[date, date]:
    return (from_day(int(days.min())), from_day(int(days.max()))) if len(days) else (EPOCH, EPOCH)


def attach_asof(
    connection: duckdb.DuckDBPyConnection, examples: pa.Table, *, view: AsOfView
) -> dict[str, pa.ChunkedArray]:
    """The columns of one as-of view, aligned with ``examples``: the latest row that could be known, if young
    enough.
    """
    name = f"asof_{view.name}"
    compute(connection, name, sql=view.sql)
    refuse_repeats(connection, view, relation=name)
    asked = examples.select(list(dict.fromkeys(("event_time", *view.keys))))
    connection.register("asked", asked.append_column("row", pa.array(range(asked.num_rows), pa.int64())))
    try:
        found = connection.sql(_asof_query(connection, view, name)).to_arrow_table()
    finally:
        connection.unregister("asked")
    return dict(zip(found.column_names, found.columns, strict=True))


def request_features(
    connection: duckdb.DuckDBPyConnection,
    attached: pa.Table,
    *,
    features_sql: Sql,
    features: Sequence[Feature],
) -> pa.Table:
    """The model's columns for every row of ``attached``, in order: ``id``, then ``features`` as declared.

    ``features.sql`` reads the one relation ``examples`` and yields ``id`` and the features that it computes,
    one row per example. A declared feature that it does not yield is taken from ``attached`` as it stands.
    Label and outcome columns are not there to be read.
    """
    rows, ordinal = numbered(attached)
    connection.register("examples", rows)
    try:
        computed = run_sql(connection, features_sql)
    finally:
        connection.unregister("examples")
    return choose_features(attached, computed, expected=ordinal, features_sql=features_sql, features=features)


def numbered(attached: pa.Table) -> tuple[pa.Table, pa.Array]:
    """The rows that request SQL may see, with their ordinals as ``id``; and these ordinals."""
    ordinal = pa.array(range(attached.num_rows), pa.int64())
    rows = attached.drop_columns([name for name in HIDDEN if name in attached.column_names])
    return rows.set_column(rows.column_names.index("id"), "id", ordinal), ordinal


def choose_features(
    attached: pa.Table,
    computed: pa.Table,
    *,
    expected: pa.Array,
    features_sql: Sql,
    features: Sequence[Feature],
) -> pa.Table:
    """``id`` and the declared features, each from what SQL ``computed`` or from ``attached`` as it stands."""
    computed = _one_row_each(computed, expected=expected, sql=features_sql)
    columns = dict(zip(attached.column_names, attached.columns, strict=True))
    given = columns["id"]
    for name in HIDDEN:
        columns.pop(name, None)
    columns |= dict(zip(computed.column_names, computed.columns, strict=True))
    chosen = {feature.name: _chosen(feature, columns, sql=features_sql) for feature in features}
    return pa.table({"id": given, **chosen})


def training_view(
    connection: duckdb.DuckDBPyConnection,
    examples: pa.Table,
    *,
    history: Sequence[HistoryView],
    asof: Sequence[AsOfView],
    features_sql: Sql,
    features: Sequence[Feature],
    beside: Sequence[str] = (),
) -> pa.Table:
    """id, label and (where there is a time axis) event_time and outcome_known_at of every example, its features, and
    the columns that are kept ``beside`` them.
    """
    attached = attach(connection, examples, history=history, asof=asof)
    matrix = request_features(connection, attached, features_sql=features_sql, features=features)
    kept: Mapping[str, pa.ChunkedArray] = {
        name: attached.column(name)
        for name in ("id", "event_time", "outcome_known_at", "label")
        if name in attached.column_names
    }
    more = {name: attached.column(name) for name in beside if name not in matrix.column_names}
    return pa.table({**kept, **more, **{name: matrix.column(name) for name in matrix.column_names[1:]}})


def refuse_repeats(connection: duckdb.DuckDBPyConnection, view: AsOfView, *, relation: str) -> None:
    """Two rows for one key (and time) would make the join a matter of luck: that is a ``FeatureError``."""
    grain = [quoted(column) for column in (*view.keys, *([view.time_column] if view.time_column else []))]
    grain = grain or ["'every request'"]
    found = connection.sql(
        f"SELECT {', '.join(grain)} FROM {quoted(relation)} GROUP BY ALL HAVING count(*) > 1 LIMIT 1"
    ).fetchall()
    if found:
        raise FeatureError(f"'{view.sql.name}' yields more than one row for {found[0]}: make it one per key and time.")


def value_columns(connection: duckdb.DuckDBPyConnection, view: AsOfView, *, relation: str) -> list[str]:
    """The columns of an as-of view that are neither key nor time."""
    columns = connection.sql(f"FROM {quoted(relation)}").columns
    return [column for column in columns if column not in (*view.keys, view.time_column)]


def _asof_query(connection: duckdb.DuckDBPyConnection, view: AsOfView, relation: str) -> str:
    values = value_columns(connection, view, relation=relation)
    keys = " AND ".join(f"asked.{quoted(key)} = side.{quoted(key)}" for key in view.keys) or "true"
    if view.time_column is None:
        chosen = ", ".join(f"side.{quoted(name)} AS {quoted(view.column(name))}" for name in values)
        return f"SELECT {chosen} FROM asked LEFT JOIN {quoted(relation)} AS side ON {keys} ORDER BY asked.row"
    time = f"side.{quoted(view.time_column)}"
    usable = f"asked.event_time - to_microseconds({microseconds(view.delay)})"
    young = f"{time} >= asked.event_time - to_microseconds({microseconds(view.max_age)})" if view.max_age else "true"
    chosen = ", ".join(
        f"CASE WHEN {young} THEN side.{quoted(name)} END AS {quoted(view.column(name))}" for name in values
    )
    return (
        f"SELECT {chosen} FROM asked ASOF LEFT JOIN {quoted(relation)} AS side "
        f"ON {keys} AND {usable} >= {time} ORDER BY asked.row"
    )


def _one_row_each(computed: pa.Table, *, expected: pa.Array, sql: Sql) -> pa.Table:
    if "id" not in computed.column_names:
        raise FeatureError(f"'{sql.name}' must yield 'id'. It yields: {', '.join(computed.column_names)}.")
    if not computed.column("id").combine_chunks().equals(expected):
        computed = computed.sort_by("id")
    if not computed.column("id").combine_chunks().equals(expected):
        raise FeatureError(
            f"'{sql.name}' must yield one row per example: it yields {computed.num_rows} for {len(expected)}."
        )
    return computed


def _chosen(feature: Feature, columns: Mapping[str, pa.ChunkedArray], *, sql: Sql) -> pa.ChunkedArray:
    column = columns.get(feature.name)
    if column is None:
        raise FeatureError(
            f"Feature '{feature.name}' is declared, but '{sql.name}' does not yield it and it is not in "
            f"examples. There are: {', '.join(columns)}."
        )
    return column if feature.unknown is None else pc.fill_null(column, feature.unknown)
