"""`mlops validate` judges a file before it lands, tells what is wrong, and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from mlops_assets.cli.profiles import profile
from mlops_assets.cli.validation import validate
from mlops_assets.contract.errors import DeclarationError, LandingError
from mlops_assets.lake.connection import close_embedded_servers
from mlops_assets.use_cases.flights.seed import land_seed

Mlops = Callable[..., Result]
DAY = "2013-01-05"


@pytest.fixture
def mlops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mlops]:
    """Runs `mlops …` where nothing but a data folder is configured."""
    for name in ("LAKEFS_ENDPOINT", "LAKECTL_SERVER_ENDPOINT_URL", "LAKEFS_REPOSITORY", "MLOPS_LAKE_BRANCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAKECTL_CONFIG_FILE", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path / "data"))
    app = typer.Typer()
    app.command()(validate)
    app.command()(profile)
    app.callback()(lambda: None)
    yield lambda *words: CliRunner().invoke(app, words, catch_exceptions=False)
    close_embedded_servers()


@pytest.fixture
def weather(tmp_path: Path) -> Path:
    """A day's weather, as it would land."""
    day = date.fromisoformat(DAY)
    land_seed(tmp_path / "zone", first=day, last=day, sources=["weather"])
    return tmp_path / "zone" / "flights" / "weather" / f"{DAY}.csv"


def test_good_file_passes(mlops: Mlops, weather: Path) -> None:
    result = mlops("validate", "flights", "--source", "weather", "--file", str(weather))
    assert result.exit_code == 0
    assert f"weather {DAY}: good, 72 rows" in result.output
    assert "Nothing is wrong or unusual." in result.output


def test_bad_file_is_refused_with_its_anomalies_as_json(mlops: Mlops, weather: Path) -> None:
    weather.write_text(weather.read_text().replace("2013,1,5", "2013,1,6"))
    result = mlops("validate", "flights", "--source", "weather", "--file", str(weather), "--json")
    assert result.exit_code == 1
    (report,) = json.loads(result.output)
    assert report["batch"] == DAY
    assert {"other_batch", "rule_broken"} <= {each["code"] for each in report["anomalies"]}
    assert all(each["what_to_do"] for each in report["anomalies"])


def test_landed_batch_is_found_by_its_day(mlops: Mlops, weather: Path, tmp_path: Path) -> None:
    day = date.fromisoformat(DAY)
    land_seed(tmp_path / "data" / "landing", first=day, last=day, sources=["weather"])
    assert mlops("validate", "flights", "--day", DAY, "--source", "weather").exit_code == 0
    with pytest.raises(LandingError, match="neither in"):
        mlops("validate", "flights", "--day", "2013-01-06", "--source", "weather")


def test_unclear_questions_are_answered_with_what_is_lacking(mlops: Mlops, weather: Path) -> None:
    with pytest.raises(DeclarationError, match="Say --source with one of flights, weather"):
        mlops("validate", "flights", "--file", str(weather))
    with pytest.raises(DeclarationError, match="Say --day"):
        mlops("validate", "flights")
    nameless = weather.rename(weather.with_name("export.csv"))
    with pytest.raises(LandingError, match="Say which one with --day"):
        mlops("validate", "flights", "--source", "weather", "--file", str(nameless))


def test_profile_page_is_written_for_a_landed_day(mlops: Mlops, tmp_path: Path) -> None:
    day = date.fromisoformat(DAY)
    land_seed(tmp_path / "data" / "landing", first=day, last=day, sources=["weather"])
    result = mlops("profile", "flights", "--day", DAY, "--source", "weather", "--out", str(tmp_path / "page.html"))
    assert result.exit_code == 0
    assert f"weather {DAY}" in (tmp_path / "page.html").read_text()
    with pytest.raises(DeclarationError, match="no champion yet"):
        mlops("profile", "flights", "--day", DAY, "--source", "weather", "--against", "training")
    with pytest.raises(DeclarationError, match="is not daily"):
        mlops("profile", "flights", "--day", DAY, "--source", "planes")
