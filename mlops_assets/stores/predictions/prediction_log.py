"""What the service remembers of every answer: one append-only log per use case.

Belongs here: what every log can do (``PredictionLog``), and which one a deployment has. Ours is ``sql_log.py`` over a
file (``sqlite_database.py``) or a Postgres (``postgres_database.py``); others are named by an entry point
(``stores/backends.py``). Cutting what the lake does not hold yet into files is in ``collection.py``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from mlops_assets.contract.errors import SettingError
from mlops_assets.stores.backends import PREDICTION_LOGS
from mlops_assets.stores.predictions.records import Outcome, RecordGroup, Repeated
from mlops_assets.stores.predictions.sql_log import SqlLog
from mlops_assets.stores.predictions.sqlite_database import SqliteDatabase

_MOST_DAYS = 36_500


class PredictionLog(Protocol):
    """The log of one use case; several threads, processes and hosts may append and read at the same time.

    Sequence numbers are given in commit order, without gaps over all processes, and never again. Whatever keeps the log
    from being read or written is a ``ServingError``.
    """

    place: str
    """Where the log is, for an operator; never told to a caller."""
    log_id: str
    """Its identity, 32 hex digits: another log in the same place has another one."""

    def append(self, groups: Sequence[RecordGroup], *, timeout: float) -> frozenset[str]:
        """Writes all durably in one transaction, or none and raises ServingError. Answers the keys that were answered
        before, by whatever process: the rows of these requests were not written.

        ``timeout`` bounds all waiting for other writers, in seconds.
        """
        ...

    def answered(self, key: str) -> Repeated | None:
        """What was answered under this key of a repeatable request; None if nothing was."""
        ...

    def seq_of(self, prediction_id: str) -> int | None:
        """The number of a prediction, also when its record was pruned; None if there never was one."""
        ...

    def find(self, prediction_id: str) -> dict[str, object] | None:
        """The record of that id as a plain mapping, ``inputs``, ``features`` and ``flags`` decoded; None if it is
        unknown, or pruned.
        """
        ...

    def last_seq(self) -> int:
        """The highest number that was given; 0 at first."""
        ...

    def read_after(self, seq: int, *, limit: int) -> pa.Table:
        """At most ``limit`` records with a higher number than ``seq``, in order, as the lake has them (``SCHEMA``)."""
        ...

    def event_days_after(self, seq: int) -> frozenset[date]:
        """The event days of the records with a higher number than ``seq``."""
        ...

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> list[str]:
        """What became of each: ``recorded``; ``repeated``, known already; ``corrected``, recorded over another label;
        ``late``, recorded after the prediction had been pruned; ``unknown``, of no prediction of this log.
        """
        ...

    def outcomes_after(self, seq: int, *, limit: int) -> pa.Table:
        """At most ``limit`` recorded outcomes with a higher number than ``seq``, in order (``OUTCOMES``)."""
        ...

    def prune(self, *, upto: int, before: datetime) -> int:
        """Drops the records up to a number that were answered before a moment, and the answers under keys from before
        it; how many records. Ids stay, so that an outcome still finds its prediction.
        """
        ...

    def mark_collected(self, *, upto: int) -> None:
        """Remembers that the lake holds the records up to this number, for ``uncollected``."""
        ...

    def uncollected(self) -> int:
        """How many records the lake does not hold yet, by what the last collection said."""
        ...

    def collecting(self) -> AbstractContextManager[None]:
        """Held by whoever collects the log into the lake: one at a time, over all processes, and given back by a death.
        ServingError when another one holds it for too long.
        """
        ...

    def ready(self) -> None:
        """ServingError saying why it cannot be written: gone, replaced, locked, disk full."""
        ...

    def close(self) -> None:
        """Gives files and connections back; using it afterwards is an error."""
        ...


class MakesLog(Protocol):
    """What an entry point of ``mlops_assets.prediction_logs`` names."""

    def __call__(self, url: str, *, use_case: str) -> PredictionLog:
        """The log of one use case where ``url`` says, made when it is not there yet."""
        ...


def prediction_log_of(use_case: str, *, folder: Path, environment: Mapping[str, str] = os.environ) -> PredictionLog:
    """The log of a use case, made when it is not there yet: where ``MLOPS_PREDICTION_LOG_URL`` says, else a file below
    ``folder`` (``environment_directory()`` of a deployment).
    """
    if url := environment.get(PREDICTION_LOGS.setting, ""):
        make: MakesLog = PREDICTION_LOGS.load(url)
        return make(url, use_case=use_case)
    return SqlLog(SqliteDatabase(log_path(use_case, folder=folder)))


def existing_log_of(
    use_case: str, *, folder: Path, environment: Mapping[str, str] = os.environ
) -> PredictionLog | None:
    """As ``prediction_log_of``, but no file is made: None where this machine never answered."""
    if not environment.get(PREDICTION_LOGS.setting) and not log_path(use_case, folder=folder).exists():
        return None
    return prediction_log_of(use_case, folder=folder, environment=environment)


def kept_in_log(environment: Mapping[str, str] = os.environ) -> timedelta:
    """For how long the log keeps what the lake holds already: ``MLOPS_PREDICTION_LOG_DAYS``, else a week."""
    days = environment.get("MLOPS_PREDICTION_LOG_DAYS") or "7"
    if not days.isdecimal() or not 0 < int(days) <= _MOST_DAYS:
        raise SettingError(f"MLOPS_PREDICTION_LOG_DAYS is '{days}'; it must be a whole number of days from 1 on.")
    return timedelta(days=int(days))


def log_path(use_case: str, *, folder: Path) -> Path:
    """The file of a use case's embedded log below ``folder``, whether it is there or not."""
    return folder / "prediction_log" / f"{use_case}.sqlite"
