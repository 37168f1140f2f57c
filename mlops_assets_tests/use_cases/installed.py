"""Distributions of a team's own, as `pip install` leaves them on the path: packages, and metadata with entry points."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlops_assets.use_cases import registry

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "toy_distribution"


def install(name: str, *, points: Mapping[str, str], to: Path, files: Mapping[str, str] | None = None) -> Path:
    """A distribution ``name`` in the folder ``to`` with those entry points by use case, and files by path."""
    info = to / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{use_case} = {value}" for use_case, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[mlops_assets.use_cases]", *lines, ""]))
    for path, text in (files or {}).items():
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        (to / path).write_text(text, encoding="utf-8")
    return to


def install_toy(to: Path) -> Path:
    """The use case ``letters`` of a team, which is no part of this repository's packages."""
    files = {
        path.relative_to(TOY).as_posix(): path.read_text(encoding="utf-8")
        for path in TOY.rglob("*")
        if path.suffix in {".py", ".sql"}
    }
    return install("team-letters", points={"letters": "team_letters.letters"}, to=to, files=files)


def install_parcels(to: Path) -> Path:
    """The toy of the orchestration's tests as a distribution of its own, so that it can be packaged and found."""
    return install("team-toys", points={"parcels": "mlops_assets_tests.orchestration.toy:PARCELS"}, to=to)


@contextmanager
def on_path(folder: Path) -> Iterator[Path]:
    """What is installed in ``folder`` can be imported by this process within the block, and is forgotten after it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.delenv(registry.STRICT, raising=False)
        patch.setattr(registry, "_LOADED", dict(registry._LOADED))
        patch.setattr(registry, "_CHECKED", set(registry._CHECKED))
        yield folder
        for name in [name for name in sys.modules if name.startswith("team_")]:
            del sys.modules[name]


def run_python(*arguments: str, path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A Python process of its own that has the folder ``path`` on its path, with the installed distributions in it."""
    environ = {name: value for name, value in os.environ.items() if name != "MLOPS_STRICT"}
    environ |= {"PYTHONPATH": os.pathsep.join((str(path), str(ROOT))), "COLUMNS": "400", **settings}
    return subprocess.run([sys.executable, *arguments], env=environ, capture_output=True, text=True, cwd=path)
