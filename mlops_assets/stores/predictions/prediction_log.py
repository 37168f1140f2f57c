"""What the service remembers of every answer: an append-only SQLite file per use case.

Belongs here: writing records before they are answered, reading them back, and cutting what the lake does not
hold yet into files. Publishing those files is the caller's (``orchestration/``).

Durability: write-ahead log with ``synchronous=FULL``, so a record has reached the disk, not only the kernel,
when ``append`` returns; it survives a killed process and a power cut. ``NORMAL`` would only survive the
first.

Exactly once: sequence numbers are given in commit order and never again, so "day D of log L up to number N"
says all. A collected file is named ``<use case>/prediction_log/<event day>/<log id>-<first>-<last>.parquet``
and holds every record of that day from first to last; what the lake holds is itself the cursor.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.paths import prediction_log_path

ROWS_PER_FILE = 100_000
RECORDED = (
    "prediction_id, example_id, answered_at, event_time, model_version, score, predicted_positive, predicted, "
    "history_as_of, history_commit, inputs, features, flags"
)
COLUMNS = f"seq, {RECORDED}"
INSERT = f"INSERT INTO predictions ({RECORDED}) VALUES ({', '.join('?' for _ in RECORDED.split(', '))})"
SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("prediction_id", pa.string()),
        ("example_id", pa.string()),
        ("answered_at", pa.timestamp("us", tz="UTC")),
        ("event_time", pa.timestamp("us")),
        ("model_version", pa.string()),
        ("score", pa.float64()),
        ("predicted_positive", pa.bool_()),
        ("predicted", pa.string()),
        ("history_as_of", pa.string()),
        ("history_commit", pa.string()),
        ("inputs", pa.string()),
        ("features", pa.string()),
        ("flags", pa.string()),
    ]
)
TABLES = """
CREATE TABLE IF NOT EXISTS log (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS predictions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    prediction_id TEXT NOT NULL UNIQUE,
    example_id TEXT,
    answered_at TEXT NOT NULL,
    event_time TEXT NOT NULL,
    event_day TEXT NOT NULL GENERATED ALWAYS AS (substr(event_time, 1, 10)) STORED,
    model_version TEXT NOT NULL,
    score REAL NOT NULL,
    predicted_positive INTEGER,
    predicted TEXT,
    history_as_of TEXT,
    history_commit TEXT,
    inputs TEXT NOT NULL,
    features TEXT NOT NULL,
    flags TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS predictions_by_example ON predictions (example_id);
CREATE INDEX IF NOT EXISTS predictions_by_day ON predictions (event_day, seq);
"""
DAYS = """
WITH RECURSIVE days (day) AS (
    SELECT min(event_day) FROM predictions
    UNION ALL
    SELECT (SELECT min(event_day) FROM predictions WHERE event_day > day) FROM days WHERE day IS NOT NULL
)
SELECT day FROM days WHERE day IS NOT NULL
"""
COLLECTED = re.compile(r"prediction_log/(\d{4}-\d\d-\d\d)/([0-9a-f]{32})-(\d+)-(\d+)\.parquet\Z")


@dataclass(frozen=True, kw_only=True)
class PredictionRecord:
    """One answer. ``event_time`` is the use case's wall clock without a zone, ``answered_at`` carries one.

    ``example_id`` is the use case's own name of what was asked about, under which its outcome will be known.
    ``predicted_positive`` is of two outcomes, ``predicted`` the class of several; both are None for a number.
    ``inputs`` and ``features`` hold plain JSON values; ``flags`` say what was unusual, such as an unknown
    entity. ``history_as_of`` and ``history_commit`` tell which history was looked up; None for a use case
    without one.
    """

    prediction_id: str
    answered_at: datetime
    event_time: datetime
    model_version: str
    score: float
    inputs: Mapping[str, object]
    features: Mapping[str, object]
    predicted_positive: bool | None = None
    predicted: str | None = None
    example_id: str | None = None
    history_as_of: str | None = None
    history_commit: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LogBatch:
    """Records of one event day the lake does not hold yet, and the path in the lake where they belong."""

    path: str
    day: date
    log_id: str
    first: int
    last: int
    rows: pa.Table


class PredictionLog:
    """The log of one use case; several threads and processes may append and read at the same time.

    ``path`` is ``<data directory>/prediction_log/<use case>.sqlite``; it is made when it is not there yet.
    ``timeout`` is how long, in seconds, to wait for another writer before giving up with a ``ServingError``.
    """

    def __init__(self, path: Path, *, timeout: float = 5.0) -> None:
        self.path = path
        self.use_case = path.stem
        self._timeout = timeout
        self._writing = threading.Lock()
        with self._failing_as("opened"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect()
            self.log_id = self._prepare()

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Writes all records durably, or none and raises ``ServingError`` (disk full, file locked or
        damaged).
        """
        rows = [_as_row(record) for record in records]
        with self._writing, self._failing_as("written"), self._transaction() as connection:
            connection.executemany(INSERT, rows)

    def read_after(self, seq: int, *, limit: int = ROWS_PER_FILE, day: date | None = None) -> pa.Table:
        """Up to ``limit`` records with a higher number than ``seq``, in order; only those of ``day`` if
        given.
        """
        of_day = "" if day is None else "AND event_day = :day"
        query = f"SELECT {COLUMNS} FROM predictions WHERE seq > :seq {of_day} ORDER BY seq LIMIT :limit"
        return self._read(query, {"seq": seq, "limit": limit, "day": str(day)})

    def find(self, prediction_id: str) -> dict[str, object] | None:
        """The record of that id as a plain mapping, ``inputs``, ``features`` and ``flags`` decoded; None if
        unknown.
        """
        query = f"SELECT {COLUMNS} FROM predictions WHERE prediction_id = :id"
        found: list[dict[str, object]] = self._read(query, {"id": prediction_id}).to_pylist()
        for record in found:
            return record | {name: json.loads(str(record[name])) for name in ("inputs", "features", "flags")}
        return None

    def days(self) -> tuple[date, ...]:
        """The event days that have records, in order."""
        with self._failing_as("read"), self._reading() as connection:
            return tuple(date.fromisoformat(day) for (day,) in connection.execute(DAYS))

    def last_seq(self, *, day: date) -> int:
        """The highest number among that day's records; 0 without any."""
        query = "SELECT coalesce(max(seq), 0) FROM predictions WHERE event_day = ?"
        with self._failing_as("read"), self._reading() as connection:
            return int(connection.execute(query, (str(day),)).fetchone()[0])

    def close(self) -> None:
        """Gives the file back; appending afterwards is an error."""
        with self._writing:
            self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _prepare(self) -> str:
        with self._transaction() as connection:
            for statement in TABLES.split(";"):
                connection.execute(statement)
            if not any(name == "predicted" for _, name, *_ in connection.execute("PRAGMA table_info(predictions)")):
                connection.execute("ALTER TABLE predictions ADD COLUMN predicted TEXT")  # a log of two outcomes before
            found = connection.execute("SELECT id FROM log").fetchone()
            if found is None:
                found = (uuid4().hex,)
                connection.execute("INSERT INTO log (id) VALUES (?)", found)
        return str(found[0])

    def _read(self, query: str, values: Mapping[str, object]) -> pa.Table:
        with self._failing_as("read"), self._reading() as connection:
            return _as_table(connection.execute(query, values).fetchall())

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        connection = self._connect()
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _failing_as(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ServingError(
                f"The prediction log {self.path} could not be {done}: {error}. "
                "Free disk space, or look for a process that holds the file."
            ) from error


def prediction_log_of(use_case: str, *, folder: Path, timeout: float = 5.0) -> PredictionLog:
    """The log of a use case below ``folder`` (``environment_directory()`` of a deployment)."""
    return PredictionLog(log_path(use_case, folder=folder), timeout=timeout)


def log_path(use_case: str, *, folder: Path) -> Path:
    """Where the log of a use case lies below ``folder``, whether it is there or not."""
    return folder / "prediction_log" / f"{use_case}.sqlite"


def uncollected_days(log: PredictionLog, *, collected: Iterable[str]) -> frozenset[date]:
    """The event days of which the lake and the log do not hold the same records; ``collected`` as for ``pending``.

    Also those of which the lake holds more, which collecting refuses: nobody is told that all is well.
    """
    cursors = _cursors(collected, log_id=log.log_id)
    return frozenset(day for day in log.days() if log.last_seq(day=day) != cursors.get(day, 0))


def pending(
    log: PredictionLog,
    *,
    collected: Iterable[str],
    day: date | None = None,
    rows_per_file: int = ROWS_PER_FILE,
) -> Iterator[LogBatch]:
    """What the lake does not hold yet, cut by event day; ``collected`` are the lake's paths below
    ``prediction_log/``.

    Publish the batches of one day in order (one commit or several). Raises ``ServingError`` when the lake
    holds more of this log than the log itself: the file was put back from an older copy and would give
    numbers twice.
    """
    cursors = _cursors(collected, log_id=log.log_id)
    for found in log.days() if day is None else (day,):
        cursor = cursors.get(found, 0)
        if cursor > (last := log.last_seq(day=found)):
            raise ServingError(
                f"The lake holds predictions of {found} up to number {cursor} of log {log.log_id}, "
                f"but {log.path} ends at {last}: it was put back from an older copy. "
                "Move it away; the service starts a new one."
            )
        yield from _batches(log, day=found, after=cursor, rows_per_file=rows_per_file)


def _batches(log: PredictionLog, *, day: date, after: int, rows_per_file: int) -> Iterator[LogBatch]:
    while (rows := log.read_after(after, limit=rows_per_file, day=day)).num_rows:
        first, last = rows["seq"][0].as_py(), rows["seq"][-1].as_py()
        path = prediction_log_path(log.use_case, day=day, log=log.log_id, first=first, last=last)
        yield LogBatch(path=path, day=day, log_id=log.log_id, first=first, last=last, rows=rows)
        after = last


def _cursors(collected: Iterable[str], *, log_id: str) -> dict[date, int]:
    cursors: dict[date, int] = {}
    for path in collected:
        told = COLLECTED.search(path)
        if told and told[2] == log_id:
            day = date.fromisoformat(told[1])
            cursors[day] = max(cursors.get(day, 0), int(told[4]))
    return cursors


def _as_row(record: PredictionRecord) -> tuple[object, ...]:
    if record.answered_at.tzinfo is None or record.event_time.tzinfo is not None:
        raise ValueError("A prediction record needs answered_at with a zone and event_time without one.")
    return (
        record.prediction_id,
        record.example_id,
        record.answered_at.astimezone(UTC).isoformat(timespec="microseconds"),
        record.event_time.isoformat(timespec="microseconds"),
        record.model_version,
        record.score,
        record.predicted_positive,
        record.predicted,
        record.history_as_of,
        record.history_commit,
        json.dumps(record.inputs, allow_nan=False),
        json.dumps(record.features, allow_nan=False),
        json.dumps(record.flags),
    )


def _as_table(rows: Sequence[Sequence[object]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in SCHEMA]
    moments = ("answered_at", "event_time")
    arrays = []
    for name, values in zip(SCHEMA.names, columns, strict=True):
        if name in moments:
            values = tuple(datetime.fromisoformat(str(value)) for value in values)
        elif name == "predicted_positive":
            values = tuple(None if value is None else bool(value) for value in values)
        arrays.append(pa.array(values, SCHEMA.field(name).type))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
