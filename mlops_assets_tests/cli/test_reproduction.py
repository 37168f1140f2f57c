"""`mlops reproduce` where it counts: in a fresh clone, with the lake carried over, after the code has moved on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlops_assets.lake.connection import embedded_server
from mlops_assets_tests.orchestration.toy import day_number

ROOT = Path(__file__).parents[2]
PACKAGES = ("mlops_assets", "mlops_assets_tests")
DECLARED = "from mlops_assets_tests.orchestration.toy import PARCELS as USE_CASE"
TRAIN = """
import dagster as dg
from mlops_assets.stores.models.champion import champion
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets.lake.settings import data_directory
with dg.DagsterInstance.ephemeral() as instance:
    deployment = Deployment(data=data_directory(), instance=instance)
    deployment.land(0, 9)
    deployment.ingest()
    deployment.train()
    print(champion(deployment.lake.at(), use_case="parcels").version)
"""
MLOPS = "from mlops_assets.cli.main import main; main()"


def run(checkout: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A Python program with the code of ``checkout``, which has its data in its own ``data`` folder."""
    foreign = ("MLOPS_", "LAKEFS_", "LAKECTL_", "DAGSTER_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    own = {"PYTHONPATH": str(checkout), "LAKECTL_CONFIG_FILE": str(checkout / "none"), "COLUMNS": "160"}
    return subprocess.run(
        [sys.executable, "-c", *command],
        cwd=checkout,
        env={**clean, **own, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def git(checkout: Path, *arguments: str) -> None:
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.com")
    subprocess.run(["git", *who, "-C", str(checkout), *arguments], check=True, capture_output=True)


def commit(checkout: Path) -> None:
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "as it is")


def make_checkout(folder: Path) -> Path:
    """A checkout in which the toy is a use case, committed."""
    leave = shutil.ignore_patterns("__pycache__", "flights", "income")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=leave)
    declared = folder / "mlops_assets" / "use_cases" / "parcels" / "__init__.py"
    declared.parent.mkdir()
    declared.write_text(DECLARED, encoding="utf-8")
    (folder / "pyproject.toml").touch()
    (folder / ".gitignore").write_text("data/\n__pycache__/\n", encoding="utf-8")
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a version was trained; the code there has moved on since."""

    checkout: Path
    version: str

    def clone(self, to: Path) -> Path:
        """A fresh clone, without data."""
        git(to.parent, "clone", "--quiet", str(self.checkout), str(to))
        return to


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    """A champion, trained before training was changed."""
    checkout = make_checkout(tmp_path_factory.mktemp("origin") / "checkout")
    trained = run(checkout, TRAIN)
    assert trained.returncode == 0, trained.stderr
    booster = checkout / "mlops_assets" / "training" / "booster.py"
    booster.write_text(booster.read_text(encoding="utf-8") + '\nDEFAULTS = {**DEFAULTS, "lambda": 50.0}\n')
    declared = checkout / "mlops_assets" / "use_cases" / "parcels" / "__init__.py"
    declared.write_text(DECLARED + "\n# It means the same.\n", encoding="utf-8")
    commit(checkout)
    return Origin(checkout=checkout, version=trained.stdout.split()[-1])


def restore(source: Path, *, to: Path) -> None:
    """Backup and restore of the embedded lake as `docs/lake.md` has it."""
    to.mkdir(parents=True)
    sqlite3.connect(source / "lake.db").backup(sqlite3.connect(to / "lake.db"))
    shutil.copytree(source / "objects", to / "objects")
    shutil.copy(source / "credentials.json", to)


def copy_lake(source: Path, *, clone: Path) -> None:
    """`mlops lake copy` into the lake of ``clone``, which answers as any lakeFS does meanwhile."""
    server = embedded_server(clone / "data" / "lake")
    try:
        copied = run(
            clone,
            MLOPS,
            "lake",
            "copy",
            "--data",
            str(source),
            LAKEFS_ENDPOINT=server.endpoint,
            LAKEFS_ACCESS_KEY_ID=server.access_key_id,
            LAKEFS_SECRET_ACCESS_KEY=server.secret_access_key,
            LAKEFS_STORAGE_NAMESPACE="local://copy",
        )
    finally:
        server.close()
    assert copied.returncode == 0, copied.stderr


@pytest.mark.slow
def test_a_fresh_clone_with_newer_code_and_a_restored_lake_rebuilds_the_version_to_the_last_bit(
    origin: Origin, tmp_path: Path
) -> None:
    clone = origin.clone(tmp_path / "clone")
    restore(origin.checkout / "data" / "lake", to=clone / "data" / "lake")

    rebuilt = run(clone, MLOPS, "reproduce", origin.version)
    with_todays_code = run(clone, MLOPS, "reproduce", origin.version, "--here")

    assert rebuilt.returncode == 0, rebuilt.stderr
    assert "checked out for it" in rebuilt.stdout
    assert "Identical to the last bit." in rebuilt.stdout
    assert with_todays_code.returncode == 1
    assert "code of features and recipe was" in with_todays_code.stdout
    assert "file __init__.py was" in with_todays_code.stdout


@pytest.mark.slow
def test_a_lake_that_was_copied_by_mlops_lake_copy_will_do_as_well(origin: Origin, tmp_path: Path) -> None:
    clone = origin.clone(tmp_path / "clone")
    copy_lake(origin.checkout / "data", clone=clone)
    assert origin.version.startswith(day_number(9))

    rebuilt = run(clone, MLOPS, "reproduce", origin.version)

    assert rebuilt.returncode == 0, rebuilt.stderr
    assert "Identical to the last bit." in rebuilt.stdout
