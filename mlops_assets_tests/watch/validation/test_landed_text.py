"""Values keep their meaning on the way from text to types: nothing is rounded, guessed or lost."""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.source import Cadence
from mlops_assets.watch.validation.file_format import inspect_file
from mlops_assets.watch.validation.landed_text import cast_text, days_of, read_text, untyped_rows
from mlops_assets_tests.features.readings import make_lines, make_source, write_csv


class Typed(pandera.DataFrameModel):
    """One column per type that text is cast to."""

    small: pd.Int16Dtype = pandera.Field(nullable=True)
    whole: pd.Int64Dtype = pandera.Field(nullable=True)
    number: float = pandera.Field(nullable=True)
    flag: pd.BooleanDtype = pandera.Field(nullable=True)
    moment: datetime = pandera.Field(nullable=True)
    day: date = pandera.Field(nullable=True)


TYPED = make_source(cadence=Cadence.STATIC, schema=Typed, batch_day=(), null_values=("NA", "?'"))


def cast(column: str, values: list[str]) -> tuple[list[object], list[int]]:
    text = pa.table(
        {name: pa.array(values if name == column else ["NA"] * len(values)) for name in TYPED.columns.names}
    )
    with duckdb.connect() as connection:
        typed = cast_text(text, source=TYPED, connection=connection)
    untyped = untyped_rows(text, typed=typed, source=TYPED)
    return typed[column].to_pylist(), untyped.get(column, pa.array([])).tolist()


@pytest.mark.parametrize(
    ("column", "good", "meant"),
    [
        ("whole", ["7", "-7", "+7", "007"], [7, -7, 7, 7]),
        ("number", ["7", "-.5", "1e3", "10.357019999999999"], [7.0, -0.5, 1000.0, 10.357019999999999]),
        ("flag", ["true", "False", "1"], [True, False, True]),
        (
            "moment",
            ["2013-01-01T10:00:00Z", "2013-01-01 10:00:00", "2013-01-01T10:00", "2013-01-01 12:30:00.5+02:30"],
            [*[datetime(2013, 1, 1, 10)] * 3, datetime(2013, 1, 1, 10, 0, 0, 500_000)],
        ),
    ],
)
def test_values_of_their_type_are_read(column: str, good: list[str], meant: list[object]) -> None:
    assert cast(column, good) == (meant, [])


@pytest.mark.parametrize(
    ("column", "bad"),
    [
        ("whole", ["5.7", "1e3", " 5", "0x10", "1_000", "1,000", "", "seven", "99999999999999999999"]),
        ("small", ["40000"]),
        ("number", ["nan", "inf", "1,5", "1_0.5", "1e999", "12 mph", ""]),
        ("number", ["1e-400", "9007199254740993", "123456789012345678901234567890"]),
        ("flag", ["yes", "2", "t"]),
        ("moment", ["2013-01-01", "2013-01-01T24:00:00", "0000-01-01T10:00:00", "2013-01-01T10:00:00.1234567"]),
        ("moment", ["0001-01-01T00:00:00+05", "9999-12-31T23:59:59-05", "2013-01-01T10:00:00+15", "2013-01-01T10Z"]),
        ("moment", ["41275", "2013-13-01", "01/02/2013", "2013-02-30 10:00:00", "10:00"]),
    ],
)
def test_values_of_another_type_are_reported_and_not_guessed(column: str, bad: list[str]) -> None:
    assert cast(column, bad) == ([None] * len(bad), list(range(len(bad))))


def test_missing_values_are_null_and_not_reported() -> None:
    assert cast("whole", ["NA", "?'", "5"]) == ([None, None, 5], [])


TIMES = {
    "2013-03-06T05:00:00": datetime(2013, 3, 6, 5),
    "2013-03-06 05:00:00.250": datetime(2013, 3, 6, 5, 0, 0, 250_000),
    "2013-03-06T05:00:00Z": datetime(2013, 3, 6, 5),
    "2013-03-06T05:00:00-05:00": datetime(2013, 3, 6, 10),
    "2013-03-06T12:00:00+0200": datetime(2013, 3, 6, 10),
    "2013-03-06 05:00:00 PM": None,
    "2013-03-06 05:00:00 EST": None,
    "2013-03-06 05:00:00 America/New_York": None,
    "2013-03-06 05:00:00 foo": None,
    "2013-03-06 10:00:00+99": None,
    "2013-03-06 (BC) 10:00:00": None,
    "2013-03-06": None,
}


def test_time_is_iso_8601_to_its_last_letter_and_an_offset_is_converted() -> None:
    values, untyped = cast("moment", list(TIMES))
    assert dict(zip(TIMES, values, strict=True)) == TIMES
    assert untyped == [place for place, meant in enumerate(TIMES.values()) if meant is None]


def meaning(column: str, text: str) -> object:
    """What Python reads in ``text`` as a value of the column; an error where it reads nothing."""
    if column == "flag":
        return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
    if column == "moment":
        moment = datetime.fromisoformat(text)
        return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None)
    if column == "day":
        return date.fromisoformat(text)
    exact = Decimal(text)
    return int(exact) if exact == exact.to_integral_value() and "e" not in text.lower() else float(text)


TAILS = st.sampled_from(
    ["", "Z", "+02:00", "-0500", "+05", ".5", ".123456", ".1234567", " PM", " EST", " (BC)", "+99", "x"]
)
MOMENTS = st.builds(
    lambda day, gap, time, tail: f"{day}{gap}{time}{tail}",
    st.sampled_from(["2013-03-06", "2012-02-29", "2013-02-29", "0001-01-01", "9999-12-31", "0000-01-01", "13-3-6"]),
    st.sampled_from(["T", " ", "", "t"]),
    st.sampled_from(["05:00:00", "23:59:59", "24:00:00", "05:00", "5:00", "05:60:00", "05:00:60", ""]),
    TAILS,
)
NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=True).map(repr),
    st.from_regex(r"[+-]?[0-9]{0,25}\.?[0-9]{0,25}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
ANYTHING = st.text(st.sampled_from("0123456789+-.:,TZeE /_ xtruefals"), max_size=26)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(TYPED.columns.names), st.lists(MOMENTS | NUMBERS | ANYTHING, min_size=1, max_size=40))
def test_what_is_accepted_means_the_same_as_its_text(column: str, texts: list[str]) -> None:
    values, untyped = cast(column, texts)
    for place, (text, value) in enumerate(zip(texts, values, strict=True)):
        assert (value is None) == (place in untyped), text
        assert value is None or value == meaning(column, text), text


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.datetimes(), min_size=1, max_size=9),
    st.sampled_from([None, UTC, *(timezone(timedelta(minutes=m)) for m in (-720, -210, 330, 840))]),
)
def test_every_time_that_is_written_in_iso_8601_is_read(moments: list[datetime], zone: timezone | None) -> None:
    told = [moment.replace(tzinfo=zone) for moment in moments if 1 < moment.year < 9999]
    meant = [meaning("moment", moment.isoformat()) for moment in told]
    assert cast("moment", [moment.isoformat() for moment in told]) == (meant, [])


def test_missing_values_may_be_declared_by_column() -> None:
    source = make_source(null_values={"degrees": ("NA", "-"), "count": ("NA",)})
    text = pa.table(
        {"day": ["2024-03-01"] * 2, "sensor": ["NA", ""], "degrees": ["-", "NA"], "count": ["NA", ""], "ok": ["0", "1"]}
    )
    with duckdb.connect() as connection:
        typed = cast_text(text, source=source, connection=connection)
    assert typed["sensor"].to_pylist() == ["NA", None]
    assert {name: rows.tolist() for name, rows in untyped_rows(text, typed=typed, source=source).items()} == {
        "count": [1]
    }


def test_columns_come_in_the_order_of_the_schema_and_others_are_left_out(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", "x,true,1,1.5,S1,2024-03-01", header="extra,ok,count,degrees,sensor,day")
    read = read_text(path, source=make_source(), report=inspect_file(path))
    assert read.to_pylist() == [{"day": "2024-03-01", "sensor": "S1", "degrees": "1.5", "count": "1", "ok": "true"}]


def test_header_of_several_lines_is_no_row(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", *make_lines(2), header='day,sensor,degrees,count,ok,"a\nnote"')
    path.write_text(path.read_text().replace(",true", ",true,x"))
    report = inspect_file(path)
    assert (report.rows, read_text(path, source=make_source(), report=report).num_rows) == (2, 2)


def test_mark_at_the_start_and_blank_line_at_the_end_change_no_value(tmp_path: Path) -> None:
    plain = write_csv(tmp_path / "x.csv", *make_lines(3))
    marked = tmp_path / "y.csv"
    marked.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes() + b"\n")
    source = make_source()
    read = [read_text(path, source=source, report=inspect_file(path)) for path in (plain, marked)]
    assert read[0].equals(read[1])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.sampled_from("0123456789+-. eE_x"), max_size=6), min_size=1, max_size=50))
def test_whole_numbers_are_digits_and_a_sign(values: list[str]) -> None:
    meant = [int(value) if re.fullmatch("[+-]?[0-9]+", value) else None for value in values]
    untyped = [place for place, number in enumerate(meant) if number is None]
    assert cast("whole", values) == (meant, untyped)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.sampled_from('",\n'), max_size=6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(TEXT, min_size=5, max_size=5), max_size=5))
def test_text_is_read_exactly_as_written(rows: list[list[str]]) -> None:
    source = make_source()
    quoted = [",".join('"' + value.replace('"', '""') + '"' for value in row) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = write_csv(Path(folder) / "x.csv", *quoted)
        report = inspect_file(path)
        read = read_text(path, source=source, report=report)
    assert report.rows == read.num_rows == len(rows)
    assert [list(row.values()) for row in read.to_pylist()] == rows


def test_windows_line_ends_are_not_part_of_values(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", *make_lines(2))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_text(path, source=make_source(), report=inspect_file(path))["ok"].to_pylist() == ["true", "true"]


def test_day_of_a_row_comes_from_a_date_a_time_or_three_numbers() -> None:
    moments = pa.table({"at": pa.array([datetime(2024, 3, 1, 23, 59), None], pa.timestamp("us"))})
    numbers = pa.table({"y": [2024, 2024, None, -1], "m": [3, 123, 3, 3], "d": [1, 1, 1, 1]})
    assert days_of(moments, columns=("at",)).tolist() == [20240301, 0]
    assert days_of(numbers, columns=("y", "m", "d")).tolist() == [20240301, 0, 0, 0]
