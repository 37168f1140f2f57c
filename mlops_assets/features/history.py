"""The past of an entity as mergeable daily aggregates.

Here belong the aggregation of one or many batches, and its long table: one row per batch, view, entity and day (or
moment, for views by the minute) on which something became KNOWN, with integer measures. What is declared is in
``contract/history.py``; adding these rows up over a window is in ``roll_up.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import KEY_SEPARATOR, Relation
from mlops_assets.contract.history import BITS, HistoryView
from mlops_assets.features.relations import compute_relations
from mlops_assets.features.sql import microseconds, quoted

_DISTINCT_BITS = f"""
CREATE OR REPLACE TEMP MACRO distinct_bits(value, word, words) AS bit_or(
    CASE WHEN md5_number_lower(CAST(value AS VARCHAR)) // {BITS} % words = word
    THEN CAST(1 AS BIGINT) << CAST(md5_number_lower(CAST(value AS VARCHAR)) % {BITS} AS INTEGER) END
)"""
IDENTITY = ("batch", "view", "entity", "known_on")
KNOWN_AT = "known_at"
"""The moment of a row of a view by the minute; such a view adds the column to the table."""


def daily_aggregates(
    connection: duckdb.DuckDBPyConnection, *, views: Sequence[HistoryView], relations: Sequence[Relation] = ()
) -> pa.Table:
    """The long history of whatever batches the connection's sources hold, sorted by batch, view, entity, day.

    The sources stand in ``connection`` under their names, each row with its ``batch``: one call serves one
    day or 181. Columns: batch, view, entity (keys joined by ``|``), known_on, known_at where a view is by the
    minute, then the measures of all views (NULL where a view lacks one). Rows with a NULL key belong to no entity
    and are left out.
    """
    compute_daily_aggregates(connection, views=views, relations=relations, into="daily_aggregates")
    relation = connection.sql("FROM daily_aggregates")
    return relation.order(", ".join(identity(relation.columns))).to_arrow_table()


def identity(columns: Sequence[str]) -> tuple[str, ...]:
    """What names a row of a history that has these columns."""
    return tuple(name for name in (*IDENTITY, KNOWN_AT) if name in columns)


def compute_daily_aggregates(
    connection: duckdb.DuckDBPyConnection,
    *,
    views: Sequence[HistoryView],
    relations: Sequence[Relation] = (),
    into: str = "history",
) -> None:
    """The same rows in no order, left in ``connection`` as the temporary table ``into``: may be large."""
    compute_relations(connection, relations)
    connection.execute(_DISTINCT_BITS)
    for view in views:
        text = view.sql.read_text(encoding="utf-8")
        _run(connection, view, f"CREATE OR REPLACE TEMP VIEW {quoted(_name(view))} AS {text}")
        _check_columns(connection, view)
    parts = " UNION ALL BY NAME ".join(_long_rows(view) for view in sorted(views, key=lambda view: view.name))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(into)} AS {parts}")
    for view in views:
        _refuse_separator(connection, view, relation=into)


def split_by_batch(table: pa.Table, *, batches: Sequence[str]) -> Mapping[str, pa.Table]:
    """One table per batch, without the column ``batch``: the batch's own file. A batch may be empty.

    ``table`` is sorted by batch, as ``daily_aggregates`` gives it.
    """
    runs = pc.run_end_encode(table.column("batch").combine_chunks(), run_end_type=pa.int64())
    ends = np.asarray(runs.run_ends)
    starts = np.concatenate(([0], ends[:-1]))
    bounds = dict(zip(runs.values.to_pylist(), zip(starts, ends - starts, strict=True), strict=True))
    rows = table.drop_columns(["batch"])
    return {batch: rows.slice(*bounds.get(batch, (0, 0))).combine_chunks() for batch in batches}


def _name(view: HistoryView) -> str:
    return f"history_{view.name}"


def _run(connection: duckdb.DuckDBPyConnection, view: HistoryView, sql: str) -> None:
    try:
        connection.execute(sql)
    except duckdb.Error as error:
        raise FeatureError(f"'{view.sql.name}' failed: {error}") from error


def _long_rows(view: HistoryView) -> str:
    entity = f" || '{KEY_SEPARATOR}' || ".join(f"CAST({quoted(key)} AS VARCHAR)" for key in view.keys) or "''"
    aside = ", ".join(quoted(column) for column in ("batch", *view.keys, view.known))
    name = view.name.replace("'", "''")
    return (
        f"SELECT CAST(batch AS VARCHAR) AS batch, '{name}' AS view, {entity} AS entity, {_known(view)}, "
        f"* EXCLUDE ({aside}) FROM {quoted(_name(view))} WHERE {entity} IS NOT NULL"
        f"{f' AND {KNOWN_AT} IS NOT NULL' if view.by_minute else ''}"
    )


def _known(view: HistoryView) -> str:
    if not view.by_minute:
        return "known_on"
    moment = f"{KNOWN_AT} + to_microseconds({microseconds(view.delay)})"
    return f"CAST({moment} AS DATE) AS known_on, {moment} AS {KNOWN_AT}"


def _check_columns(connection: duckdb.DuckDBPyConnection, view: HistoryView) -> None:
    relation = connection.sql(f"FROM {quoted(_name(view))}")
    types = dict(zip(relation.columns, (str(kind) for kind in relation.types), strict=True))
    aside = ("batch", *view.keys, view.known)
    for needed in aside:
        if needed not in types:
            raise FeatureError(f"'{view.sql.name}' must yield '{needed}'. It yields: {', '.join(types)}.")
    kind = "TIMESTAMP" if view.by_minute else "DATE"
    if types[view.known] != kind:
        raise FeatureError(f"'{view.sql.name}' yields {view.known} as {types[view.known]}; it must be a {kind}.")
    for column, kind in types.items():
        if column not in aside and kind != "BIGINT":
            raise FeatureError(
                f"'{view.sql.name}' yields measure '{column}' as {kind}. Measures are BIGINT, so that sums "
                "do not depend on the order of arrival: cast it, scaled if need be."
            )


def _refuse_separator(connection: duckdb.DuckDBPyConnection, view: HistoryView, *, relation: str) -> None:
    if not view.keys:
        return
    too_many = "%".join(["", *[KEY_SEPARATOR] * len(view.keys), ""])
    odd = connection.sql(
        f"SELECT entity FROM {quoted(relation)} WHERE view = $view AND entity LIKE '{too_many}' LIMIT 1",
        params={"view": view.name},
    ).fetchall()
    if odd:
        raise FeatureError(
            f"A key of view '{view.name}' contains '{KEY_SEPARATOR}', which joins keys: clean '{odd[0][0]}'."
        )
