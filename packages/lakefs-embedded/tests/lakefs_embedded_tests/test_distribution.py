"""What a person gets who installs this: its page is right, and its wheel is whole and enough by itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGE = PROJECT / "lakefs_embedded"
ASK = """
import pathlib, urllib.request
from lakefs_embedded import EmbeddedLakeFS
with EmbeddedLakeFS.start(pathlib.Path("lake")) as server:
    print(urllib.request.urlopen(server.endpoint + "/api/v1/healthcheck", timeout=30).status)
"""


def run(*command: str | Path, folder: Path) -> str:
    """What a command prints, run in a folder outside the checkout and without its path."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, PROJECT, folder=folder)
    (built,) = folder.glob("lakefs_embedded-*.whl")
    return built


def test_the_first_example_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    page = (PROJECT / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert example is not None
    assert run(sys.executable, "-c", example[1], folder=tmp_path) == "['2013-01-01.csv']\n"


@pytest.mark.slow
def test_the_wheel_holds_the_package_its_types_and_its_licence_and_nothing_else(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    info = next(name for name in held if name.endswith(".dist-info/METADATA")).rpartition("/")[0]
    package = {f"lakefs_embedded/{path.name}" for path in PACKAGE.iterdir() if path.suffix in {".py", ".typed"}}
    about = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert held == package | about


@pytest.mark.slow
def test_the_wheel_installs_by_itself_and_serves(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    run(programs / "python", "-m", "pip", "install", "--quiet", wheel, folder=tmp_path)
    assert run(programs / "python", "-c", ASK, folder=tmp_path) == "204\n"
    assert "serve" in run(programs / "lakefs-embedded", "--help", folder=tmp_path)
    installed = run(programs / "python", "-m", "pip", "list", "--format", "freeze", folder=tmp_path)
    assert not {"lakefs", "numpy", "pydantic"} & {line.partition("==")[0] for line in installed.splitlines()}
