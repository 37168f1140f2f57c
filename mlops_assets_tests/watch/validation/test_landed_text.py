"""Values keep their meaning on the way from text to types: nothing is rounded, guessed or lost."""

from __future__ import annotations

import re
import tempfile
from datetime import datetime
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
            ["2013-01-01T10:00:00Z", "2013-01-01 10:00:00", "2013-01-01"],
            [datetime(2013, 1, 1, 10), datetime(2013, 1, 1, 10), datetime(2013, 1, 1)],
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
        ("flag", ["yes", "2", "t"]),
        ("moment", ["41275", "2013-13-01", "01/02/2013", "2013-02-30 10:00:00", "10:00"]),
    ],
)
def test_values_of_another_type_are_reported_and_not_guessed(column: str, bad: list[str]) -> None:
    assert cast(column, bad) == ([None] * len(bad), list(range(len(bad))))


def test_missing_values_are_null_and_not_reported() -> None:
    assert cast("whole", ["NA", "?'", "5"]) == ([None, None, 5], [])


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
        read = read_text(path, source=source, quoted=report.quoted)
    assert report.rows == read.num_rows == len(rows)
    assert [list(row.values()) for row in read.to_pylist()] == rows


def test_windows_line_ends_are_not_part_of_values(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", *make_lines(2))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_text(path, source=make_source(), quoted=False)["ok"].to_pylist() == ["true", "true"]


def test_day_of_a_row_comes_from_a_date_a_time_or_three_numbers() -> None:
    moments = pa.table({"at": pa.array([datetime(2024, 3, 1, 23, 59), None], pa.timestamp("us"))})
    numbers = pa.table({"y": [2024, 2024, None, -1], "m": [3, 123, 3, 3], "d": [1, 1, 1, 1]})
    assert days_of(moments, columns=("at",)).tolist() == [20240301, 0]
    assert days_of(numbers, columns=("y", "m", "d")).tolist() == [20240301, 0, 0, 0]
