"""Turns landed files, known to be whole, into typed tables.

Nothing is guessed or rounded: a value that is not written as its declared type is reported. Rules and
verdicts are elsewhere.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from mlops_assets.contract.file_form import PLAIN, FileForm, Packing
from mlops_assets.contract.source import Source
from mlops_assets.watch.validation.file_format import FileReport
from mlops_assets.watch.validation.landed_bytes import LONGEST_ROW, LONGEST_VALUE, open_text
from mlops_assets.watch.validation.landed_parquet import ROWS_AT_ONCE, parquet_text_parts
from mlops_assets.watch.validation.written_values import number_pattern, whole_number_pattern

_NUMBER = number_pattern(PLAIN)
_LONG_WHOLE = r"[+-]?[0-9]{16,}(\.0*)?"
"""Whole numbers that a float may not hold to the last digit."""
_NOT_ZERO = r"^[+-]?[0-9.]*[1-9]"
_DAY = r"(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-[0-9]{2}-[0-9]{2}"
# DuckDB rounds a seventh digit of the fraction, so it must be a zero
_TIME = _DAY + r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6}0*)?)?"
_WITH_OFFSET = _TIME + r"[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?"
_OFFSET_PARTS = "^(.*)([+-])([0-9]{2}):?([0-9]{2})?$"


def read_text(path: Path, *, source: Source, report: FileReport) -> pa.Table:
    """The declared columns of one whole file as text, exactly as written, in the order of its rows.

    What else the file has is left out; the columns come in the order of the schema.
    """
    return read_columns(path, names=source.columns.names, form=source.form, report=report)


def read_columns(path: Path, *, names: Sequence[str], form: FileForm, report: FileReport) -> pa.Table:
    """Some columns of one whole file as text; ``names`` are those that ``report`` gives."""
    none = pa.schema([(name, pa.string()) for name in names]).empty_table()
    return pa.concat_tables([none, *text_parts(path, names=names, form=form, report=report)])


def text_parts(path: Path, *, names: Sequence[str], form: FileForm, report: FileReport) -> Iterator[pa.Table]:
    """The same some megabytes at a time; only Parquet has missing values, others have texts for them."""
    if report.packing is Packing.PARQUET:
        parts = parquet_text_parts(path, names=names, header=report.names, decimal=form.decimal)
    elif form.strip and report.quoted:
        parts = _spaced_parts(path, names=names, form=form, report=report)
    else:
        parts = _plain_parts(path, names=names, form=form, report=report)
    return map(stripped, parts) if form.strip else parts


def stripped(text: pa.Table) -> pa.Table:
    """The same without blanks around the values."""
    return pa.table([pc.utf8_trim_whitespace(column) for column in text.columns], names=text.column_names)


def _plain_parts(path: Path, *, names: Sequence[str], form: FileForm, report: FileReport) -> Iterator[pa.Table]:
    header_lines = int(report.lines_of(np.array([0]))[0]) - 1
    longest = LONGEST_ROW if report.long_rows else LONGEST_VALUE
    block = min(2 * longest, max(report.size, 1))  # a row must fit into a block, and dozens of these are read ahead
    with pa_csv.open_csv(
        _rows_of(path, form=form, report=report),
        read_options=pa_csv.ReadOptions(
            column_names=list(report.names), skip_rows=header_lines, use_threads=False, block_size=block
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=form.delimiter,
            quote_char='"' if report.quoted else False,
            newlines_in_values=report.quoted,
            ignore_empty_lines=False,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, include_columns=list(names)
        ),
    ) as reader:
        for part in reader:
            yield pa.Table.from_batches([part])


def _rows_of(path: Path, *, form: FileForm, report: FileReport) -> Path | pa.BufferReader | BinaryIO:
    """The file's text, without the blank line at its end."""
    if report.packing is not Packing.TEXT or not form.is_utf_8:
        return open_text(path, packing=report.packing, form=form, end=report.size - report.blank_end)
    if not report.blank_end:
        return path
    with pa.memory_map(str(path)) as mapped:
        return pa.BufferReader(mapped.read_buffer(report.size - report.blank_end))


def _spaced_parts(path: Path, *, names: Sequence[str], form: FileForm, report: FileReport) -> Iterator[pa.Table]:
    """Rows with blanks before quotes, which Arrow takes for parts of values: read as they were counted."""
    csv.field_size_limit(LONGEST_VALUE)
    places = [report.names.index(name) for name in names]
    file = open_text(path, packing=report.packing, form=form, end=report.size - report.blank_end)
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        rows = islice(csv.reader(text, delimiter=form.delimiter, skipinitialspace=True), int(form.header), None)
        while some := list(islice(rows, ROWS_AT_ONCE)):
            columns = list(zip(*some, strict=True))
            yield pa.table([pa.array(columns[place], pa.string()) for place in places], names=list(names))


def cast_text(text: pa.Table, *, source: Source, connection: DuckDBPyConnection) -> pa.Table:
    """``text`` in the declared types, row for row; missing, and what is not of its type, is null.

    It has the declared columns, or some of them in their order.
    """
    form = source.form
    columns = [column for column in source.columns.columns if column.name in text.column_names]
    landed = text.select([column.name for column in columns]).rename_columns(
        [f"c{number}" for number in range(len(columns))]
    )
    values = ", ".join(
        f"{_cast(_present(f'c{number}', nulls=source.nulls_of(column.name)), column.type, form=form)} AS c{number}"
        for number, column in enumerate(columns)
    )
    typed = connection.from_arrow(landed).project(values).to_arrow_table()
    declared = pa.schema([pa.field(column.name, column.type) for column in columns])
    return typed.rename_columns(declared.names).cast(declared)


def is_written_as(values: pa.ChunkedArray, *, kind: pa.DataType, connection: DuckDBPyConnection) -> bool:
    """Whether every one of these texts is a value of that type."""
    cast = connection.from_arrow(pa.table({"value": values})).project(f"{_cast('value', kind, form=PLAIN)} AS value")
    return not cast.filter("value IS NULL").limit(1).to_arrow_table().num_rows


def untyped_rows(text: pa.Table, *, typed: pa.Table, source: Source) -> dict[str, NDArray[np.int64]]:
    """By column, the rows whose text stands for a value, but not for one of the declared type."""
    found = {}
    for name in source.columns.names:
        if typed[name].null_count:
            nulls = pa.array(source.nulls_of(name), pa.string())
            present = pc.and_(text[name].is_valid(), pc.invert(pc.is_in(text[name], value_set=nulls)))
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


def _present(column: str, *, nulls: Sequence[str]) -> str:
    """DuckDB expression that is null where the text stands for a missing value."""
    told = ", ".join(map(_literal, nulls))
    return f"CASE WHEN {column} IN ({told}) THEN NULL ELSE {column} END" if told else column


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _cast(value: str, arrow: pa.DataType, *, form: FileForm) -> str:
    """DuckDB expression that is null unless ``value`` is wholly written as the type, and means no other value then."""
    if pa.types.is_string(arrow):
        return value
    if pa.types.is_integer(arrow):
        value = _plain(value, whole_number_pattern(form), form=form)
        return _guarded(value, "[+-]?[0-9]+", {16: "SMALLINT", 32: "INTEGER"}.get(arrow.bit_width, "BIGINT"))
    if pa.types.is_floating(arrow):
        return _number(_plain(value, number_pattern(form), form=form))
    if pa.types.is_boolean(arrow):
        return _guarded(value, "true|false|True|False|TRUE|FALSE|0|1", "BOOLEAN")
    if pa.types.is_date(arrow):
        return _guarded(value, _DAY, "DATE")
    return _moment(value)


def _plain(value: str, pattern: str, *, form: FileForm) -> str:
    """A number as Python writes it; null where it is not written as declared."""
    if form.is_plain_number:
        return value
    ungrouped = f"replace({value}, {_literal(form.thousands)}, '')" if form.thousands else value
    pointed = f"replace({ungrouped}, {_literal(form.decimal)}, '.')"
    return f"CASE WHEN regexp_full_match({value}, {_literal(pattern)}) THEN {pointed} END"


def _number(value: str) -> str:
    """The nearest double; null if that is infinite, 0 for what is not 0, or another whole number than is written."""
    number = _guarded(value, _NUMBER, "DOUBLE")
    is_kept = (
        f"CASE WHEN {number} = 0 THEN NOT regexp_matches({value}, '{_NOT_ZERO}') "
        f"WHEN length({value}) > 15 AND regexp_full_match({value}, '{_LONG_WHOLE}') "
        f"THEN TRY_CAST({value} AS HUGEINT) = TRY_CAST({number} AS HUGEINT) ELSE isfinite({number}) END"
    )
    return f"CASE WHEN {is_kept} THEN {number} END"


def _moment(value: str) -> str:
    """ISO 8601 as UTC: without an offset it is UTC already, with one it is converted."""
    wall, sign, hours, minutes = (f"regexp_extract({value}, '{_OFFSET_PARTS}', {part})" for part in (1, 2, 3, 4))
    ahead = f"CAST({sign} || {hours} AS INTEGER) * 60 + CAST({sign} || '0' || {minutes} AS INTEGER)"
    moment = f"TRY_CAST({wall} AS TIMESTAMP) - to_minutes({ahead})"
    in_years = f"{moment} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
    return (
        f"CASE WHEN regexp_full_match({value}, '{_TIME}Z?') THEN TRY_CAST({value} AS TIMESTAMP) "
        f"WHEN regexp_full_match({value}, '{_WITH_OFFSET}') THEN CASE WHEN {in_years} THEN {moment} END END"
    )


def _guarded(value: str, pattern: str, sql_type: str) -> str:
    return f"CASE WHEN regexp_full_match({value}, '{pattern}') THEN TRY_CAST({value} AS {sql_type}) END"
