"""Turns landed files, known to be whole, into typed tables.

Nothing is guessed or rounded: a value that is not written as its declared type is reported. Rules and
verdicts are elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from mlops_assets.contract.schema import Schema
from mlops_assets.contract.source import Source

_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


def read_text(path: Path, *, source: Source, quoted: bool) -> pa.Table:
    """All values of one whole file as text, exactly as written, in the order of its rows."""
    names = source.columns.names
    return pa_csv.read_csv(
        path,
        read_options=pa_csv.ReadOptions(column_names=list(names), skip_rows=1, use_threads=False),
        parse_options=pa_csv.ParseOptions(
            delimiter=source.delimiter,
            quote_char='"' if quoted else False,
            newlines_in_values=quoted,
            ignore_empty_lines=False,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )


def cast_text(text: pa.Table, *, source: Source, connection: DuckDBPyConnection) -> pa.Table:
    """``text`` in the declared types, row for row; missing, and what is not of its type, is null."""
    schema = source.columns
    landed = text.rename_columns([f"c{number}" for number in range(text.num_columns)])
    nulls = ", ".join(f"'{value.replace(chr(39), chr(39) * 2)}'" for value in source.null_values) or "NULL"
    values = ", ".join(
        f"{_cast(f'CASE WHEN c{number} IN ({nulls}) THEN NULL ELSE c{number} END', column.type)} AS c{number}"
        for number, column in enumerate(schema.columns)
    )
    typed = connection.from_arrow(landed).project(values).to_arrow_table()
    return typed.rename_columns(list(schema.names)).cast(_declared(schema))


def untyped_rows(text: pa.Table, *, typed: pa.Table, source: Source) -> dict[str, NDArray[np.int64]]:
    """By column, the rows whose text stands for a value, but not for one of the declared type."""
    nulls = pa.array(source.null_values, pa.string())
    found = {}
    for name in source.columns.names:
        if typed[name].null_count:
            present = pc.invert(pc.is_in(text[name], value_set=nulls))
            rows = np.flatnonzero(pc.and_(typed[name].is_null(), present).to_numpy())
            if rows.size:
                found[name] = rows
    return found


def days_of(typed: pa.Table, *, columns: Sequence[str]) -> NDArray[np.int64]:
    """The day each row says it belongs to, as yyyymmdd; 0 where it does not say."""
    if len(columns) == 1:
        value = typed[columns[0]]
        parts = [pc.year(value), pc.month(value), pc.day(value)]
    else:
        parts = [typed[name].cast(pa.int64()) for name in columns]
    year, month, day = (part.fill_null(0).to_numpy() for part in parts)
    known = (year > 0) & (year < 10_000) & (month > 0) & (month < 100) & (day > 0) & (day < 100)
    return np.where(known, year * 10_000 + month * 100 + day, 0)


def _declared(schema: Schema) -> pa.Schema:
    return pa.schema([pa.field(column.name, column.type) for column in schema.columns])


def _cast(value: str, arrow: pa.DataType) -> str:
    """DuckDB expression that is null unless ``value`` is written as the type."""
    if pa.types.is_string(arrow):
        return value
    if pa.types.is_integer(arrow):
        return _guarded(value, "[+-]?[0-9]+", {16: "SMALLINT", 32: "INTEGER"}.get(arrow.bit_width, "BIGINT"))
    if pa.types.is_floating(arrow):
        number = _guarded(value, _NUMBER, "DOUBLE")
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    if pa.types.is_boolean(arrow):
        return _guarded(value, "true|false|True|False|TRUE|FALSE|0|1", "BOOLEAN")
    if pa.types.is_date(arrow):
        return _guarded(value, "[0-9]{4}-[0-9]{2}-[0-9]{2}", "DATE")
    return _guarded(value, "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?", "TIMESTAMP")


def _guarded(value: str, pattern: str, sql_type: str) -> str:
    return f"CASE WHEN regexp_full_match({value}, '{pattern}') THEN TRY_CAST({value} AS {sql_type}) END"
