"""A file is read as its source declares it, whatever it is: each form is accepted once and refused once, in words."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.anomalies import Code
from mlops_assets.contract.file_form import FileForm
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.watch.validation.data_audits import audit_raw
from mlops_assets.watch.validation.file_format import inspect_landed
from mlops_assets.watch.validation.landed_text import cast_text, read_text, untyped_rows
from mlops_assets.watch.validation.quarantine import BatchReport, validate

LINES = "1;2,5;Müller;2024-03-01\n2;-0,5;NA;2024-03-02\n"


class Rows(pandera.DataFrameModel):
    """One row of a table whose columns have names of their own."""

    number: pd.Int64Dtype = pandera.Field(nullable=True)
    share: float = pandera.Field(alias="Anteil (%)", nullable=True, ge=-1)
    name: str = pandera.Field(alias="größe-1", nullable=True)
    day: date = pandera.Field(nullable=True)

    class Config:
        strict = True
        ordered = True


HEADER = "number;Anteil (%);größe-1;day\n"
GZIPPED = gzip.compress((HEADER + LINES).encode(), mtime=0)
PACKED = {".csv": bytes, ".csv.gz": gzip.compress, ".csv.zst": lambda data: pa.compress(data, "zstd", asbytes=True)}


def make_rows(**overrides: Any) -> Source:
    declared: dict[str, Any] = {
        "name": "rows", "description": "Rows.", "owner": "tests", "cadence": Cadence.STATIC, "schema": Rows,
        "delimiter": ";", "decimal": ",", "max_quarantined_share": 0.5,
    }  # fmt: skip
    return Source(**(declared | overrides))


def judged(path: Path, *, source: Source) -> BatchReport:
    with duckdb.connect() as connection:
        return validate({"all": path}, source=source, connection=connection)["all"]


def dropped(folder: Path, data: bytes | str, name: str = "x.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(data.encode(encoding) if isinstance(data, str) else data)
    return path


def faults(path: Path, *, source: Source) -> list[tuple[Code, str]]:
    return [
        (found.code, found.message)
        for check in audit_raw(path, source=source, batch="all")
        for found in check.anomalies
    ]


@pytest.mark.parametrize(
    ("declared", "text", "encoding"),
    [
        ({}, HEADER + LINES, "utf-8"),
        ({"header": False}, LINES, "utf-8"),
        ({"header": False}, LINES + "\n", "utf-8"),
        ({"delimiter": "\t"}, (HEADER + LINES).replace(";", "\t"), "utf-8"),
        ({"delimiter": "|", "decimal": "."}, (HEADER + LINES).replace(";", "|").replace(",", "."), "utf-8"),
        (
            {"delimiter": ","},
            '1,"2,5",Müller,2024-03-01\n'.join([HEADER.replace(";", ","), '2,"-0,5",NA,2024-03-02\n']),
            "utf-8",
        ),
        ({"strip": True}, (HEADER + LINES).replace(";", " ; "), "utf-8"),
        ({"strip": True}, (HEADER + LINES).replace("Müller", ' "Müller"'), "utf-8"),
        ({"strip": True, "header": False}, LINES.replace("Müller", ' "Müller"') + "\n", "utf-8"),
        ({"encoding": "latin-1"}, HEADER + LINES, "latin-1"),
        ({"encoding": "cp1252"}, HEADER + LINES, "cp1252"),
        ({"encoding": "utf-16"}, HEADER + LINES, "utf-16"),
        ({"thousands": "."}, HEADER + LINES, "utf-8"),
    ],
)
@pytest.mark.parametrize("suffix", PACKED)
def test_file_is_read_as_declared(
    declared: dict[str, Any], text: str, encoding: str, suffix: str, tmp_path: Path
) -> None:
    path = dropped(tmp_path, PACKED[suffix](text.encode(encoding)), f"x{suffix}")
    report = judged(path, source=make_rows(**declared))
    assert report.passed, [check.reasons for check in report.checks]
    assert report.valid.drop_columns("source_row").to_pylist() == [
        {"number": 1, "Anteil (%)": 2.5, "größe-1": "Müller", "day": date(2024, 3, 1)},
        {"number": 2, "Anteil (%)": -0.5, "größe-1": "NA", "day": date(2024, 3, 2)},
    ]


@pytest.mark.parametrize(
    ("declared", "data", "code", "said"),
    [
        ({}, LINES.encode(), Code.NO_HEADER, "No header? The first line has values, '1', '2,5'"),
        ({"header": False}, b"1;2\n", Code.UNEVEN_LINE, "Line 1 has 2 values, the schema has 4 columns."),
        ({"header": False}, LINES.replace(";", "|").encode(), Code.WRONG_DELIMITER, "The first line has one value"),
        ({"header": False}, b"1;2;3;\n1;2\n", Code.UNEVEN_LINE, "Line 2 has 2 values, the schema has 4 columns"),
        ({}, (HEADER + LINES).encode("latin-1"), Code.NOT_UTF8, "byte 0xf6 in line 1"),
        ({"encoding": "cp1252"}, HEADER.encode("cp1252") + b"1;2;\x81;\n", Code.WRONG_ENCODING, "byte 0x81 in line 2"),
        ({"encoding": "latin-1"}, b"number\n1\n\x80\n", Code.WRONG_ENCODING, "byte 0x80 in line 3"),
        ({"encoding": "cp1252"}, (HEADER + LINES).encode(), Code.WRONG_ENCODING, "The file is UTF-8 text"),
        ({}, GZIPPED, Code.FOREIGN_FORMAT, "The file is gzip data, not CSV text"),
        ({"max_file_bytes": 4}, HEADER.encode(), Code.FILE_TOO_LARGE, "at most 4: it was not read"),
    ],
)  # fmt: skip
def test_file_that_is_not_as_declared_is_refused_in_words(
    declared: dict[str, Any], data: bytes, code: Code, said: str, tmp_path: Path
) -> None:
    (found,) = faults(dropped(tmp_path, data), source=make_rows(**declared))
    assert found[0] is code
    assert said in found[1]


@pytest.mark.parametrize(("suffix", "name"), [(".csv.gz", "gzip data"), (".csv.zst", "Zstandard data")])
def test_packed_file_is_bounded_unpacked_and_told_if_it_is_cut_or_misnamed(
    suffix: str, name: str, tmp_path: Path
) -> None:
    bomb = HEADER.encode() + b"1;2;x;\n" * 1_000_000
    packed = PACKED[suffix](bomb)
    source = make_rows(max_file_bytes=1_000_000)
    assert len(packed) < 100_000
    ((code, said),) = faults(dropped(tmp_path, packed, f"x{suffix}"), source=source)
    assert (code, "or more" in said or "bytes" in said) == (Code.FILE_TOO_LARGE, True)
    ((code, said),) = faults(dropped(tmp_path, packed[:-9], f"x{suffix}"), source=make_rows())
    assert (code, said.startswith(f"The file is {name} that cannot be unpacked to its end")) == (Code.CUT_FILE, True)
    ((code, _),) = faults(dropped(tmp_path, HEADER + LINES, f"x{suffix}"), source=source)
    assert code is Code.FOREIGN_FORMAT


def test_packed_file_without_a_suffix_is_known_by_its_bytes_as_in_the_lake(tmp_path: Path) -> None:
    path = dropped(tmp_path, gzip.compress((HEADER + LINES).encode()), "5f3a")
    assert judged(path, source=make_rows()).valid.num_rows == 2
    named = audit_raw(path, source=make_rows(), batch="all", landed_as="x.csv")
    assert [found.code for check in named for found in check.anomalies] == [Code.FOREIGN_FORMAT]


@pytest.mark.parametrize("value", ["2.5", "1.5e3", "1,2,3", "1.000,5", "12.34,5"])
def test_number_under_another_sign_is_told_by_row_and_value(value: str, tmp_path: Path) -> None:
    source = make_rows(header=False, thousands=".") if value in ("1,2,3", "12.34,5") else make_rows(header=False)
    report = judged(dropped(tmp_path, f"1;{value};x;\n2;1,5;x;\n3;1,5;x;\n"), source=source)
    (found,) = report.quarantined.to_pylist()
    assert (found["source_row"], found["file_line"], found["column"], found["value"]) == (1, 1, "Anteil (%)", value)


def test_thousands_are_read_in_whole_numbers_too(tmp_path: Path) -> None:
    source = make_rows(header=False, decimal=".", thousands="'")
    report = judged(dropped(tmp_path, "1'234'567;12'000.5;x;\n7;3;x;\n"), source=source)
    assert report.valid["number"].to_pylist() == [1_234_567, 7]
    assert report.valid["Anteil (%)"].to_pylist() == [12_000.5, 3.0]


def test_dates_in_several_forms_are_told_by_row_and_value(tmp_path: Path) -> None:
    lines = "1;1;x;2024-03-01\n2;1;x;2024-03-02\n3;1;x;03/02/2024\n"
    report = judged(dropped(tmp_path, lines), source=make_rows(header=False))
    (found,) = report.quarantined.to_pylist()
    assert (found["source_row"], found["rule"], found["value"]) == (3, "column_type", "03/02/2024")
    assert report.valid.num_rows == 2


def test_survey_without_a_header_is_read_as_it_is_published(tmp_path: Path) -> None:
    class Survey(pandera.DataFrameModel):
        age: int
        workclass: str = pandera.Field(nullable=True)
        fnlwgt: int
        pay: str = pandera.Field(isin=["<=50K", ">50K"])

    source = make_rows(
        schema=Survey, header=False, strip=True, delimiter=",", decimal=".", null_values={"workclass": ("", "?")}
    )
    report = judged(dropped(tmp_path, "39, State-gov, 77516, <=50K\n50, ?, 83311, >50K\n\n"), source=source)
    assert report.passed
    assert [list(row.values()) for row in report.valid.drop_columns("source_row").to_pylist()] == [
        [39, "State-gov", 77516, "<=50K"],
        [50, None, 83311, ">50K"],
    ]


def parquet(folder: Path, **columns: Any) -> Path:
    table = {
        "number": pa.array([1, None], pa.int32()), "Anteil (%)": pa.array([2.5, -0.5], pa.float32()),
        "größe-1": pa.array(["Müller", "NA"]).dictionary_encode(),
        "day": pa.array([date(2024, 3, 1), date(2024, 3, 2)]),
    }  # fmt: skip
    pq.write_table(pa.table(table | columns), folder / "x.parquet")
    return folder / "x.parquet"


def test_parquet_is_judged_row_by_row_like_text(tmp_path: Path) -> None:
    report = judged(parquet(tmp_path), source=make_rows())
    assert report.passed, [check.reasons for check in report.checks]
    assert report.valid["number"].to_pylist() == [1, None]
    assert report.valid["größe-1"].to_pylist() == ["Müller", "NA"]
    broken = judged(parquet(tmp_path, **{"Anteil (%)": pa.array([2.5, -7.0])}), source=make_rows())
    (found,) = broken.quarantined.to_pylist()
    assert (found["source_row"], found["file_line"], found["value"]) == (2, 2, "-7")
    assert '"number": ""' in found["line"]


def test_parquet_column_of_another_type_is_told_by_its_name(tmp_path: Path) -> None:
    path = parquet(tmp_path, number=pa.array(["1", "2"]), day=pa.array([datetime(2024, 3, 1)] * 2))
    assert faults(path, source=make_rows()) == [
        (Code.WRONG_COLUMN_TYPE, "Column 'number' is string in the file: it must be a whole number."),
        (Code.WRONG_COLUMN_TYPE, "Column 'day' is timestamp[us] in the file: it must be a date (YYYY-MM-DD)."),
    ]


def test_parquet_that_is_cut_too_large_or_lacks_a_column_is_refused(tmp_path: Path) -> None:
    data = parquet(tmp_path).read_bytes()
    assert faults(dropped(tmp_path, data[:-20], "x.parquet"), source=make_rows())[0][0] is Code.CUT_FILE
    many = pa.table({"number": pa.array([1] * 200_000), "größe-1": pa.array(["x" * 1000] * 200_000)})
    pq.write_table(many, tmp_path / "x.parquet")
    source = make_rows(max_file_bytes=10_000_000)
    assert (tmp_path / "x.parquet").stat().st_size < 100_000
    assert faults(tmp_path / "x.parquet", source=source)[0][0] is Code.FILE_TOO_LARGE
    assert faults(tmp_path / "x.parquet", source=make_rows())[0][0] is Code.MISSING_COLUMNS


TEXTS = st.text(st.characters(codec="latin-1", exclude_categories=["Cc", "Zs", "Cf"]), max_size=5)
TYPED = st.tuples(
    st.none() | st.integers(-(2**62), 2**62),
    st.none() | st.floats(-1, 1e300, allow_nan=False),
    TEXTS.filter(lambda text: text.strip() == text and text != ""),
    st.none() | st.dates(),
)
FORMS = st.builds(
    FileForm,
    header=st.booleans(),
    delimiter=st.sampled_from(",;\t|"),
    decimal=st.sampled_from(".,"),
    strip=st.booleans(),
    encoding=st.sampled_from(["utf-8", "latin-1", "utf-16"]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(TYPED, min_size=1, max_size=6), FORMS, st.sampled_from([*PACKED, ".parquet"]))
def test_table_that_is_written_in_any_declared_form_is_read_back_equal(
    rows: list[tuple[Any, ...]], form: FileForm, suffix: str
) -> None:
    names = make_rows().columns.names
    source = make_rows(**vars(form))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{suffix}"
        if suffix == ".parquet":
            types = pa.schema([(column.name, column.type) for column in source.columns.columns])
            pq.write_table(pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], types), path)
        else:
            path.write_bytes(PACKED[suffix](written(rows, names=names, form=form)))
        report = inspect_landed(path, source=source)
        assert not report.faults
        text = read_text(path, source=source, report=report)
    with duckdb.connect() as connection:
        typed = cast_text(text, source=source, connection=connection)
    assert untyped_rows(text, typed=typed, source=source) == {}
    assert [tuple(row.values()) for row in typed.to_pylist()] == rows


def written(rows: list[tuple[Any, ...]], *, names: tuple[str, ...], form: FileForm) -> bytes:
    text = io.StringIO()
    blank = " " if form.strip else ""
    writer = csv.writer(text, delimiter=form.delimiter, lineterminator="\n")
    for row in rows:
        values = ["" if value is None else str(value) for value in row]
        values[1] = values[1].replace(".", form.decimal)
        writer.writerow([f"{blank}{value}{blank}" for value in values])
    header = form.delimiter.join(names) + "\n" if form.header else ""
    return (header + text.getvalue()).encode(form.encoding)


def test_time_of_parquet_is_read_in_utc_to_its_last_digit(tmp_path: Path) -> None:
    class Moments(pandera.DataFrameModel):
        at: datetime = pandera.Field(nullable=True)

    at = datetime(2024, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    zoned = pa.array([at, None], pa.timestamp("us", "America/New_York"))
    pq.write_table(pa.table({"at": zoned}), tmp_path / "x.parquet")
    report = judged(tmp_path / "x.parquet", source=make_rows(schema=Moments))
    assert report.valid["at"].to_pylist() == [at.replace(tzinfo=None), None]
    nanoseconds = pa.array([int((at - timedelta(0)).timestamp() * 1e9) + 1], pa.timestamp("ns"))
    pq.write_table(pa.table({"at": nanoseconds}), tmp_path / "x.parquet")
    assert judged(tmp_path / "x.parquet", source=make_rows(schema=Moments)).quarantined["rule"].to_pylist() == [
        "column_type"
    ]
