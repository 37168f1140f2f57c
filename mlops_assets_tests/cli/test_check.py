"""`mlops check` says what is declared and what has landed, and ends with 1 only if something will stop it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets_tests.use_cases.installed import install, on_path
from mlops_assets_tests.watch.drafting.tables import outcomes, write_table

DECLARATION = """
from mlops_assets import Source, UseCase

USE_CASE = UseCase(
    name="shop",
    sources=(Source(name="shop", schema="team_shop.schemas:Rows"),),
    label="late",
    owner="team:shop",
)
"""
SCHEMA = """
import pandera.pandas as pa


class Rows(pa.DataFrameModel):
    amount: float = pa.Field(nullable=True)
    town: str
    late: int = pa.Field(isin=[0, 1])

    class Config:
        strict = True
        ordered = True
"""


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the files of an installed use case land."""
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "400")
    folder = tmp_path / "data" / "landing" / "shop" / "shop"
    folder.mkdir(parents=True)
    files = {"team_shop/__init__.py": DECLARATION, "team_shop/schemas.py": SCHEMA}
    with on_path(install("team-shop", points={"shop": "team_shop"}, to=tmp_path / "site", files=files)):
        yield folder


def check(name: str = "shop") -> Result:
    return CliRunner().invoke(app, ["check", name], catch_exceptions=False)


def rows(**columns: Sequence[object]) -> Mapping[str, Sequence[object]]:
    labels, measure = outcomes(600)
    return {"amount": measure, "town": ["Bonn", "Köln", "Ulm"] * 200, "late": labels} | columns


def test_what_is_declared_is_said_before_anything_has_landed(landing: Path) -> None:
    told = check()

    assert told.exit_code == 0
    assert "It predicts whether 'late' is true." in told.output
    assert "It learns from 2 features: 'amount', 'town'." in told.output
    assert "Nothing of 'shop' has landed: `mlops land shop FILE…` does that." in told.output


def test_files_that_fit_stop_nothing(landing: Path) -> None:
    write_table(landing / "first.csv", rows())

    told = check()

    assert told.exit_code == 0
    assert "1 landed file of 'shop' fits its schema." in told.output
    assert "Label 'late' has 2 classes" in told.output


def test_a_leak_will_stop_it(landing: Path) -> None:
    write_table(landing / "first.csv", rows(amount=[value * 7.5 for value in outcomes(600)[0]]))

    told = check()

    assert told.exit_code == 1
    assert "will stop you  'amount' 1.000: training refuses what tells the label so well by itself" in told.output


def test_a_constant_label_will_stop_it(landing: Path) -> None:
    write_table(landing / "first.csv", rows(late=[0] * 600))

    told = check()

    assert told.exit_code == 1
    assert "Label 'late' is '0' in all 600 rows" in told.output


def test_a_file_of_another_kind_will_stop_it(landing: Path) -> None:
    write_table(landing / "first.csv", {"amount": [1.5], "late": [1]})

    told = check()

    assert told.exit_code == 1
    assert "'shop' of 'first' will be refused: Missing columns: town." in told.output


def test_features_that_say_nothing_should_be_left_out(landing: Path) -> None:
    write_table(landing / "first.csv", rows(town=["Bonn"] * 600))

    told = check()

    assert told.exit_code == 0
    assert "'town' is the same in every row, so nothing can be learnt from it: put it into left_out." in told.output


def test_a_broken_use_case_is_one_sentence(landing: Path, tmp_path: Path) -> None:
    (tmp_path / "site" / "team_shop" / "__init__.py").write_text(DECLARATION.replace('"late"', '"latte"'))

    told = check()

    assert told.exit_code == 1
    assert "will stop you  Use case 'shop'" in told.output
    assert "latte" in told.output
    assert "Traceback" not in told.output


def test_an_unknown_name_lists_what_there_is() -> None:
    told = check("nothing")

    assert told.exit_code == 1
    assert "Unknown use case 'nothing'." in told.output
