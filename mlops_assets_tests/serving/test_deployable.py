"""The folder ``bento/`` is what `bentoml serve` and `bentoml build` take in a checkout: its code, a packaged model."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mlops_assets.stores.models.bento_store import build_bento
from mlops_assets_tests.serving.factories import (
    ROOT,
    VERSION,
    make_checkout,
    make_history,
    make_model_files,
    make_parcel,
)
from mlops_assets_tests.serving.factories import refresh_online_store as refresh
from mlops_assets_tests.serving.servers import Client, ServedBento, free_port, stop, wait_until_ready

ARGUMENTS = ("--arg", "use_case=parcels", "--arg", f"model=parcels:{VERSION}")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout with a deployment in ``data``, in which one model is packaged."""
    folder = make_checkout(tmp_path_factory.mktemp("deployable") / "checkout")
    shutil.copytree(ROOT / "bento", folder / "bento", ignore=shutil.ignore_patterns("__pycache__"))
    files = make_model_files(folder / "model")
    build_bento(files, use_case="parcels", version=VERSION, data_dir=folder / "data", checkout=folder)
    refresh(folder / "data", make_history())
    return folder


def bentoml(*arguments: str, checkout: Path) -> dict[str, object]:
    """How `bentoml` is run in the checkout, with its code and its data."""
    settings = {"BENTOML_HOME": str(checkout / "data" / "bentoml"), "MLOPS_DATA_DIR": str(checkout / "data")}
    environ = {**os.environ, **settings, "PYTHONPATH": str(checkout), "BENTOML_DO_NOT_TRACK": "true"}
    return {"args": [sys.executable, "-m", "bentoml", *arguments], "cwd": checkout, "env": environ}


def ask(tag: str, *arguments: str, checkout: Path, log: Path) -> int:
    """The status of one answer of what `bentoml serve` serves."""
    port = free_port()
    command = bentoml("serve", tag, *arguments, "--port", str(port), "--host", "127.0.0.1", checkout=checkout)
    with log.open("wb") as out:
        process = subprocess.Popen(**command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)  # type: ignore[call-overload]
    running = ServedBento(url=f"http://127.0.0.1:{port}", log=log, process=process)
    try:
        wait_until_ready(running)
        return Client(running.url).post({"rows": [make_parcel()]})[0]
    finally:
        stop(running)


def test_a_packaged_model_is_served_with_the_code_of_the_checkout(checkout: Path, tmp_path: Path) -> None:
    assert ask("bento.service:PredictionService", *ARGUMENTS, checkout=checkout, log=tmp_path / "log") == 200


def test_it_can_be_built_by_hand_and_answers(checkout: Path, tmp_path: Path) -> None:
    command = bentoml("build", "-f", "bento/bentofile.yaml", ".", "--version", "byhand", *ARGUMENTS, checkout=checkout)
    built = subprocess.run(**command, capture_output=True, text=True, check=False)  # type: ignore[call-overload]

    assert built.returncode == 0, built.stderr
    assert ask("parcels:byhand", checkout=checkout, log=tmp_path / "log") == 200


def test_it_asks_for_what_an_installation_that_only_serves_has() -> None:
    told = yaml.safe_load((ROOT / "bento" / "bentofile.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert sorted(told["python"]["packages"]) == sorted(
        [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    )
