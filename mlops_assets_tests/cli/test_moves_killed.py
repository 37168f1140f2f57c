"""kill -9 around a move of the champion's pointer: whenever it falls, the pointer names a Bento that is whole."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mlops_assets.stores.models.bento_store import bento_home, find_bento
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.models.registry import load_record
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.use_cases.installed import run_python

pytestmark = pytest.mark.slow

# Runs `mlops …` and dies at a named moment.
KILLED = """
import os, signal, sys
from mlops_assets.cli import models
from mlops_assets.cli.main import main
from mlops_assets.stores.models import bento_store

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def then_die(function):
    return lambda *values, **named: (function(*values, **named), die())

moment = sys.argv.pop(1)
if moment == "while it is packaged":
    bento_store._run_build = then_die(bento_store._run_build)
if moment == "between packaging and moving":
    models.make_ready = then_die(models.make_ready)
if moment == "right after moving":
    models._show = die
main()
"""
MOVES = {"promote": ("promote", "OLDER", "--override", "--reason", "a test"), "rollback": ("rollback", "parcels")}


@pytest.fixture
def unpackaged(challenged: Deployment) -> tuple[Deployment, str, str]:
    """Two versions, the younger serves, the older is packaged nowhere; the older, the younger."""
    younger = require_champion(challenged.lake.at(), use_case="parcels").version
    home = bento_home(challenged.data)
    (older,) = {path.name for path in (home / "bentos" / "parcels").iterdir() if path.is_dir()} - {younger}
    for kind in ("bentos", "models"):
        shutil.rmtree(home / kind / "parcels" / older)
    return challenged, older, younger


def killed(moment: str, *words: str, deployment: Deployment, path: Path) -> subprocess.CompletedProcess[str]:
    """`mlops …` in a process that dies then."""
    return run_python("-c", KILLED, moment, *words, path=path, MLOPS_DATA_DIR=str(deployment.data))


def assert_a_restart_finds_its_bento(deployment: Deployment, *, version: str) -> None:
    head = deployment.lake.at()
    assert require_champion(head, use_case="parcels").version == version
    found = find_bento("parcels", version=version, data_dir=deployment.data)
    recorded = load_record(head, use_case="parcels", version=version).files
    assert found is not None
    assert {name: found.checksums.get(name) for name in recorded} == recorded


@pytest.mark.parametrize(
    ("command", "moment"),
    [
        ("promote", "while it is packaged"),
        ("promote", "between packaging and moving"),
        ("promote", "right after moving"),
        ("rollback", "between packaging and moving"),
    ],
)
def test_a_restart_finds_its_bento_whenever_a_move_is_killed(
    unpackaged: tuple[Deployment, str, str], run_mlops: Mlops, installed_toy: Path, command: str, moment: str
) -> None:
    deployment, older, younger = unpackaged
    words = [older if word == "OLDER" else word for word in MOVES[command]]
    moved = moment == "right after moving"

    done = killed(moment, *words, deployment=deployment, path=installed_toy)

    assert done.returncode == -9, done.stderr
    assert_a_restart_finds_its_bento(deployment, version=older if moved else younger)
    if not moved:
        run_mlops(*words)
        assert_a_restart_finds_its_bento(deployment, version=older)
        latest = bento_home(deployment.data) / "bentos" / "parcels" / "latest"
        assert latest.read_text() == older
