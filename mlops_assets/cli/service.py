"""A service started for a while: `bentoml serve` as a process, asked over HTTP, ended when done."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mlops_assets.contract.errors import ServingError
from mlops_assets.stores.models.bento_store import serve_command, serve_environment

START_SECONDS = 90
REQUEST_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class RunningService:
    """A service that answers at ``url``."""

    url: str

    @classmethod
    @contextmanager
    def start(cls, tag: str, *, data_dir: Path, log: Path, port: int | None = None) -> Iterator[Self]:
        """Starts `bentoml serve` of a Bento on a free port; it has ended when the context ends.

        What it prints goes to ``log``. Raises ServingError with the last of it when it does not become ready.
        """
        chosen = port or _free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                serve_command(tag, port=chosen),
                env=serve_environment(data_dir),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            service = cls(url=f"http://127.0.0.1:{chosen}")
            service._await_ready(process, log=log)
            yield service
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def predict(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers for ``rows``; a refusal is a ServingError with the service's own reasons."""
        answers: list[dict[str, Any]] = self._ask("/predict", body={"rows": list(rows)})["predictions"]
        return answers

    def describe(self) -> dict[str, Any]:
        """What the service says of itself."""
        return self._ask("/describe")

    def _ask(self, path: str, *, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as response:
                told: dict[str, Any] = json.load(response)
                return told
        except urllib.error.HTTPError as error:
            raise ServingError(f"{self.url}{path} answered {error.code}: {error.read().decode()[:500]}") from error

    def _await_ready(self, process: subprocess.Popen[bytes], *, log: Path) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=2):
                    return
            except OSError:  # not listening yet, or listening and not ready: asked again
                time.sleep(0.1)
        said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise ServingError(f"The service did not become ready within {START_SECONDS} seconds. It said:\n{said}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
