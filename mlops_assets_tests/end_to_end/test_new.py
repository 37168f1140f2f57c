"""From a CSV that nobody has seen to a packaged model that answers, with `mlops new` and no edits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import datasets
from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets.contract.use_case import UseCase
from mlops_assets.use_cases import registry
from mlops_assets_tests.end_to_end.short_forms import to_service
from mlops_assets_tests.use_cases.installed import install, on_path
from mlops_assets_tests.watch.drafting.tables import outcomes, write_table

pytestmark = pytest.mark.slow

DATA: dict[str, Callable[..., Any]] = {
    "breast_cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}


@contextmanager
def written(name: str, file: Path, *words: str, folder: Path) -> Iterator[UseCase]:
    """The use case that `mlops new` writes of a file, in a repository that is installed within the block."""
    root = folder / f"team-{name.replace('_', '-')}"
    done = CliRunner().invoke(
        app, ["new", name, "--from", str(file), "--repository", str(root), *words], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    install(root.name, points={name: f"team_{name}.{name}"}, to=root)
    with on_path(root):
        yield registry.find(name)


@pytest.mark.parametrize("name", DATA)
def test_a_csv_becomes_a_packaged_model_without_edits(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path / "data"))
    file = tmp_path / f"{name}.csv"
    DATA[name](as_frame=True).frame.to_csv(file, index=False)

    with written(name, file, "--label", "target", folder=tmp_path) as use_case:
        bento = to_service(use_case, files={"first": file.read_bytes()}, data=tmp_path / "data")
        checked = CliRunner().invoke(app, ["check", name], catch_exceptions=False)

    assert bento.tag
    assert checked.exit_code == 0, checked.output
    assert f"1 landed file of '{name}' fits its schema" in " ".join(checked.output.split())


def test_a_daily_series_is_landed_cut_and_packaged_without_edits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path / "data"))
    numbers, chance = np.arange(900), np.random.default_rng(0)
    days = [date(2020, 1, 1) + timedelta(days=number) for number in range(900)]
    degrees = np.round(12 - 10 * np.cos(numbers / 58) + chance.normal(0, 2, 900), 1)
    loads = np.round(300 - 8 * degrees + chance.normal(0, 12, 900), 1)
    columns = {"day": days, "weekday": [day.weekday() for day in days], "degrees": degrees, "load": loads}
    file = write_table(tmp_path / "series.csv", columns)

    with written("series", file, "--label", "load", "--time", "day", folder=tmp_path) as use_case:
        landed = CliRunner().invoke(app, ["land", "series", str(file)], catch_exceptions=False)
        batches = sorted((tmp_path / "data" / "landing" / "series" / "series").iterdir())
        files = {path.stem: path.read_bytes() for path in batches}
        bento = to_service(use_case, files=files, data=tmp_path / "data")

    assert landed.exit_code == 0, landed.output
    assert len(files) == 30
    assert bento.tag


def test_no_header_blanks_question_marks_and_weights_come_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path / "data"))
    labels, measure = outcomes(600)
    lines = [
        f"{value}, {'?' if n % 9 == 0 else 'Private'}, {n % 5 * 100 + 1}, {'>50K' if label else '<=50K'}"
        for n, (label, value) in enumerate(zip(labels, measure, strict=True))
    ]
    file = tmp_path / "census.data.csv"
    file.write_text("\n".join([*lines, ""]))

    with written("census", file, "--label", "column_4", "--weight", "column_3", folder=tmp_path) as use_case:
        bento = to_service(use_case, files={"first": file.read_bytes()}, data=tmp_path / "data")

    assert use_case.weight == "column_3"
    assert bento.tag
