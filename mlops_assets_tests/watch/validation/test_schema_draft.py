"""A drafted model accepts the file it was drafted from, and says what can be seen in it."""

from __future__ import annotations

import importlib.util
from datetime import date
from pathlib import Path

import duckdb
import pytest

from mlops_assets.contract.errors import LandingError
from mlops_assets.contract.schema import Model
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.use_cases.flights.seed import land_seed
from mlops_assets.use_cases.flights.use_case import USE_CASE
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


@pytest.mark.parametrize("name", ["flights", "weather", "planes", "airlines", "airports"])
def test_draft_accepts_the_real_file(name: str, tmp_path: Path) -> None:
    land_seed(tmp_path, first=DAY, last=DAY, sources=[name])
    (file,) = (tmp_path / "flights" / name).iterdir()
    drafted = draft_schema(file, name="Rows")
    source = Source(
        name=name,
        description="Drafted.",
        owner="tests",
        cadence=Cadence.STATIC,
        schema=load(tmp_path, drafted.code),
        null_values=drafted.null_values,
        max_quarantined_share=0.0,
    )
    with duckdb.connect() as connection:
        report = validate({"all": file}, source=source, connection=connection)["all"]
    assert report.passed, [check.reasons for check in report.checks]
    assert source.columns.names == USE_CASE.source(name).columns.names


def test_types_missing_values_and_keys_are_seen(tmp_path: Path) -> None:
    rows = "\n".join(
        f"{i},{i % 2 == 0},2013-01-{i % 28 + 1:02},{i}.5,{'NA' if i % 5 else i},AB{i},00{i},{'xy'[i % 2]}"
        for i in range(40)
    )
    code = draft(tmp_path, f"key,flag,day,number,gap,word,code,kind\n{rows}\n").code
    assert 'key: int = pa.Field(unique=True, in_range={"min_value": 0, "max_value": 49})' in code
    assert "flag: bool\n" in code
    assert "day: date\n" in code
    assert 'number: float = pa.Field(in_range={"min_value": 0, "max_value": 50})' in code
    assert "gap: pd.Int64Dtype = pa.Field(nullable=True" in code
    assert 'word: str = pa.Field(unique=True, str_matches=r"^[0-9A-Z]{3,4}$")' in code
    assert "code: str" in code
    assert "kind: str = pa.Field(isin=['x', 'y'])" in code


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
    with pytest.raises(LandingError, match="different Python names; found of flight"):
        draft(tmp_path, "of flight,b\n1,2\n")
    with pytest.raises(LandingError, match="Say --delimiter"):
        draft(tmp_path, "a;b\n1;2\n")


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
