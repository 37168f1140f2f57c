"""A drafted model accepts the file it was drafted from, and says what can be seen in it."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import re
import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlops_assets.contract.errors import DeclarationError, LandingError
from mlops_assets.contract.schema import Model
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.use_cases.flights.seed import land_seed
from mlops_assets.use_cases.flights.use_case import USE_CASE
from mlops_assets.watch.validation.file_format import inspect_file
from mlops_assets.watch.validation.quarantine import validate
from mlops_assets.watch.validation.schema_diff import compare_schemas
from mlops_assets.watch.validation.schema_draft import Draft, draft_schema

DAY = date(2013, 5, 15)


def draft(folder: Path, text: str) -> Draft:
    (folder / "x.csv").write_text(text)
    return draft_schema(folder / "x.csv", name="Rows")


def load(folder: Path, code: str) -> Model:
    path = folder / f"drafted_{len(list(folder.iterdir()))}.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model: Model = module.Rows
    return model


def drafted_source(folder: Path, drafted: Draft) -> Source:
    return Source(
        name="drafted",
        description="Drafted.",
        owner="tests",
        cadence=Cadence.STATIC,
        schema=load(folder, drafted.code),
        max_quarantined_share=0.0,
        **drafted.format.declared,
    )


def accepts_its_own(folder: Path, text: str) -> tuple[Draft, Source, pa.Table]:
    """Draft, load, and judge the file that was drafted from: no row may be set aside."""
    drafted = draft(folder, text)
    source = drafted_source(folder, drafted)
    with duckdb.connect() as connection:
        report = validate({"all": folder / "x.csv"}, source=source, connection=connection)["all"]
    assert report.passed, [check.reasons for check in report.checks]
    return drafted, source, report.valid


@pytest.mark.parametrize("name", ["flights", "weather", "planes", "airlines", "airports"])
def test_draft_accepts_the_real_file(name: str, tmp_path: Path) -> None:
    land_seed(tmp_path, first=DAY, last=DAY, sources=[name])
    (file,) = (tmp_path / "flights" / name).iterdir()
    drafted = draft_schema(file, name="Rows")
    source = drafted_source(tmp_path, drafted)
    with duckdb.connect() as connection:
        report = validate({"all": file}, source=source, connection=connection)["all"]
    assert report.passed, [check.reasons for check in report.checks]
    assert source.columns.names == USE_CASE.source(name).columns.names
    assert drafted.warnings == ()


ODD_NAMES = [
    "region-centroid-col", "class", "pa", "pd", "_id", "Config", "to_schema", "source_row", "größe", "имя", "int",
    "date", "datetime", "of flight", "1st", "", "$", "ﬁeld", "validate", "a.b", "it's", 'a "quoted" one', "None",
    "__init__", "x\ny", "select", "class_", "index",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_draft_has_columns_whatever_they_are_called(name: str, tmp_path: Path) -> None:
    header = '"' + name.replace('"', '""') + '",decile_score,decile_score,Decile_score'
    rows = "".join(f"{i}.5,{i % 3},2013-01-{i % 28 + 1:02},{i % 2 == 0}\n" for i in range(40))
    _, source, valid = accepts_its_own(tmp_path, f"{header}\n{rows}")
    of_file = {"": "unnamed", "source_row": "source_row.1"}.get(name, name)
    assert source.columns.names == (of_file, "decile_score", "decile_score.1", "Decile_score.2")
    assert valid[of_file].to_pylist()[:2] == [0.5, 1.5]


def test_dates_under_a_name_with_marks_are_imported(tmp_path: Path) -> None:
    rows = "".join(f"2013-01-{i % 28 + 1:02}\n" for i in range(40))
    _, _, valid = accepts_its_own(tmp_path, f"तिथि\n{rows}")
    assert valid["तिथि"].type == pa.date32()


def test_draft_has_hundreds_of_columns_in_any_letters(tmp_path: Path) -> None:
    names = [f"{['größe', 'имя', 'ταχύτητα', '気温', 'x-y'][i % 5]}{i}" for i in range(300)]
    rows = "".join(",".join(str(i * n) for n in range(300)) + "\n" for i in range(25))
    _, source, _ = accepts_its_own(tmp_path, f"{','.join(names)}\n{rows}")
    assert source.columns.names == tuple(names)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["2013-02-31", "2013-02-28"], "str"),
        (["9e308", "1"], "str"),
        (["1e308", "-1.7e308"], "float"),
        (["1e-400", "1"], "str"),
        (["9007199254740993", "1.5"], "str"),
        (["999999999999999999", "1"], "int"),
        (["123456789012345678", "123456789012345679"], "int"),
        (["9999999999999999999", "1"], "str"),
        (["007", "1"], "str"),
        (["2013-02-28T10:00:00+02:00", "2013-02-28 10:00"], "datetime"),
        (["2013-02-28T10:00:00 PM", "2013-02-28 10:00"], "str"),
        (["2013-02-28T10:00:00.1234567", "2013-02-28 10:00"], "str"),
        (["NA", "NA"], "str"),
        (["NA", "true"], "pd.BooleanDtype"),
        (["nan", "inf"], "str"),
        (["\\", "'"], "str"),
        (['""', "{}"], "str"),
        (["0.1", "0.30000000000000004"], "float"),
        (["-5", "+5"], "int"),
    ],
)
def test_draft_accepts_values_at_the_edge_of_their_type(values: list[str], kind: str, tmp_path: Path) -> None:
    for times in (1, 30):
        rows = "".join(f'"{value}",{i}\n' for i, value in enumerate(values * times))
        assert f"    a: {kind}" in accepts_its_own(tmp_path, f"a,b\n{rows}")[0].code


def test_range_of_one_file_is_wide_and_what_did_not_change_has_none(tmp_path: Path) -> None:
    dry = date(2013, 5, 7)
    land_seed(tmp_path, first=dry, last=dry, sources=["weather"])
    code = draft_schema(tmp_path / "flights" / "weather", name="Rows").code
    assert re.search(r"\n    precip: float  # only 0 was seen", code)
    assert 'day: int = pa.Field(in_range={"min_value": 1, "max_value": 31})' in code
    assert re.search(r"\n    year: int\n", code)


def test_draft_of_a_folder_accepts_every_file_of_it_and_other_days(tmp_path: Path) -> None:
    land_seed(tmp_path, first=DAY, last=DAY + timedelta(days=20), sources=["weather"])
    *files, later = sorted((tmp_path / "flights" / "weather").iterdir())
    for places in ([files[0]], files[:7], [tmp_path / "flights" / "weather"]):
        source = drafted_source(tmp_path, draft_schema(*places, name="Rows"))
        with duckdb.connect() as connection:
            report = validate({"all": later}, source=source, connection=connection)["all"]
        assert report.passed, [check.reasons for check in report.checks]
    assert source.columns.keys == (("origin", "time_hour"),)


def test_files_of_two_kinds_are_not_drafted_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "b.csv").write_text("b\n1\n")
    with pytest.raises(LandingError, match=r"b\.csv: its header is not that of the first file"):
        draft_schema(tmp_path, name="Rows")


def test_key_of_several_columns_is_proposed(tmp_path: Path) -> None:
    rows = "".join(f"{line},{hour},{hour % 5}.5\n" for line in "ABC" for hour in range(24))
    drafted, source, _ = accepts_its_own(tmp_path, f"line,hour,speed\n{rows}")
    assert source.columns.keys == (("line", "hour"),)
    assert 'unique = ["line", "hour"]' in drafted.code


def test_first_line_that_looks_like_data_is_read_as_data_and_asked_about(tmp_path: Path) -> None:
    rows = "\n".join(",".join([str(i), "State-gov", *(f"{i * n / 7:.3f}" for n in range(38))]) for i in range(39, 60))
    drafted, _, _ = accepts_its_own(tmp_path, f"{rows}\n")
    assert drafted.warnings == (
        "header=False? The first line has values and no names: '39', 'State-gov', '0.000', '5.571', …",
    )
    assert f"# {drafted.warnings[0]}" in drafted.code


def test_draft_of_a_survey_says_how_it_is_written_and_accepts_it(tmp_path: Path) -> None:
    rows = "".join(f"{i}; {['State-gov', '?', 'Private'][i % 3]}; {i},5; Straße {i}\n" for i in range(20, 60))
    (tmp_path / "x.csv").write_bytes(gzip.compress(rows.encode("cp1252")))
    (tmp_path / "x.csv").rename(tmp_path / "x.csv.gz")
    drafted = draft_schema(tmp_path, name="Rows")
    source = drafted_source(tmp_path, drafted)
    with duckdb.connect() as connection:
        report = validate({"all": tmp_path / "x.csv.gz"}, source=source, connection=connection)["all"]
    assert report.passed, [check.reasons for check in report.checks]
    assert report.valid.slice(0, 2).drop_columns("source_row").to_pylist() == [
        {"column_1": 20, "column_2": "Private", "column_3": 20.5, "column_4": "Straße 20"},
        {"column_1": 21, "column_2": "State-gov", "column_3": 21.5, "column_4": "Straße 21"},
    ]
    told = drafted.source(name="survey", schema="our.schemas:Rows")
    for line in ("header=False", "delimiter=';'", "decimal=','", "strip=True", "encoding='cp1252'"):
        assert f"    {line},\n" in told
    assert "        'column_2': ('', '?'),\n" in told
    declared: dict[str, Source] = {}
    exec(f"SOURCE = {told}", {"Source": Source}, declared)
    assert declared["SOURCE"].form == source.form


def test_code_na_is_lost_in_no_draft(tmp_path: Path) -> None:
    rows = "".join(f"{['UA', 'NA', 'DL'][i % 3]},{'NA' if i % 4 else i}\n" for i in range(40))
    drafted, _, valid = accepts_its_own(tmp_path, f"carrier,delay\n{rows}")
    assert drafted.format.null_values == {"delay": ("", "NA")}
    assert valid["carrier"].null_count == 0
    assert valid["delay"].null_count == 30


def test_columns_that_differ_in_case_are_both_read_and_told(tmp_path: Path) -> None:
    drafted, _, valid = accepts_its_own(tmp_path, "Umsatz,umsatz\n1.5,x\n2.5,y\n")
    assert drafted.warnings == ("Columns 'Umsatz' and 'umsatz' are one for SQL: the second is called 'umsatz.1' here.",)
    assert valid["umsatz.1"].to_pylist() == ["x", "y"]


def test_dates_in_several_forms_are_told_with_a_row_of_each(tmp_path: Path) -> None:
    rows = "".join(f"{i},2024-03-{i:02}\n" for i in range(1, 10))
    drafted, _, _ = accepts_its_own(tmp_path, f"n,day\n{rows}10,3/10/2024\n")
    (said,) = drafted.warnings
    assert "'day' has dates in 2 forms: 9 as '2024-03-01', first in row 1; 1 as '3/10/2024', first in row 10." in said
    assert "    day: str" in drafted.code


def test_draft_of_parquet_has_its_types_and_accepts_it(tmp_path: Path) -> None:
    table = {
        "code": pa.array(["007", "1"]), "share": pa.array([1.0, None]), "at": pa.array([datetime(2024, 3, 1), None]),
        "flag": pa.array([True, False]), "n": pa.array([1, 2], pa.int16()), "day": pa.array([date(2024, 3, 1)] * 2),
    }  # fmt: skip
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    drafted = draft_schema(tmp_path / "x.parquet", name="Rows")
    with duckdb.connect() as connection:
        source = drafted_source(tmp_path, drafted)
        report = validate({"all": tmp_path / "x.parquet"}, source=source, connection=connection)["all"]
    assert report.passed, [check.reasons for check in report.checks]
    for line in ("code: str", "share: float", "at: datetime", "flag: bool", "n: int", "day: date"):
        assert f"\n    {line}" in drafted.code


def test_name_of_the_model_must_be_a_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(DeclarationError, match="say --name"):
        draft_schema(tmp_path / "a.csv", name="my rows")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(max_size=6), min_size=1, max_size=5),
    st.lists(
        st.lists(st.text(max_size=6) | st.floats().map(str) | st.dates().map(str), min_size=5, max_size=5),
        min_size=1,
        max_size=30,
    ),
)
def test_any_file_that_is_a_table_can_be_drafted_and_is_accepted(header: list[str], rows: list[list[str]]) -> None:
    told = io.StringIO()
    writer = csv.writer(told, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([header, *(row[: len(header)] for row in rows)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_text(told.getvalue(), newline="", errors="replace")
        assume(not inspect_file(path).faults)
        assume(len(header) > 1 or not set(header[0]) & set(";\t|"))
        assume(not any(row[: len(header)] == header for row in rows))
        accepts_its_own(Path(folder), path.read_text())


def test_types_missing_values_and_keys_are_seen(tmp_path: Path) -> None:
    rows = "\n".join(
        f"{i},{i % 2 == 0},2013-01-{i % 28 + 1:02},{i}.5,{'NA' if i % 5 else i},AB{i},00{i},{'xy'[i % 2]}"
        for i in range(40)
    )
    code = draft(tmp_path, f"key,flag,day,number,gap,word,code,kind\n{rows}\n").code
    assert 'key: int = pa.Field(unique=True, in_range={"min_value": 0, "max_value": 390})' in code
    assert "flag: bool\n" in code
    assert "day: date\n" in code
    assert 'number: float = pa.Field(in_range={"min_value": 0, "max_value": 400})' in code
    assert "gap: pd.Int64Dtype = pa.Field(nullable=True" in code
    assert 'word: str = pa.Field(unique=True, str_matches=r"^[0-9A-Z]{3,4}$")' in code
    assert "code: str" in code
    assert 'kind: str = pa.Field(isin=["x", "y"])' in code


def test_formats_of_dates_are_seen(tmp_path: Path) -> None:
    code = draft(
        tmp_path, "a,b,c,d\n03/06/2013,3.6.2013 10:00,03/06/2013,12-Jun-2013\n25/06/2013,NA,04/07/2013,1-Jul-2013\n"
    ).code
    assert 'a: str = pa.Field(str_matches=r"^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}$")  # dates as %d/%m/%Y; only ISO' in code
    assert (
        r'b: str = pa.Field(nullable=True, str_matches=r"^[0-9]{1,2}[.][0-9]{1,2}[.][0-9]{4} [0-9]{2}:[0-9]{2}$")'
        in code
    )
    assert "# dates as %d/%m/%Y or %m/%d/%Y; only ISO" in code
    assert 'd: str = pa.Field(str_matches=r"^[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}$")  # dates as %d-%b-%Y' in code


def test_what_is_no_table_cannot_be_drafted(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match="no rows to learn from"):
        draft(tmp_path, "a,b\n")
    with pytest.raises(LandingError, match="cut"):
        draft(tmp_path, "a,b\n1,2")


def test_diff_says_which_rows_a_change_refuses_and_accepts(tmp_path: Path) -> None:
    def model(high: int) -> Model:
        code = (
            "import pandera.pandas as pa\n\n\nclass Rows(pa.DataFrameModel):\n"
            f"    number: int = pa.Field(in_range={{'min_value': 0, 'max_value': {high}}})\n"
        )
        return load(tmp_path, code)

    (tmp_path / "x.csv").write_text("number\n1\n5\n9\n")
    source = Source(
        name="x", description="X.", owner="tests", cadence=Cadence.STATIC, schema=model(4), max_quarantined_share=0.7
    )
    files = {"all": tmp_path / "x.csv"}
    with duckdb.connect() as connection:
        (wider,) = compare_schemas(files, source=source, proposed=model(6), connection=connection)
        (narrower,) = compare_schemas(files, source=source, proposed=model(0), connection=connection)
        (same,) = compare_schemas(files, source=source, proposed=model(4), connection=connection)
    assert (wider.newly_accepted, wider.newly_refused) == ({"in_range(0, 4) of number": 1}, {})
    assert narrower.newly_refused == {"in_range(0, 0) of number": 1}
    assert (narrower.passed_before, narrower.passes_now) == (True, False)
    assert not same.changed
