"""From a CSV that nobody has seen to a packaged model that answers, with `mlops new` and no edits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sklearn import datasets
from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets.contract.use_case import UseCase
from mlops_assets.use_cases import registry
from mlops_assets_tests.end_to_end.short_forms import to_service
from mlops_assets_tests.use_cases.installed import install, on_path

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
