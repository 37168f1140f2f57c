"""Is one landed file a whole table? Judged from its bytes, before any value is looked at.

Knows encodings, line ends, quotes and headers; knows nothing of types, rules or batches.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlops_assets.contract.anomalies import Anomaly, Code, anomaly

_BLOCK = 8 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAGIC = {
    b"\x1f\x8b": "gzip data",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
    b"\x28\xb5\x2f\xfd": "Zstandard data",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
}
_CONTROL = bytes(set(range(32)) - {9, 10, 13}) + b"\x7f"
_CUT = "The file is cut: its last line has no line end. Land it again once it is whole."


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """What the bytes of one file say: header, number of data rows, and what is wrong.

    ``faults`` is empty for a whole file; otherwise ``rows`` is 0. ``quoted`` is true if any value is in
    quotes.
    """

    size: int
    header: tuple[str, ...] = ()
    rows: int = 0
    quoted: bool = False
    faults: tuple[Anomaly, ...] = ()


class _FaultError(Exception):
    """Ends the inspection of a file."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.finding = anomaly(code, message)


def inspect_file(path: Path, *, delimiter: str = ",") -> FileReport:
    """Read ``path`` in blocks: is it a whole, rectangular table of UTF-8 text under a header line?"""
    size = path.stat().st_size
    if size == 0:
        return FileReport(size=0, faults=(anomaly(Code.EMPTY_FILE, "The file is empty (0 bytes)."),))
    header: tuple[str, ...] = ()
    try:
        quoted = _check_text(path)
        header = _read_header(path, delimiter)
        count = _count_quoted_rows if quoted else _count_plain_rows
        rows = count(path, delimiter, len(header))
    except _FaultError as fault:
        return FileReport(size=size, header=header, faults=(fault.finding,))
    return FileReport(size=size, header=header, rows=rows, quoted=quoted)


def header_faults(header: Sequence[str], *, expected: Sequence[str]) -> tuple[Anomaly, ...]:
    """How ``header`` differs from the ``expected`` columns: missing, unknown, repeated, in another order."""
    if tuple(header) == tuple(expected):
        return ()
    if len(header) == 1 and len(expected) > 1:
        message = f"The header has one column only, '{header[0][:80]}': is the delimiter another one?"
        return (anomaly(Code.WRONG_DELIMITER, message, found=header[0][:80]),)
    differing = {
        Code.MISSING_COLUMNS: [name for name in expected if name not in header],
        Code.UNKNOWN_COLUMNS: [name for name in header if name not in expected],
        Code.REPEATED_COLUMNS: sorted({name for name in header if list(header).count(name) > 1}),
    }
    both: dict[str, Any] = {"expected": ", ".join(expected), "found": ", ".join(header)}
    faults = [
        anomaly(code, f"{code.replace('_', ' ').capitalize()}: {', '.join(names)}.", column=names[0], **both)
        for code, names in differing.items()
        if names
    ]
    if not faults:
        message = "Columns are in another order: expected {expected}; found {found}.".format(**both)
        faults.append(anomaly(Code.COLUMN_ORDER, message, **both))
    return tuple(faults)


def _blocks(path: Path) -> Iterator[bytes]:
    """Whole lines, some megabytes at a time."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block if block.endswith(b"\n") else block + file.readline()


def _check_text(path: Path) -> bool:
    """Refuse what is not text or is cut; answer whether quotes occur in it."""
    line, returns, quoted, block = 0, 0, False, b""
    for block in _blocks(path):
        if line == 0:
            _refuse_foreign(block)
        _refuse_binary(block, first_line=line + 1)
        line += block.count(b"\n")
        returns += block.count(b"\r\n")
        if block.count(b"\r") != block.count(b"\r\n"):
            raise _FaultError(
                Code.LINE_ENDS,
                "The file has carriage returns inside its lines: write \\n or \\r\\n line ends throughout.",
            )
        quoted = quoted or b'"' in block
    if not block.endswith(b"\n"):
        raise _FaultError(Code.CUT_FILE, _CUT)
    if returns not in (0, line) and not quoted:
        raise _FaultError(Code.LINE_ENDS, f"The file mixes line ends: {returns} of {line} lines end in \\r\\n.")
    return quoted


def _refuse_foreign(start: bytes) -> None:
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise _FaultError(Code.FOREIGN_FORMAT, f"The file is {what}, not CSV text.")
    if start.startswith(_BYTE_ORDER_MARK):
        raise _FaultError(
            Code.BYTE_ORDER_MARK, "The file starts with a byte-order mark: write it as UTF-8 without one."
        )


def _refuse_binary(block: bytes, *, first_line: int) -> None:
    """NUL bytes, bytes that are not UTF-8, and control characters are no text."""
    if (at := block.find(b"\0")) >= 0:
        raise _FaultError(
            Code.CONTROL_CHARACTERS,
            f"The file contains NUL bytes, the first in {_place(block, at, first_line)}: it is not text.",
        )
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{block[error.start]:02x} in {_place(block, error.start, first_line)}"
        raise _FaultError(Code.NOT_UTF8, f"The file is not UTF-8 text: {found} cannot be decoded.") from error
    if len(block.translate(None, _CONTROL)) != len(block):
        at = next(index for index, byte in enumerate(block) if byte in _CONTROL)
        raise _FaultError(
            Code.CONTROL_CHARACTERS,
            f"The file contains control characters, the first in {_place(block, at, first_line)}.",
        )


def _place(block: bytes, at: int, first_line: int) -> str:
    line = first_line + block.count(b"\n", 0, at)
    return f"line {line}"


def _read_header(path: Path, delimiter: str) -> tuple[str, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        try:
            header = next(csv.reader(file, delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise _FaultError(Code.NO_HEADER, f"The header cannot be read: {error}.") from error
    if not header:
        raise _FaultError(Code.NO_HEADER, "The first line is blank: a header is expected.")
    return tuple(header)


def _count_plain_rows(path: Path, delimiter: str, width: int) -> int:
    """Rows below the header when nothing is quoted: count delimiters between line ends."""
    lines = 0
    for block in _blocks(path):
        counts, blank = _delimiters_per_line(block, delimiter)
        uneven = np.flatnonzero((counts != width - 1) | blank)
        if uneven.size:
            found = "no value" if blank[uneven[0]] else f"{counts[uneven[0]] + 1} values"
            raise _FaultError(Code.UNEVEN_LINE, _uneven(lines + int(uneven[0]) + 1, found, width))
        lines += counts.size
    return lines - 1


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


def _count_quoted_rows(path: Path, delimiter: str, width: int) -> int:
    """Rows below the header when quotes occur: a quoted value may hold delimiters and line ends."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        rows = 0
        try:
            for values in reader:
                rows += 1
                if len(values) != width:
                    raise _FaultError(Code.UNEVEN_LINE, _uneven(reader.line_num, f"{len(values)} values", width))
        except csv.Error as error:
            hint = "a quote is never closed" if "unexpected end" in str(error) else str(error)
            raise _FaultError(
                Code.BROKEN_QUOTES, f"The quotes do not match up near line {reader.line_num}: {hint}."
            ) from error
    return rows - 1


def _uneven(line: int, found: str, width: int) -> str:
    return f"Line {line} has {found}, the header has {width} columns: it is cut, or a delimiter is in a value."
