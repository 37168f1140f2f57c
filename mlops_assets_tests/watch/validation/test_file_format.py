"""A file is whole, or the reason why not is said with its line."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.anomalies import Code
from mlops_assets.watch.validation import file_format
from mlops_assets.watch.validation.file_format import inspect_file

WHOLE = b"a,b,c\n1,2,3\n4,5,6\n"


def inspect(path: Path, content: bytes) -> file_format.FileReport:
    path.write_bytes(content)
    return inspect_file(path)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (WHOLE, 2),
        (WHOLE.replace(b"\n", b"\r\n"), 2),
        (b"a,b,c\n", 0),
        (b'a,b,c\n"1,5",2,3\n', 1),
        (b'a,b,c\n"line\nbreak",2,"say ""hi"""\n', 1),
        ("a,b,c\n1,Malmö,3\n".encode(), 1),
        (b"a\n1\n2\n", 2),
        (b"\xef\xbb\xbfa,b,c\n1,2,3\n", 1),
        (b'\xef\xbb\xbf"a",b,c\n1,2,3\n', 1),
        (WHOLE + b"\n", 2),
        (WHOLE.replace(b"\n", b"\r\n") + b"\r\n", 2),
        (b'a,b,c\n"1",2,3\n\n', 1),
        (b'a,b,c\n"' + b"x" * 131_073 + b'",2,3\n', 1),
        (b"a,b,c\n1,2," + b"x" * 131_073 + b"\n", 1),
    ],
)
def test_whole_file_is_counted(tmp_path: Path, content: bytes, rows: int) -> None:
    report = inspect(tmp_path / "x.csv", content)
    assert (report.faults, report.rows, report.header[0]) == ((), rows, "a")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty (0 bytes)"),
        (WHOLE[:-1], "cut: its last line has no line end"),
        (WHOLE[:-4], "cut: its last line has no line end"),
        (b"a,b,c\n1,2,3\n4,5\n", "Line 3 has 2 values, the header has 3 columns"),
        (b"a,b,c\n1,2,3,9\n4,5,6\n", "Line 2 has 4 values"),
        (b"a,b,c\n1,2,3\n\n\n", "Line 3 has no value"),
        (b"a\r\n1\r\n\r\n\r\n", "Line 3 has no value"),
        (b'a,b,c\n"1",2,3\n\n\n', "Line 3 has no value"),
        (b'a,b,c\n"1",2,3\n\n4,5,6\n', "Line 3 has no value"),
        (b"\n1,2,3\n", "first line is blank"),
        (b'a,b,c\n"1,2,3\n4,5,6\n', "a quote is never closed"),
        (b'a,b,c\n"1"x,2,3\n', "quotes do not match up near line 2"),
        (b'a,b,c\n"1",2\n', "Line 2 has 2 values"),
        (b"a,b,c\n1,2,\x003\n", "NUL bytes, the first in line 2"),
        (b"a,b,c\n1,2,3\n4,\x07,6\n", "control characters, the first in line 3"),
        (b"a,b,c\n1,Malm\xf6,3\n", "not UTF-8 text: byte 0xf6 in line 2"),
        (WHOLE + b"\xef\xbb\xbf" + WHOLE, "A byte-order mark stands in line 4"),
        (
            b"a,b,c\n1,2,3\n" + b"4,5," + b"x" * 10_000_000 + b"\n",
            "Line 3 has 10,000,004 bytes: a row has at most 8,388,608",
        ),
        (b"a,b,c\n1,2,3\n" + b"4,5," + b"x" * 20_000_000 + b"\n", "bytes or more: a row has at most"),
        (b"a,b,c\n4,5," + b"x" * 2_000_000 + b"\n", "Line 2 has a value of 2,000,000 bytes: one has at most 1,048,576"),
        (b'a,b,c\n4,5,"' + b"x,y" * 700_000 + b'"\n', "Line 2 has a value of more than 1,048,576 characters"),
        (b'a,b,c\n4,5,"' + b"x\n" * 700_000 + b'"\n', "it opens in line 2"),
        (b"a,b,c\n1,2,3\n" * 1 + b'"4,5,6\n' + b"7,8,9\n" * 400, "a quote is never closed; it opens in line 3"),
        (b'a,b,c\n1,2,3\n"4,5,6\n7,"8",9\n', "in the row of lines 3 to 4"),
        ("a,b,c\n1,2,3\n".encode("utf-16"), "UTF-16 text"),
        (b"\x1f\x8b\x08\x00", "gzip data"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"PAR1rest", "Parquet"),
        (b"a,b,c\r\n1,2,3\n", "mixes line ends: 1 of 2"),
        (b"a,b,c\r1,2,3\r", "carriage returns inside"),
    ],
)
def test_fault_is_named_with_its_place(tmp_path: Path, content: bytes, reason: str) -> None:
    report = inspect(tmp_path / "x.csv", content)
    assert len(report.faults) == 1
    assert reason in report.faults[0].message
    assert report.rows == 0


def test_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "2013-05-15.csv"
    path.write_bytes(b"\x00" * 101)
    (fault,) = inspect_file(path, most_bytes=100).faults
    assert fault.code is Code.FILE_TOO_LARGE
    assert fault.message == "2013-05-15.csv has 101 bytes, a file of its source at most 100: it was not read."
    assert "max_file_bytes" in fault.model_dump()["what_to_do"]
    assert inspect_file(path, most_bytes=101).faults[0].code is Code.CONTROL_CHARACTERS


def test_long_file_is_read_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_format, "BLOCK", 7)
    assert inspect(tmp_path / "x.csv", WHOLE * 1).rows == 2
    uneven = inspect(tmp_path / "x.csv", WHOLE + b"7,8,9\n" * 5 + b"7,8\n")
    assert "Line 9 has 2 values" in uneven.faults[0].message
    assert "line 3" in inspect(tmp_path / "x.csv", b"a,b,c\n1,2,3\n4,\xff,6\n").faults[0].message


def test_rows_know_their_lines_also_behind_values_of_many_lines(tmp_path: Path) -> None:
    report = inspect(tmp_path / "x.csv", b'a,b\n1,"x\ny"\n2,"z"\n')
    assert report.lines_of(np.array([0, 1])).tolist() == [2, 4]
    assert inspect(tmp_path / "x.csv", WHOLE).lines_of(np.array([0, 1])).tolist() == [2, 3]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_get_a_report(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = inspect(Path(folder) / "x.csv", content)
    assert bool(report.faults) or report.header


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=len(WHOLE * 4) - 1))
def test_file_cut_anywhere_is_noticed_unless_cut_between_rows(length: int) -> None:
    content = (WHOLE + b"7,8,9\n" * 9)[:length]
    with tempfile.TemporaryDirectory() as folder:
        report = inspect(Path(folder) / "x.csv", content)
    assert bool(report.faults) != content.endswith(b"\n")


VALUE = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff") | st.just("\n"),
    max_size=5,
)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(VALUE, VALUE), max_size=6))
def test_what_a_csv_writer_writes_is_whole(rows: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("a", "b"), *rows])
    with tempfile.TemporaryDirectory() as folder:
        report = inspect(Path(folder) / "x.csv", text.getvalue().encode())
    assert (report.faults, report.rows) == ((), len(rows))
