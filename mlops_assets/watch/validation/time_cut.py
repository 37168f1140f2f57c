"""One file over a long time, cut into a file for each day, week or month; the bytes of its rows stay as they are.

Here belongs which row goes where. Landing the cuts is in ``stores/landing/own_files.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from mlops_assets.contract.errors import LandingError
from mlops_assets.contract.file_form import PLAIN, FileForm, Packing
from mlops_assets.contract.periods import Period
from mlops_assets.contract.source import Source
from mlops_assets.watch.validation.file_format import FileReport, inspect_file
from mlops_assets.watch.validation.landed_bytes import open_text, packing_of
from mlops_assets.watch.validation.landed_text import cast_text, days_of, stripped

_BLOCK = 16 * 1024 * 1024
_LINE_END, _QUOTE = ord("\n"), ord('"')


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Some rows of a file, in their order: by batch their bytes, and how many they are.

    ``untimed`` are the rows whose time cannot be read, as they are; ``places`` are their numbers, from 1, and
    ``values`` what is written there.
    """

    rows: Mapping[str, tuple[bytes, int]]
    untimed: bytes = b""
    places: tuple[int, ...] = ()
    values: tuple[str, ...] = ()


def readable(path: Path, *, source: Source) -> FileReport:
    """What the bytes of a file say; a LandingError if it is no whole table with the columns that name the time."""
    report = inspect_file(path, form=source.form, names=() if source.header else source.columns.names)
    if report.faults:
        raise LandingError(f"{path} cannot be cut by time: {report.faults[0].message}")
    if fault := _uncut(report, form=source.form):
        raise LandingError(f"{path} cannot be cut by time: {fault}. Write it as plain CSV, or land it by parts.")
    if lacking := [name for name in source.batch_day if name not in report.names]:
        raise LandingError(
            f"{path} cannot be cut by time: it has no column '{lacking[0]}'. It has: {', '.join(report.names)}."
        )
    return report


def _uncut(report: FileReport, *, form: FileForm) -> str | None:
    """Why the rows of a whole file cannot be told apart by their bytes."""
    if report.packing is Packing.PARQUET:
        return "it is Parquet"
    if not form.has_plain_line_ends:
        return f"its lines do not end as those of other encodings do in {form.encoding}"
    return "it has blanks around values in quotes" if form.strip and report.quoted else None


def header_of(path: Path, *, source: Source) -> bytes:
    """The bytes of the header, which every cut begins with; none of files without one."""
    if not source.header:
        return b""
    with _open(path) as file:
        head = file.readline()
        while head.count(b'"') % 2:
            head += file.readline()
    return head


def _open(path: Path) -> BinaryIO:
    """The bytes of the text, unpacked and in their own encoding."""
    return open_text(path, packing=packing_of(path), form=PLAIN)


def cut_by_time(path: Path, *, source: Source, report: FileReport) -> Iterator[Cut]:
    """The rows below the header by the batch that their time lies in, some megabytes at a time.

    ``report`` is what ``readable`` says of the file.
    """
    row = 1
    with duckdb.connect() as connection:
        for block, offsets in _records(path, source=source, report=report):
            text = _text(block, names=report.names, source=source, quoted=report.quoted)
            days = days_of(cast_text(text, source=source, connection=connection), columns=source.batch_day)
            yield _cut(block, offsets, days=days, text=text, first_row=row, period=_period(source))
            row += len(days)


def _period(source: Source) -> Period:
    if source.period is None:
        raise LandingError(f"Source '{source.name}' has no time to cut by: it is {source.cadence}.")
    return source.period


def _records(path: Path, *, source: Source, report: FileReport) -> Iterator[tuple[bytes, NDArray[np.int32]]]:
    """Whole rows below the header, and where each begins, with the end of the last."""
    header = len(header_of(path, source=source))
    left = _size(path) - report.blank_end - header
    with _open(path) as file:
        file.read(header)
        held = b""
        while left > 0:
            block = held + file.read(min(_BLOCK, left))
            left -= len(block) - len(held)
            ends = _row_ends(block)
            end = int(ends[-1]) if ends.size else 0
            held = block[end:]
            if end:
                yield block[:end], np.concatenate([[0], ends]).astype(np.int32)


def _size(path: Path) -> int:
    """How many bytes the text has, unpacked and in its own encoding."""
    if packing_of(path) is Packing.TEXT:
        return path.stat().st_size
    with _open(path) as file:
        return sum(map(len, iter(partial(file.read, _BLOCK), b"")))


def _row_ends(block: bytes) -> NDArray[np.int64]:
    """Behind each row of ``block``, which begins with one: line ends in quotes end none."""
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == _LINE_END)
    quotes = np.flatnonzero(data == _QUOTE)
    outside = np.searchsorted(quotes, ends) % 2 == 0
    found: NDArray[np.int64] = ends[outside] + 1
    return found


def _text(block: bytes, *, names: tuple[str, ...], source: Source, quoted: bool) -> pa.Table:
    """The columns that name the time, as they are written."""
    text = pa_csv.read_csv(
        pa.BufferReader(block),
        read_options=pa_csv.ReadOptions(
            column_names=list(names),
            block_size=max(len(block), 1),
            encoding="utf8" if source.form.is_utf_8 else source.encoding,
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=source.delimiter,
            quote_char='"' if quoted else False,
            newlines_in_values=quoted,
            ignore_empty_lines=False,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(source.batch_day, pa.string()),
            strings_can_be_null=False,
            include_columns=list(source.batch_day),
        ),
    )
    return stripped(text) if source.strip else text


def _cut(
    block: bytes,
    offsets: NDArray[np.int32],
    *,
    days: NDArray[np.int64],
    text: pa.Table,
    first_row: int,
    period: Period,
) -> Cut:
    """The rows of a block in the order of their batches, each batch's in their own."""
    distinct, of_row = np.unique(days, return_inverse=True)
    named = [_name(int(day), period=period) for day in distinct]
    names = sorted({name for name in named if name})
    places = {name: place for place, name in enumerate(names)}
    codes = np.array([places[name] if name else len(names) for name in named])[of_row]
    order = np.argsort(codes, kind="stable")
    rows = pa.Array.from_buffers(pa.binary(), len(days), [None, pa.py_buffer(offsets), pa.py_buffer(block)])
    sorted_rows = rows.take(pa.array(order))
    ends = np.frombuffer(sorted_rows.buffers()[1], dtype=np.int32)[: len(days) + 1]
    joined = memoryview(sorted_rows.buffers()[2])
    cuts = np.searchsorted(codes[order], np.arange(len(names) + 2))
    parts = [(bytes(joined[ends[a] : ends[b]]), int(b - a)) for a, b in pairwise(cuts.tolist())]
    untimed = order[cuts[-2] :]
    return Cut(
        rows=dict(zip(names, parts[:-1], strict=True)),
        untimed=parts[-1][0],
        places=tuple((first_row + untimed).tolist()),
        values=tuple(_written(text.take(pa.array(untimed)))),
    )


def _written(times: pa.Table) -> list[str]:
    return ["-".join(str(value) for value in row.values()) for row in times.to_pylist()]


def _name(day: int, *, period: Period) -> str | None:
    """The batch of a day that is written as yyyymmdd; ``None`` if there is no such day."""
    try:
        return period.name_of(date(day // 10_000, day // 100 % 100, day % 100))
    except ValueError:
        return None
