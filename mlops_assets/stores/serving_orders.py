"""What a service is told, and what it says back: small files in ``<environment>/serving/<use case>/``.

A service needs no lake, so what decides about it in the lake is told it here: ``champion.json`` is a copy of the
champion's pointer, ``shadow.json`` and ``canary.json`` name challengers that are tried. Each is replaced as a whole.
Whoever changes one holds the folder's lock and reads what it follows from inside: a copy of the pointer is made of the
lake as it is then, so the lake always wins, and of two promotions at once the later one is what the service is told.

Each worker writes ``workers/<host>-<pid>.json``; steps of canaries are lines of ``events.jsonl``.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from mlops_assets.contract.errors import ServingError
from mlops_assets.judge.canary import Guards, Tally
from mlops_assets.stores.models.recorded_answers import RecordedAnswers

SILENT = timedelta(seconds=60)
"""After which a worker that says nothing is taken to be gone."""
CHAMPION, SHADOW, CANARY = FILES = ("champion.json", "shadow.json", "canary.json")

Kind = TypeVar("Kind", bound="_Told")


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)  # a field that is newer than the service is left out, not refused


class VersionOrder(_Told):
    """A version that a service has to open: SHA-256 by file, and answers of its own to be asked for again."""

    version: str
    checksums: dict[str, str]
    answers: RecordedAnswers
    at: AwareDatetime
    by: str


class ChampionOrder(VersionOrder):
    """Who serves since ``at``. ``sequence`` is that of the lake's pointer."""

    sequence: int
    action: str


class ShadowOrder(VersionOrder):
    """Who scores the same requests without answering any."""


class CanaryOrder(VersionOrder):
    """Who answers ``steps[step]`` of the rows since ``since``; at least ``every`` seconds a step.

    After the last step it is ``ready`` and answers every row. ``champion`` is who it is compared with, ``reason`` why
    it is where it is.
    """

    champion: str
    steps: tuple[float, ...]
    every: float
    guards: Guards
    step: int = 0
    since: AwareDatetime
    state: Literal["running", "ready", "back at zero", "stopped", "promoted"] = "running"
    reason: str

    @property
    def share(self) -> float:
        """The share of rows that it answers."""
        if self.state == "running":
            return self.steps[self.step]
        return 1.0 if self.state == "ready" else 0.0


class CanaryStatus(_Told):
    """What one worker counts of a step."""

    version: str
    step: int
    since: AwareDatetime
    tally: Tally


class ShadowStatus(_Told):
    """What became of the rows that a shadow was to score."""

    version: str
    scored: int = 0
    dropped: int = 0
    failed: int = 0


class WorkerStatus(_Told):
    """What one worker says of itself. ``refused`` are the versions that it would not take, with the reason."""

    host: str
    pid: int
    at: AwareDatetime
    version: str
    since: AwareDatetime
    refused: dict[str, str] = {}
    shadow: ShadowStatus | None = None
    canary: CanaryStatus | None = None


class ServingOrders:
    """The folder of one use case below ``folder`` (``environment_directory()`` of a deployment)."""

    def __init__(self, folder: Path, *, use_case: str) -> None:
        self.folder = folder / "serving" / use_case

    def stamp(self) -> tuple[tuple[int, int] | None, ...]:
        """Changes whenever an order does; costs no reading."""
        return tuple(map(_stamp, (self.folder / name for name in FILES)))

    def champion(self) -> ChampionOrder | None:
        """The champion, as far as the service was told; ServingError when the file is damaged."""
        return self._read(ChampionOrder, CHAMPION)

    def shadow(self) -> ShadowOrder | None:
        """The shadow, if there is one."""
        return self._read(ShadowOrder, SHADOW)

    def canary(self) -> CanaryOrder | None:
        """The canary, also one that is over."""
        return self._read(CanaryOrder, CANARY)

    def write(self, order: ChampionOrder | ShadowOrder | CanaryOrder) -> None:
        """Replaces the order of its kind; hold ``changing()``."""
        names = {ChampionOrder: CHAMPION, ShadowOrder: SHADOW, CanaryOrder: CANARY}
        self._replace(names[type(order)], order)

    def end_shadow(self) -> None:
        """Nobody is a shadow any more."""
        (self.folder / SHADOW).unlink(missing_ok=True)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One at a time, over all processes."""
        with self._lock("lock", wait=True):
            yield

    @contextmanager
    def leading(self) -> Iterator[bool]:
        """Whether this worker is the one that moves the canary on now."""
        with self._lock("leader", wait=False) as held:
            yield held

    def note(self, event: Mapping[str, Any]) -> None:
        """Adds a line to the events, in one write."""
        line = json.dumps({"at": datetime.now(UTC).isoformat(), **event}, default=str) + "\n"
        with (self.folder / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(line)

    def events(self) -> list[dict[str, Any]]:
        """Every event, oldest first."""
        path = self.folder / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def pairs(self, version: str) -> Path:
        """Where the pairs of a shadow are kept."""
        return self.folder / "pairs" / f"{version}.sqlite"

    def say(self, status: WorkerStatus) -> None:
        """Replaces what this worker said before."""
        self._replace(f"workers/{status.host}-{status.pid}.json", status)

    def leave(self) -> None:
        """This worker says nothing any more."""
        (self.folder / "workers" / f"{socket.gethostname()}-{os.getpid()}.json").unlink(missing_ok=True)

    def forget_silent(self, *, now: datetime) -> None:
        """Removes what workers said that were killed long ago."""
        for path in self.folder.glob("workers/*.json"):
            with suppress(OSError):
                if now.timestamp() - path.stat().st_mtime > 24 * SILENT.total_seconds():
                    path.unlink()

    def workers(self, *, now: datetime) -> list[WorkerStatus]:
        """What every worker that runs says of itself."""
        said = (self._read(WorkerStatus, f"workers/{path.name}") for path in sorted(self.folder.glob("workers/*.json")))
        return [status for status in said if status is not None and now - status.at < SILENT]

    def _read(self, kind: type[Kind], name: str) -> Kind | None:
        path = self.folder / name
        try:
            return kind.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            told = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else error.strerror
            raise ServingError(
                f"{path} cannot be read: {told}. `mlops status` writes the champion's again; "
                f"start a shadow or canary again."
            ) from error

    def _replace(self, name: str, content: BaseModel) -> None:
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
            unfinished.write_text(content.model_dump_json(indent=1))
            unfinished.replace(path)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise ServingError(f"{path} cannot be written: {error.strerror}.") from error

    @contextmanager
    def _lock(self, name: str, *, wait: bool) -> Iterator[bool]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / name).open("w")
        except OSError as error:
            raise ServingError(f"{self.folder} cannot be written: {error.strerror}.") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
