"""Is one landed file a whole table? Judged from its bytes, before any value is looked at.

Knows line ends and quotes; knows nothing of types, rules or batches. What the columns are called is in ``headers.py``,
how bytes become text in ``landed_bytes.py``, and Parquet is read in ``landed_parquet.py``.
"""

from __future__ import annotations

import csv
import io
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.anomalies import Anomaly, Code, anomaly
from mlops_assets.contract.file_form import PLAIN, SUFFIXES, FileForm, Packing, suffix_of
from mlops_assets.contract.source import Source
from mlops_assets.watch.validation.headers import distinct_names, unnamed_columns
from mlops_assets.watch.validation.landed_bytes import (
    BLOCK,
    LONGEST_ROW,
    LONGEST_VALUE,
    MAGIC,
    FileFaultError,
    open_text,
    packing_of,
)
from mlops_assets.watch.validation.landed_parquet import inspect_parquet

if TYPE_CHECKING:
    from _csv import Reader

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FOREIGN = {
    **{magic: packing.value for packing, magic in MAGIC.items()},
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"%PDF": "a PDF",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
}
_CONTROL = bytes(set(range(32)) - {9, 10, 13}) + b"\x7f"
_CUT = "The file is cut: its last line has no line end. Land it again once it is whole."


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """What the bytes of one file say: header, number of data rows, and what is wrong.

    ``faults`` is empty for a whole file; otherwise ``rows`` is 0. ``header`` has the names as written, ``names``
    different ones. ``size`` counts the bytes of the text, unpacked. ``quoted`` is true if any value is in quotes,
    ``long_rows`` if a row may have more bytes than ``LONGEST_VALUE``; ``blank_end`` counts the bytes of a blank line at
    the end, and ``starts`` has the line in which each row begins where that is not the one below the row before; the
    first begins in ``first_line``. ``types`` has the columns of a Parquet file, whose rows are its lines.
    """

    size: int
    packing: Packing = Packing.TEXT
    header: tuple[str, ...] = ()
    rows: int = 0
    quoted: bool = False
    long_rows: bool = False
    blank_end: int = 0
    first_line: int = 2
    starts: NDArray[np.int64] | None = field(default=None, compare=False, repr=False)
    types: pa.Schema | None = field(default=None, repr=False)
    faults: tuple[Anomaly, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called here: their names, told apart where they repeat each other."""
        return distinct_names(self.header)

    def lines_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The lines in which these rows (from 0) begin, from 1."""
        return rows + self.first_line if self.starts is None else self.starts[rows]


@dataclass(frozen=True, kw_only=True)
class _Text:
    """What all lines of a file have in common; ``size`` is that of its text."""

    size: int
    quoted: bool
    long_lines: bool
    blank_end: int


@dataclass(frozen=True, kw_only=True)
class _File:
    """One file of text, and how it is written; ``names`` are those of its columns if it has no header."""

    path: Path
    packing: Packing
    form: FileForm
    names: tuple[str, ...]
    most_bytes: int | None

    def open(self) -> BinaryIO:
        return open_text(self.path, packing=self.packing, form=self.form)

    @contextmanager
    def rows(self) -> Iterator[Reader]:
        """Its rows, each a list of values."""
        form = self.form
        with io.TextIOWrapper(self.open(), encoding="utf-8-sig", newline="") as text:
            yield csv.reader(text, delimiter=form.delimiter, skipinitialspace=form.strip, strict=True)


def inspect_landed(path: Path, *, source: Source, landed_as: str | None = None) -> FileReport:
    """``inspect_file`` of one file of ``source``."""
    names = () if source.header else source.columns.names
    return inspect_file(
        path, form=source.form, names=names, most_bytes=source.max_file_bytes, landed_as=landed_as or path.name
    )


def inspect_file(
    path: Path,
    *,
    form: FileForm = PLAIN,
    names: Sequence[str] = (),
    most_bytes: int | None = None,
    landed_as: str = "",
) -> FileReport:
    """Read ``path`` in blocks: is it a whole, rectangular table of text under a header line?

    A byte-order mark at its start and one blank line at its end are passed over. An error in reading is a fault of the
    file like any other. One of more than ``most_bytes``, unpacked, is read no further. Without a header its columns
    are ``names``, or counted if there are none. The name that it landed under must say what it is, if it ends as one
    that is read.
    """
    size, packing = 0, Packing.TEXT
    try:
        size, packing = path.stat().st_size, packing_of(path)
        _refuse_large(path.name, size=size, most=most_bytes)
        _refuse_misnamed(landed_as, packing=packing)
        if packing is Packing.PARQUET:
            return _inspect_parquet(path, most_bytes=most_bytes)
        return _inspect(_File(path=path, packing=packing, form=form, names=tuple(names), most_bytes=most_bytes))
    except FileFaultError as fault:
        return FileReport(size=size, packing=packing, faults=(fault.finding,))
    except Exception as error:  # noqa: BLE001 - whatever it is, it costs one file
        said = f"The file cannot be read: {type(error).__name__}: {error}"
        return FileReport(size=0, faults=(anomaly(Code.NOT_JUDGED, said),))


def _refuse_large(name: str, *, size: int, most: int | None) -> None:
    if most is not None and size > most:
        message = f"{name} has {size:,} bytes, a file of its source at most {most:,}: it was not read."
        both = {"expected": f"at most {most} bytes", "found": f"{size} bytes"}
        raise FileFaultError(Code.FILE_TOO_LARGE, message, **both)


def _refuse_misnamed(name: str, *, packing: Packing) -> None:
    """A name that ends as a file that is read says what it is."""
    suffix = suffix_of(name)
    if suffix is not None and SUFFIXES[suffix] is not packing:
        right = next(each for each, held in SUFFIXES.items() if held is packing)
        said = (
            f"The file is {packing}, not {SUFFIXES[suffix]} as its name says: the name of such a file ends in {right}."
        )
        raise FileFaultError(Code.FOREIGN_FORMAT, said, expected=suffix, found=right)


def _inspect_parquet(path: Path, *, most_bytes: int | None) -> FileReport:
    size, rows, types = inspect_parquet(path)
    _refuse_large("The file, unpacked,", size=size, most=most_bytes)
    return FileReport(
        size=size, packing=Packing.PARQUET, header=tuple(types.names), rows=rows, first_line=1, types=types
    )


def _inspect(file: _File) -> FileReport:
    text: _Text | None = None
    header: tuple[str, ...] = ()
    starts, folded = None, False
    try:
        text = _check_text(file)
        header = _read_header(file)
        if text.quoted:
            rows, starts, folded = _count_quoted_rows(file, len(header))
        else:
            rows = _count_plain_rows(file, len(header), end=text.size - text.blank_end)
    except FileFaultError as fault:
        size = text.size if text else file.path.stat().st_size
        return FileReport(size=size, packing=file.packing, header=header, faults=(fault.finding,))
    return FileReport(
        size=text.size,
        packing=file.packing,
        header=header,
        rows=rows,
        quoted=text.quoted,
        long_rows=text.long_lines or folded,
        blank_end=text.blank_end,
        first_line=1 + file.form.header,
        starts=starts,
    )


def _blocks(file: _File, *, end: int | None = None) -> Iterator[bytes]:
    """Whole lines, some megabytes at a time, up to byte ``end``; a line is read no further than a row may go."""
    left = sys.maxsize if end is None else end
    with file.open() as opened:
        while left > 0 and (block := opened.read(min(BLOCK, left))):
            if not block.endswith(b"\n"):
                block += opened.readline(min(LONGEST_ROW + 1, left - len(block)))
            left -= len(block)
            yield block


def _check_text(file: _File) -> _Text:
    """Refuse what is not text, is cut or has lines that are too long."""
    size, line, returns, quoted, long_lines, tail = 0, 0, 0, False, False, b""
    is_plain = file.packing is Packing.TEXT  # its size is known, and may be told as a whole
    for block in _blocks(file):
        if line == 0:
            _refuse_foreign(block)
        size += len(block)
        _refuse_large("The file, unpacked,", size=size, most=None if is_plain else file.most_bytes)
        long_lines |= _has_long_lines(block, first_line=line + 1, delimiter=file.form.delimiter)
        _refuse_binary(block, first_line=line + 1)
        line += block.count(b"\n")
        returns += block.count(b"\r\n")
        if block.count(b"\r") != block.count(b"\r\n"):
            raise FileFaultError(
                Code.LINE_ENDS,
                "The file has carriage returns inside its lines: write \\n or \\r\\n line ends throughout.",
            )
        quoted = quoted or b'"' in block
        tail = (tail + block[-4:])[-4:]
    if not size:
        raise FileFaultError(Code.EMPTY_FILE, "The file is empty (0 bytes).")
    if not tail.endswith(b"\n"):
        raise FileFaultError(Code.CUT_FILE, _CUT)
    if returns not in (0, line) and not quoted:
        raise FileFaultError(Code.LINE_ENDS, f"The file mixes line ends: {returns} of {line} lines end in \\r\\n.")
    return _Text(size=size, quoted=quoted, long_lines=long_lines, blank_end=_blank_end(tail))


def _blank_end(tail: bytes) -> int:
    """How many bytes the blank line at the end has, 0 without one."""
    last = 2 if tail.endswith(b"\r\n") else 1
    return last if tail[:-last].endswith(b"\n") else 0


def _has_long_lines(block: bytes, *, first_line: int, delimiter: str) -> bool:
    """Whether a line has more than ``LONGEST_VALUE`` bytes; no value may, and no line more than ``LONGEST_ROW``."""
    start, long_lines = 0, False
    while len(block) - start > LONGEST_VALUE:
        end = block.rfind(b"\n", start, start + LONGEST_VALUE + 1)  # skips many short lines at once
        if end < 0:
            end = block.find(b"\n", start)
            _refuse_long_line(block, start=start, end=end, first_line=first_line, delimiter=delimiter)
            long_lines = True
        start = end + 1
    return long_lines


def _refuse_long_line(block: bytes, *, start: int, end: int, first_line: int, delimiter: str) -> None:
    line, more = (block[start:], " or more") if end < 0 else (block[start:end], "")
    where = _place(block, start, first_line).capitalize()
    if len(line) > LONGEST_ROW:
        message = f"{where} has {len(line):,} bytes{more}: a row has at most {LONGEST_ROW:,}."
        raise FileFaultError(Code.TOO_LONG, message)
    longest = max(map(len, line.split(delimiter.encode())))
    if longest > LONGEST_VALUE:
        message = f"{where} has a value of {longest:,} bytes: one has at most {LONGEST_VALUE:,}."
        raise FileFaultError(Code.TOO_LONG, message)
    if end < 0:
        raise FileFaultError(Code.CUT_FILE, _CUT)


def _refuse_foreign(start: bytes) -> None:
    for magic, what in _FOREIGN.items():
        if start.startswith(magic):
            raise FileFaultError(Code.FOREIGN_FORMAT, f"The file is {what}, not CSV text.")


def _refuse_binary(block: bytes, *, first_line: int) -> None:
    """NUL bytes, bytes that are not UTF-8, and control characters are no text; nor is a mark where no file begins."""
    if (at := block.find(b"\0")) >= 0:
        raise FileFaultError(
            Code.CONTROL_CHARACTERS,
            f"The file contains NUL bytes, the first in {_place(block, at, first_line)}: it is not text.",
        )
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{block[error.start]:02x} in {_place(block, error.start, first_line)}"
        raise FileFaultError(Code.NOT_UTF8, f"The file is not UTF-8 text: {found} cannot be decoded.") from error
    if (at := block.find(b"\n" + _BYTE_ORDER_MARK)) >= 0:
        place = _place(block, at + 1, first_line)
        raise FileFaultError(
            Code.BYTE_ORDER_MARK, f"A byte-order mark stands in {place}: files were joined as bytes, headers and all."
        )
    if len(block.translate(None, _CONTROL)) != len(block):
        at = next(index for index, byte in enumerate(block) if byte in _CONTROL)
        raise FileFaultError(
            Code.CONTROL_CHARACTERS,
            f"The file contains control characters, the first in {_place(block, at, first_line)}.",
        )


def _place(block: bytes, at: int, first_line: int) -> str:
    line = first_line + block.count(b"\n", 0, at)
    return f"line {line}"


def _read_header(file: _File) -> tuple[str, ...]:
    """The names of the columns; of a file without a header those that are declared."""
    csv.field_size_limit(LONGEST_VALUE)
    with file.rows() as rows:
        try:
            first = next(rows)
        except csv.Error as error:
            raise FileFaultError(Code.NO_HEADER, f"The header cannot be read: {error}.") from error
    if not first:
        raise FileFaultError(Code.NO_HEADER, "The first line is blank: a header is expected.")
    if file.form.header:
        return tuple(name.strip() for name in first) if file.form.strip else tuple(first)
    return _declared_names(file, width=len(first))


def _declared_names(file: _File, *, width: int) -> tuple[str, ...]:
    names = file.names or unnamed_columns(width)
    if len(names) == width:
        return names
    if width == 1:
        message = f"The first line has one value, the schema has {len(names)} columns: is the delimiter another one?"
        raise FileFaultError(Code.WRONG_DELIMITER, message)
    raise FileFaultError(Code.UNEVEN_LINE, f"Line 1 has {width} values, the schema has {len(names)} columns.")


def _count_plain_rows(file: _File, width: int, *, end: int) -> int:
    """The rows of a table in which nothing is quoted: count delimiters between line ends, up to byte ``end``."""
    lines = 0
    for block in _blocks(file, end=end):
        counts, blank = _delimiters_per_line(block, file.form.delimiter)
        uneven = np.flatnonzero((counts != width - 1) | blank)
        if uneven.size:
            found = "no value" if blank[uneven[0]] else f"{counts[uneven[0]] + 1} values"
            raise FileFaultError(Code.UNEVEN_LINE, _uneven(lines + int(uneven[0]) + 1, found, width, form=file.form))
        lines += counts.size
    return lines - file.form.header


def _delimiters_per_line(block: bytes, delimiter: str) -> tuple[np.ndarray, np.ndarray]:
    """For each line of ``block``: how many delimiters it has, and whether it is blank."""
    sign = delimiter.encode("utf-8")
    if len(sign) > 1:
        lines = block.split(b"\n")[:-1]
        counted = np.array([line.count(sign) for line in lines], dtype=np.int64)
        return counted, np.array([not line.strip(b"\r") for line in lines], dtype=bool)
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    counts = np.diff(np.searchsorted(np.flatnonzero(data == sign[0]), ends), prepend=0)
    lengths = np.diff(ends, prepend=-1) - 1
    return counts, (lengths == 0) | ((lengths == 1) & (data[ends - 1] == ord("\r")))


def _count_quoted_rows(file: _File, width: int) -> tuple[int, NDArray[np.int64] | None, bool]:
    """The rows when quotes occur, as a quoted value may hold delimiters and line ends; where each begins, unless every
    row is a line; and whether one of several lines is long.
    """
    csv.field_size_limit(LONGEST_VALUE)
    starts, line, folded = array("q"), 0, False
    with file.rows() as reader:
        try:
            for values in reader:
                if len(values) != width:
                    if not values and next(reader, None) is None:
                        break  # the blank line at the end
                    found = f"{len(values)} values" if values else "no value"
                    raise FileFaultError(Code.UNEVEN_LINE, _uneven(line + 1, found, width, form=file.form))
                if reader.line_num > line + 1:
                    folded |= _is_long_row(values, line=line + 1)
                starts.append(line + 1)
                line = reader.line_num
        except csv.Error as error:
            raise _quote_fault(str(error), first=line + 1, last=reader.line_num) from error
    has_header = int(file.form.header)
    lines = np.array(starts, dtype=np.int64)[has_header:]
    return lines.size, None if line == lines.size + has_header else lines, folded


def _is_long_row(values: Sequence[str], *, line: int) -> bool:
    """Whether a row may have more than ``LONGEST_VALUE`` bytes; its characters have four at most, quotes two."""
    length = sum(map(len, values))
    if length > LONGEST_ROW:
        raise FileFaultError(
            Code.TOO_LONG, f"The row of line {line} has {length:,} characters: one has at most {LONGEST_ROW:,}."
        )
    return 4 * (length + len(values)) > LONGEST_VALUE


def _quote_fault(error: str, *, first: int, last: int) -> FileFaultError:
    """What a reader's error says of a row that begins in line ``first`` and was read up to line ``last``."""
    if "field limit" in error and last <= first:
        return FileFaultError(
            Code.TOO_LONG, f"Line {first} has a value of more than {LONGEST_VALUE:,} characters: it may have no more."
        )
    where = f"near line {first}" if last <= first else f"in the row of lines {first} to {last}"
    hint = f"a quote is never closed; it opens in line {first}" if _never_closed(error) else error
    return FileFaultError(Code.BROKEN_QUOTES, f"The quotes do not match up {where}: {hint}.")


def _never_closed(error: str) -> bool:
    return "unexpected end" in error or "field limit" in error


def _uneven(line: int, found: str, width: int, *, form: FileForm) -> str:
    whose = "header" if form.header else "schema"
    return f"Line {line} has {found}, the {whose} has {width} columns: it is cut, or a delimiter is in a value."
