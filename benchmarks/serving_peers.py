"""The contenders of `serving.py`: how each is installed and started, and what its processes take.

Belongs here: environments, commands, processes. Peers have environments of their own below the folder for temporary
files, with the product's versions of DuckDB and XGBoost; they are kept there for the next run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serving_load import SERVER_CORE, on_core
from benchmarks.serving_requests import Wording, as_features, as_rows, as_split_features, as_split_rows
from mlops_assets.stores.models.bento_store import BuiltBento, serve_command, serve_environment

PROJECT = Path(__file__).resolve().parents[1]
SQL = PROJECT / "mlops_assets" / "use_cases" / "flights" / "sql" / "features.sql"
PRODUCT, BARE, READY = "product", "bare, computed", "bare, ready"
MLFLOW, MLFLOW_READY = "MLflow, computed", "MLflow, ready"
START_SECONDS = 90
SAME = tuple(f"{name}=={version(name)}" for name in ("duckdb", "xgboost", "pydantic"))
REQUIREMENTS = {
    "bare": (*SAME, f"pyarrow=={version('pyarrow')}", "fastapi==0.165.0", "uvicorn[standard]==0.54.0", "orjson"),
    "mlflow": (*SAME, "mlflow==3.17.2"),
}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A command that listens on ``port`` and answers ``path`` in a ``wording`` of its own; ``alive`` is its probe."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    port: int
    path: str
    alive: str
    wording: Wording

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A contender that runs."""

    contender: Contender
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return self.contender.url + self.contender.path

    def cpu_seconds(self) -> float:
        """What its processes have used so far."""
        times = [process.cpu_times() for process in self._tree()]
        return float(sum(each.user + each.system for each in times))

    def memory_mb(self) -> float:
        """What its processes take together; what they share counts once."""
        return float(sum(process.memory_full_info().pss for process in self._tree())) / 1024**2

    def ask(self, body: bytes) -> Any:
        """One answer, as plain values."""
        request = urllib.request.Request(self.url, data=body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def _tree(self) -> list[psutil.Process]:
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]


@contextmanager
def running(contender: Contender, *, logs: Path, pinned: bool = True) -> Iterator[Server]:
    """Starts it, on the servers' core if ``pinned``, until it answers its probe; ends it with the block."""
    log = logs / f"{contender.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*on_core(SERVER_CORE if pinned else None), *map(str, contender.command)],
            env=dict(contender.environment),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(contender=contender, process=process)
    try:
        _await_alive(server, log=log)
        yield server
    finally:
        _end(process)


def product(bento: BuiltBento, *, data: Path, workers: int = 1) -> Contender:
    """`bentoml serve`, as `mlops serve` runs it."""
    options = {"MLOPS_SERVICE_WORKERS": str(workers)}
    return Contender(
        name=PRODUCT,
        command=serve_command(bento.tag, port=4600),
        environment=serve_environment(data) | options,
        port=4600,
        path="/predict",
        alive="/readyz",
        wording=as_rows,
    )


def bare(bento: BuiltBento, *, data: Path) -> list[Contender]:
    """Two processes of the same service, so that memory is each one's own."""
    python, environment = peer_python("bare"), _environment()
    return [
        Contender(
            name=name,
            command=[python, "-m", "benchmarks.serving_bare", str(port), bento.model_path, data, SQL],
            environment=environment,
            port=port,
            path=path,
            alive="/ping",
            wording=wording,
        )
        for name, port, path, wording in ((BARE, 4601, "/predict", as_rows), (READY, 4602, "/ready", as_features))
    ]


def mlflow(bento: BuiltBento, *, data: Path, folder: Path) -> list[Contender]:
    """MLflow's scoring server, as it installs itself, with one worker."""
    python = peer_python("mlflow")
    places = {"BARE_MODEL": bento.model_path, "BARE_DATA": data, "BARE_SQL": SQL}
    environment = _environment() | {name: str(place) for name, place in places.items()}
    environment["PATH"] = f"{python.parent}:{environment['PATH']}"  # its server is a command of its environment
    save: list[str | Path] = [python, "-m", "benchmarks.serving_mlflow", folder, bento.model_path]
    subprocess.run(save, env=environment, cwd=folder, check=True, capture_output=True)
    serve: list[str | Path] = [python, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--workers", "1"]
    return [
        Contender(
            name=name,
            command=[*serve, "-m", folder / model, "-p", str(port)],
            environment=environment,
            port=port,
            path="/invocations",
            alive="/ping",
            wording=wording,
        )
        for name, port, model, wording in (
            (MLFLOW, 4603, "computed", as_split_rows),
            (MLFLOW_READY, 4604, "ready", as_split_features),
        )
    ]


def peer_python(peer: str) -> Path:
    """The interpreter of a peer's own environment, made if it is not there as it should be."""
    folder = Path(tempfile.gettempdir()) / "mlops-assets-benchmark-peers" / f"serving-{peer}"
    python, ready = folder / "bin" / "python", folder / "ready"
    wanted = "\n".join(REQUIREMENTS[peer])
    if not (ready.is_file() and ready.read_text() == wanted):
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS[peer]], check=True)
        ready.write_text(wanted)
    return python


def _environment() -> dict[str, str]:
    """The project's code for the environments of others, and one thread for XGBoost wherever it is loaded."""
    return os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}


def _await_alive(server: Server, *, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.process.poll() is None:
        try:
            with urllib.request.urlopen(server.contender.url + server.contender.alive, timeout=2):
                return
        except OSError:  # not listening yet, or not ready: asked again
            time.sleep(0.1)
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    sys.exit(f"{server.contender.name} did not start within {START_SECONDS} seconds. It said:\n{said}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.terminate()
    _, alive = psutil.wait_procs(tree, timeout=20)
    for survivor in alive:
        survivor.kill()
    process.wait()
