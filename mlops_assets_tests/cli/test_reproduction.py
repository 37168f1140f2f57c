"""`mlops reproduce` where it counts: in a fresh clone, with a restored lake, after the code has moved on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets_tests.orchestration.toy import day_number

ROOT = Path(__file__).parents[2]
PACKAGES = ("mlops_assets", "mlops_assets_tests", "bento")
DECLARED = "from mlops_assets_tests.orchestration.toy import PARCELS as USE_CASE"
TRAIN = """
import dagster as dg
from mlops_assets.stores.models.champion import champion
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets.stores.settings import data_directory
with dg.DagsterInstance.ephemeral() as instance:
    deployment = Deployment(data=data_directory(), instance=instance)
    deployment.land(0, 9)
    deployment.ingest()
    deployment.train()
    print(champion(deployment.lake.at(), use_case="parcels").version)
"""
REPRODUCE = "from mlops_assets.cli.main import main; main()"


def run(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A Python program with the code of ``checkout``, which has its data in its own ``data`` folder."""
    foreign = ("MLOPS_", "LAKEFS_", "LAKECTL_", "DAGSTER_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return subprocess.run(
        [sys.executable, "-c", *command],
        cwd=checkout,
        env={**clean, "PYTHONPATH": str(checkout), "LAKECTL_CONFIG_FILE": str(checkout / "none"), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )


def git(checkout: Path, *arguments: str) -> None:
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.com")
    subprocess.run(["git", *who, "-C", str(checkout), *arguments], check=True, capture_output=True)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A checkout in which the toy is a use case, committed."""
    checkout = tmp_path / "original"
    leave = shutil.ignore_patterns("__pycache__", "flights", "income")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, checkout / package, ignore=leave)
    declared = checkout / "mlops_assets" / "use_cases" / "parcels" / "__init__.py"
    declared.parent.mkdir()
    declared.write_text(DECLARED, encoding="utf-8")
    (checkout / "pyproject.toml").touch()
    (checkout / ".gitignore").write_text("data/\n__pycache__/\n", encoding="utf-8")
    git(checkout, "init", "--quiet")
    commit(checkout)
    return checkout


def commit(checkout: Path) -> None:
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "as it is")


def restore(source: Path, *, to: Path) -> None:
    """Backup and restore of the embedded lake as `docs/lake.md` has it."""
    to.mkdir(parents=True)
    sqlite3.connect(source / "lake.db").backup(sqlite3.connect(to / "lake.db"))
    shutil.copytree(source / "objects", to / "objects")
    shutil.copy(source / "credentials.json", to)


@pytest.mark.slow
def test_a_fresh_clone_with_newer_code_and_a_restored_lake_rebuilds_the_version_to_the_last_bit(
    original: Path, tmp_path: Path
) -> None:
    trained = run(original, TRAIN)
    assert trained.returncode == 0, trained.stderr
    version = trained.stdout.split()[-1]
    assert version.startswith(day_number(9))
    booster = original / "mlops_assets" / "ml" / "training" / "booster.py"
    booster.write_text(booster.read_text(encoding="utf-8") + '\nDEFAULTS = {**DEFAULTS, "lambda": 50.0}\n')
    commit(original)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(original), str(clone))
    restore(original / "data" / "lake", to=clone / "data" / "lake")

    rebuilt = run(clone, REPRODUCE, "reproduce", version)
    with_todays_code = run(clone, REPRODUCE, "reproduce", version, "--here")

    assert rebuilt.returncode == 0, rebuilt.stderr
    assert "checked out for it" in rebuilt.stdout
    assert "Identical to the last bit." in rebuilt.stdout
    assert with_todays_code.returncode == 1
    assert "code of features and recipe was" in with_todays_code.stdout
