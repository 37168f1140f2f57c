"""A real `bentoml serve` for as long as a test needs it, with its process at hand: start, wait, ask, stop, kill."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mlops_assets.stores.models.bento_store import serve_command, serve_environment

NOTHING_SET: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class ServedBento:
    """A service being run: ``url`` without a slash at its end, ``log`` what it writes."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]


@contextmanager
def served(
    tag: str, *, data_dir: Path, seconds: float = 60.0, settings: Mapping[str, str] = NOTHING_SET
) -> Iterator[ServedBento]:
    """The Bento ``tag`` of this data directory, answering on 127.0.0.1 within the block; ``settings`` are of its
    environment.

    Raises an error with the end of its log when it does not answer within ``seconds``.
    """
    running = start(tag, data_dir=data_dir, port=free_port(), settings=settings)
    try:
        wait_until_ready(running, seconds=seconds)
        yield running
    finally:
        stop(running)


def start(tag: str, *, data_dir: Path, port: int, settings: Mapping[str, str] = NOTHING_SET) -> ServedBento:
    """Starts `bentoml serve` and returns at once; its log is ``<data
    directory>/bentoml/serve-<port>.log``.
    """
    environ = serve_environment(data_dir) | dict(settings)
    log = Path(environ["BENTOML_HOME"]) / f"serve-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            serve_command(tag, port=port),
            env=environ,
            cwd=data_dir,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
        )
    return ServedBento(url=f"http://127.0.0.1:{port}", log=log, process=process)


def wait_until_ready(running: ServedBento, *, seconds: float = 60.0) -> None:
    """Returns once /readyz answers 200; an error when the process ends before, or the time is
    over.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{running.url}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    lines = [line for line in running.log.read_text(errors="replace").splitlines() if line.strip()]
    raise AssertionError(f"The service did not start; {running.log} ends with:\n" + "\n".join(lines[-8:]))


def stop(running: ServedBento, *, seconds: float = 15.0) -> None:
    """Asks the service to end, which lets running requests finish, and insists after ``seconds``."""
    running.process.terminate()
    try:
        running.process.wait(seconds)
    except subprocess.TimeoutExpired:
        running.process.kill()
        running.process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@dataclass(frozen=True)
class Client:
    """Asks one service over HTTP."""

    url: str

    def post(self, body: object, *, path: str = "/predict", key: str | None = None) -> tuple[int, Any]:
        """Status and decoded answer; ``body`` is sent as JSON, or as it is if bytes; ``key`` names the request."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json"} | ({"idempotency-key": key} if key else {})
        return _answer(urllib.request.Request(self.url + path, data=data, headers=headers))

    def get(self, path: str) -> tuple[int, Any]:
        return _answer(urllib.request.Request(self.url + path))


def kill(running: ServedBento) -> None:
    """kill -9 of the server and its workers, all of them started by us."""
    for process in (*psutil.Process(running.process.pid).children(recursive=True), running.process):
        process.kill()
    running.process.wait(30)


def _answer(request: urllib.request.Request) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            status, body = response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, body = error.code, error.read()
    try:
        return status, json.loads(body)
    except ValueError:
        return status, body.decode()
