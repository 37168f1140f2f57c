"""A service started for a while: `bentoml serve` as a process, asked over HTTP, ended when done.

Belongs here: starting, asking and ending it, and how its answers are read. What to ask is for who starts it.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mlops_assets.contract.errors import ServingError
from mlops_assets.stores.models.bento_store import serve_command, serve_environment

START_SECONDS = 90
REQUEST_SECONDS = 60
MEGABYTE = 2**20


@dataclass(frozen=True, kw_only=True)
class RunningService:
    """A service that answers at ``url``; ``process`` is the supervisor of its workers."""

    url: str
    process: subprocess.Popen[bytes]

    @classmethod
    @contextmanager
    def start(
        cls,
        tag: str,
        *,
        data_dir: Path,
        log: Path,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Iterator[Self]:
        """Starts `bentoml serve` of a Bento on a free port; it has ended when the context ends.

        ``environment`` is that of this process with the settings of ``data_dir`` unless it is given. What it prints
        goes to ``log``. Raises ServingError with the last of it when it does not become ready.
        """
        chosen = port or _free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                serve_command(tag, port=chosen),
                env=serve_environment(data_dir) if environment is None else environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            service = cls(url=f"http://127.0.0.1:{chosen}", process=process)
            service._await_ready(log=log)
            yield service
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The answers for ``rows``; a refusal, of all or of one, is a ServingError with the service's own reasons."""
        status, body = self.post("/predict", json.dumps({"rows": list(rows)}).encode())
        if reason := refusal(status, body):
            raise ServingError(f"{self.url}/predict answered {status}: {reason}")
        return answers_of(body)

    def describe(self) -> dict[str, Any]:
        """What the service says of itself."""
        status, body = _asked(urllib.request.Request(self.url + "/describe"))
        if status != 200:
            raise ServingError(f"{self.url}/describe answered {status}: {body.decode()[:500]}")
        described: dict[str, Any] = json.loads(body)
        return described

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to what is sent as JSON, whether it is or not."""
        return _asked(urllib.request.Request(self.url + path, body, headers={"Content-Type": "application/json"}))

    def megabytes(self) -> float:
        """Memory of the supervisor and its workers; what they share is counted once where the system tells."""
        import psutil  # comes with BentoML; a program that only serves does without

        supervisor = psutil.Process(self.process.pid)
        held = [each.memory_full_info() for each in (supervisor, *supervisor.children(recursive=True))]
        return float(sum(getattr(each, "pss", each.rss) for each in held) / MEGABYTE)

    def _await_ready(self, *, log: Path) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=2):
                    return
            except OSError:  # not listening yet, or listening and not ready: asked again
                time.sleep(0.1)
        said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise ServingError(f"The service did not become ready within {START_SECONDS} seconds. It said:\n{said}")


def answers_of(body: bytes) -> list[dict[str, Any]]:
    """The answers, row by row, in what `/predict` answered: the one place that knows its shape."""
    answers: list[dict[str, Any]] = json.loads(body)["predictions"]
    return answers


def refusal(status: int, body: bytes) -> str | None:
    """Why a request, or a row of it, was not answered; None if all of it was."""
    if status != 200:
        return body.decode(errors="replace")[:500]
    return next((json.dumps(each) for each in answers_of(body) if each.get("error")), None)


def _asked(request: urllib.request.Request) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError as error:
        raise ServingError(f"{request.full_url} did not answer: {error}") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
