"""Makes profiles from rows: all batches, columns and segments in one pass each over the table, counted by DuckDB.

What a profile holds and how profiles add up is in ``profile.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from mlops_assets.contract.slices import MISSING, OVERALL, AnySlice, Slice
from mlops_assets.features.sql import quoted
from mlops_assets.watch.profiles.cells import FINEST, Counted, Floats, Ints, reduce_cells
from mlops_assets.watch.profiles.profile import CATEGORY, PROFILE_SCHEMA, SLICE_CELLS, Kind, Profile, cell_limit

RELATION = "profiled_rows"
MOST_COPIED = 1_000_000
"""Up to so many rows are copied for DuckDB to count, which is faster; of more the copies would take gigabytes."""
_NUMBERED = PROFILE_SCHEMA.insert(0, pa.field("batch_number", pa.int64()))
_NO_HASHES = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint32))


def profiled_segments(slices: Sequence[AnySlice], *, columns: Sequence[str]) -> tuple[str, ...]:
    """Which of a table's ``columns`` have a profile for each of their values: those that are a slice by themselves."""
    whole = [each for each in slices if isinstance(each, Slice) and len(each.columns) == 1]
    return tuple(each.columns[0] for each in whole if each.columns[0] in columns)


def profile_batches(
    batches: Mapping[str, pa.Table],
    *,
    columns: Sequence[str],
    slices: Sequence[str] = (),
    derived: Mapping[str, str] | None = None,
    connection: DuckDBPyConnection,
) -> dict[str, Profile]:
    """The profile of each batch over ``columns``, and over every segment of the columns in ``slices``.

    ``derived`` columns are profiled as well, a SQL expression each. All tables have the same schema. Dates are numbers
    (days since 1970), times hours of the day.
    """
    tables = list(batches.values())
    if not tables:
        return {}
    number = pa.array(np.repeat(np.arange(len(tables)), [table.num_rows for table in tables]))
    rows = pa.concat_tables([table.select(list(columns)) for table in tables])
    further = "".join(f", {expression} AS {quoted(name)}" for name, expression in (derived or {}).items())
    connection.register("profiled_arrow", rows.append_column("batch_number", number))
    held = "VIEW" if rows.num_rows > MOST_COPIED else "TABLE"
    connection.execute(f"CREATE OR REPLACE TEMP {held} {RELATION} AS SELECT *{further} FROM profiled_arrow")
    schema = connection.table(RELATION).limit(0).to_arrow_table().drop_columns("batch_number").schema
    try:
        parts = [_overall(connection, schema, size=len(tables))]
        parts += [_segments(connection, schema, by=name, held=held) for name in slices if rows.num_rows]
    finally:
        connection.execute(f"DROP {held} {RELATION}")
        connection.unregister("profiled_arrow")
    return _split(pa.concat_tables(parts), batches=tuple(batches))


def _overall(connection: DuckDBPyConnection, schema: pa.Schema, *, size: int) -> pa.Table:
    """Rows of PROFILE_SCHEMA with ``batch_number``, of whole batches."""
    groups = pa.table({"batch_number": np.arange(size), "scope": pa.repeat(pa.scalar(OVERALL), size)})
    return _profiled(connection, schema, groups=groups, group="batch_number")


def _segments(connection: DuckDBPyConnection, schema: pa.Schema, *, by: str, held: str) -> pa.Table:
    """The same of every value of the column ``by`` in every batch."""
    found = connection.sql(
        "SELECT *, row_number() OVER (ORDER BY batch_number, segment) - 1 AS group_number "
        f"FROM (SELECT DISTINCT batch_number, CAST({quoted(by)} AS VARCHAR) AS segment FROM {RELATION})"
    ).to_arrow_table()
    connection.register("profiled_groups", found)
    connection.execute(
        f"CREATE OR REPLACE TEMP {held} profiled_segments AS SELECT r.*, g.group_number FROM {RELATION} AS r "
        f"JOIN profiled_groups AS g ON g.batch_number = r.batch_number "
        f"AND g.segment IS NOT DISTINCT FROM CAST(r.{quoted(by)} AS VARCHAR)"
    )
    ordered = found.sort_by("group_number")
    scope = pc.binary_join_element_wise(pa.scalar(by), pc.fill_null(ordered["segment"], MISSING), "=")
    groups = pa.table({"batch_number": ordered["batch_number"], "scope": scope})
    try:
        return _profiled(connection, schema, groups=groups, group="group_number", relation="profiled_segments")
    finally:
        connection.execute(f"DROP {held} profiled_segments")
        connection.unregister("profiled_groups")


def _profiled(
    connection: DuckDBPyConnection,
    schema: pa.Schema,
    *,
    groups: pa.Table,
    group: str,
    relation: str = RELATION,
) -> pa.Table:
    """Every column over every one of ``groups`` (batch_number and scope), which ``group`` numbers."""
    parts = []
    for field in schema:
        figures = _counted(connection, field, size=groups.num_rows, group=group, relation=relation)
        named = {"column": pa.repeat(field.name, groups.num_rows), "kind": pa.repeat(_kind(field)[0], groups.num_rows)}
        table = pa.table({**{name: groups[name] for name in groups.column_names}, **named, **figures})
        parts.append(table.select(_NUMBERED.names).cast(_NUMBERED))
    return pa.concat_tables(parts)


def _counted(
    connection: DuckDBPyConnection, field: pa.Field, *, size: int, group: str, relation: str
) -> dict[str, pa.Array]:
    """One column's figures in ``size`` groups."""
    kind, value = _kind(field)
    counted = connection.sql(
        f"SELECT {quoted(group)} AS g, {value} AS v, count(*) AS n FROM {relation} "
        "GROUP BY ALL ORDER BY g, v NULLS LAST"
    ).to_arrow_table()
    return _column(counted, size=size, text=kind == CATEGORY, overall=relation == RELATION)


def _kind(field: pa.Field) -> tuple[Kind, str]:
    """How a column is profiled, and the SQL of the value that is counted."""
    name = quoted(field.name)
    if pa.types.is_timestamp(field.type):
        return "time", f"(epoch_us({name}) % 86400000000) / 3600000000.0"
    if pa.types.is_date(field.type):
        return "number", f"CAST({name} - DATE '1970-01-01' AS DOUBLE)"
    if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
        return "number", f"CAST({name} AS DOUBLE) + 0.0"
    return "category", f"CAST({name} AS VARCHAR)"


def _column(counted: pa.Table, *, size: int, text: bool, overall: bool) -> dict[str, pa.Array]:
    """One column's figures in ``size`` groups, from its counted values (g, v, n), ordered."""
    present = counted.filter(pc.is_valid(counted["v"])) if counted["v"].null_count else counted
    absent = counted.filter(pc.is_null(counted["v"]))
    group, count = present["g"].to_numpy(), present["n"].to_numpy()
    missing = np.bincount(absent["g"].to_numpy(), weights=absent["n"].to_numpy(), minlength=size).astype(np.int64)
    total = np.bincount(group, weights=count, minlength=size).astype(np.float64)
    value, texts = _values(present["v"], text=text)
    cells = reduce_cells(
        Counted(
            size=size,
            group=group,
            value=value,
            count=count,
            exact=np.ones(len(group), dtype=np.bool_),
            exponent=np.full(size, FINEST, dtype=np.int64),
            overlooked=np.zeros(size, dtype=np.int64),
            hashed=_NO_HASHES,
            texts=texts,
        ),
        limits=np.full(size, cell_limit(text=text) if overall else SLICE_CELLS, dtype=np.int64),
        sketched=np.full(size, overall),
    )
    moments = _moments(None if text else value.astype(np.float64), group=group, count=count, total=total)
    return {"rows": pa.array(total.astype(np.int64) + missing), "missing": pa.array(missing), **moments, **cells}


def _values(column: pa.ChunkedArray, *, text: bool) -> tuple[Floats | Ints, pa.Array | None]:
    """Numbers as they are; texts as positions among their sorted distinct values."""
    if not text:
        return column.to_numpy(), None
    texts = pc.unique(column)
    texts = texts.take(pc.sort_indices(texts))
    return pc.index_in(column, value_set=texts).to_numpy().astype(np.int64), texts


def _moments(value: Floats | None, *, group: Ints, count: Ints, total: Floats) -> dict[str, pa.Array]:
    """Mean, squares, minimum and maximum by group; nulls where there is no number. Values come in order."""
    size = len(total)
    if value is None:
        unknown = pa.nulls(size, pa.float64())
        return {"mean": unknown, "squares": pa.array(np.zeros(size)), "minimum": unknown, "maximum": unknown}
    some = np.maximum(total, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.bincount(group, weights=count * value, minlength=size) / some
        squares = np.bincount(group, weights=count * (value - mean[group]) ** 2, minlength=size)
    starts = np.searchsorted(group, np.arange(size + 1))
    none = total == 0
    first, last = np.minimum(starts[:-1], len(value) - 1), np.maximum(starts[1:] - 1, 0)
    minimum, maximum = (value[at] if len(value) else np.zeros(size) for at in (first, last))
    known = {"mean": mean, "minimum": minimum, "maximum": maximum}
    return {**{name: pa.array(found, mask=none) for name, found in known.items()}, "squares": pa.array(squares)}


def _split(rows: pa.Table, *, batches: Sequence[str]) -> dict[str, Profile]:
    ordered = rows.sort_by([("batch_number", "ascending"), ("scope", "ascending"), ("column", "ascending")])
    starts = np.searchsorted(ordered["batch_number"].to_numpy(), np.arange(len(batches) + 1))
    table = ordered.select(PROFILE_SCHEMA.names).combine_chunks()
    return {
        batch: Profile(table=table.slice(int(starts[at]), int(starts[at + 1] - starts[at])))
        for at, batch in enumerate(batches)
    }
