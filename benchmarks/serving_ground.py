"""What every part of `serving.py` stands on: a copy of the deployment, the champion's Bento, requests, sizes.

Belongs here: making it ready once. What is measured on it is in `serving_contest.py` and `serving_endurance.py`.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving_bare_model import BareModel
from benchmarks.serving_peers import SQL, Contender
from benchmarks.serving_requests import Requests, requests_of, write_bodies
from mlops_assets.stores.models.bento_store import BuiltBento, bento_home, build_bento


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How long everything is done, in seconds where nothing else is said."""

    clients: Sequence[int]
    rounds: int
    case: float
    soak: float
    overload: float


@dataclass(frozen=True, kw_only=True)
class Ground:
    """``data`` is the copy of the deployment's data folder, ``folder`` where logs and bodies lie."""

    folder: Path
    data: Path
    bento: BuiltBento
    requests: Requests
    sizes: Sizes

    def bodies(self, contender: Contender, *, rows: int) -> Path:
        """The file of a contender's bodies, written once."""
        path = self.folder / f"{contender.wording.__name__}-{rows}.txt"
        if not path.exists():
            write_bodies(path, requests=self.requests, wording=contender.wording, rows=rows)
        return path


def ground(folder: Path, *, data: Path, sizes: Sizes) -> Ground:
    """Copies the deployment into ``folder`` and packages its champion with the code of this checkout."""
    packaged = bento_home(data) / "models" / "flights"
    if not (packaged / "latest").is_file():
        sys.exit(f"{data} has no packaged champion of flights: `mlops demo flights` there makes one.")
    copy = shutil.copytree(data, folder / "data", ignore=shutil.ignore_patterns("benchmark-peers"))
    version = (packaged / "latest").read_text().strip()
    files = {path.name: path for path in (packaged / version).iterdir() if path.name != "model.yaml"}
    bento = build_bento(files, use_case="flights", version=version, data_dir=copy)
    model = BareModel(model=bento.model_path, data=copy, sql=SQL)
    return Ground(folder=folder, data=copy, bento=bento, requests=requests_of(model), sizes=sizes)
