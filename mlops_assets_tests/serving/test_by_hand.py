"""`bentoml serve` as a person types it: from any folder, with relative paths, and refused where it could not work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

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

SETTINGS = ("BENTOML_HOME", "MLOPS_DATA_DIR", "BENTOML_DO_NOT_TRACK", "MLOPS_LAKE_BRANCH")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a deployment in ``data``, in which one Bento is built."""
    folder = tmp_path_factory.mktemp("by-hand")
    files = make_model_files(folder / "model")
    checkout = make_checkout(folder / "checkout")
    build_bento(files, use_case="parcels", version=VERSION, data_dir=folder / "data", checkout=checkout)
    shutil.rmtree(checkout)
    refresh(folder / "data", make_history())
    return folder


def begin(folder: Path, *, settings: Mapping[str, str], log: Path) -> ServedBento:
    """`bentoml serve parcels:latest` in ``folder`` with just these settings."""
    environ = {name: value for name, value in os.environ.items() if name not in SETTINGS} | dict(settings)
    port = free_port()
    command = [sys.executable, "-m", "bentoml", "serve", "parcels:latest", "--port", str(port), "--host", "127.0.0.1"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    return ServedBento(url=f"http://127.0.0.1:{port}", log=log, process=process)


def test_relative_settings_mean_the_folder_where_they_were_typed(folder: Path, tmp_path: Path) -> None:
    settings = {"BENTOML_HOME": "data/bentoml", "MLOPS_DATA_DIR": "data"}
    running = begin(folder, settings=settings, log=tmp_path / "log")
    try:
        wait_until_ready(running)
        status, answer = Client(running.url).post({"rows": [make_parcel()]})
    finally:
        stop(running)

    assert status == 200
    assert answer["predictions"][0]["history_as_of"] == "2013-07-01"
    assert (folder / "data" / "prediction_log" / "parcels.sqlite").exists()
    assert not list((folder / "data" / "bentoml").rglob("parcels.sqlite"))


@pytest.mark.parametrize(
    ("data", "said"),
    [({}, "MLOPS_DATA_DIR is not set"), ({"MLOPS_DATA_DIR": "no/such"}, "where no folder is")],
    ids=["unset", "no folder"],
)
def test_without_a_data_folder_it_ends_with_one_sentence(
    folder: Path, tmp_path: Path, data: dict[str, str], said: str
) -> None:
    running = begin(folder, settings={"BENTOML_HOME": "data/bentoml", **data}, log=tmp_path / "log")

    ended = running.process.wait(60)

    told = running.log.read_text(encoding="utf-8")
    assert ended == 1
    assert said in told
    assert "Traceback" not in told
    assert not list((folder / "data" / "bentoml").rglob("parcels.sqlite"))


def test_what_mlops_env_prints_is_absolute_and_enough(folder: Path, tmp_path: Path) -> None:
    program = "from mlops_assets.cli.main import main; main()"
    script = (
        f'eval "$({sys.executable} -c "{program}" env)"; '
        f'{sys.executable} -c "import json, os; print(json.dumps(dict(os.environ)))"'
    )
    environ = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    environ |= {"MLOPS_DATA_DIR": "data", "PYTHONPATH": str(ROOT)}

    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environ, capture_output=True, text=True, check=True)

    told = json.loads(done.stdout)
    assert told["MLOPS_DATA_DIR"] == str(folder / "data")
    assert told["BENTOML_HOME"] == str(folder / "data" / "bentoml")
    assert told["BENTOML_DO_NOT_TRACK"] == "true"
