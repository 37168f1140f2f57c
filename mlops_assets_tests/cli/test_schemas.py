"""`mlops schema` drafts a model of what it is given, and says what to look at first."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets.use_cases.flights.seed import land_seed


def test_draft_of_a_folder_is_printed_as_python(tmp_path: Path) -> None:
    land_seed(tmp_path, first=date(2013, 5, 7), last=date(2013, 5, 9), sources=["weather"])
    folder = tmp_path / "flights" / "weather"
    told = CliRunner().invoke(app, ["schema", "infer", str(folder), "--name", "WeatherRows"], catch_exceptions=False)
    assert told.exit_code == 0
    assert told.stdout.startswith('"""Drafted from 3 files, 2013-05-07.csv to 2013-05-09.csv (216 rows).')
    assert "class WeatherRows(pa.DataFrameModel):" in told.stdout
    assert told.stderr == ""
    compile(told.stdout, "drafted.py", "exec")


def test_missing_header_is_asked_about_beside_the_draft(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("".join(f"{i},{i * 0.7:.2f},2013-01-{i:02}\n" for i in range(1, 29)))
    told = CliRunner().invoke(app, ["schema", "infer", str(tmp_path / "x.csv")], catch_exceptions=False)
    assert told.stderr == "header=False? The first line has values and no names: '1', '0.70', '2013-01-01', …\n"
    assert told.stdout.startswith('"""Drafted')
    assert "#     header=False," in told.stdout
    compile(told.stdout, "drafted.py", "exec")
