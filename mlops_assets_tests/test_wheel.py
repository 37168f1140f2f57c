"""The wheel holds all that a checkout does: code, SQL, seed data, templates, and the commit it was built from."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_every_file_of_the_package_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "mlops_assets"], capture_output=True, text=True, check=True
    )
    there = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}

    assert there
    assert there - set(wheel.namelist()) == set()


def test_the_wheel_says_which_commit_it_was_built_from(wheel: zipfile.ZipFile) -> None:
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)

    assert json.loads(wheel.read("mlops_assets/built_from.json"))["commit"] == head.stdout.strip()
