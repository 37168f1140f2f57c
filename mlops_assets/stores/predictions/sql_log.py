"""The prediction log in a SQL database: what is written, read and kept, in statements that SQLite and Postgres share.

Belongs here: tables, numbering, repeatable requests, outcomes, pruning. How a transaction is made durable, bounded in
time and guarded against a log that is gone is a ``Database``'s (``sqlite_database.py``, ``postgres_database.py``).

A group of records is one row with the numbers it covers; ids are rows of their own, because they outlive their records.
The one row of ``log`` is what every writer changes first: it gives the numbers, and whoever changed it commits before
the next gets any, so numbers have no gaps and a reader that sees one has seen all before it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Protocol
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.errors import ServingError
from mlops_assets.stores.predictions.records import (
    OUTCOMES,
    SCHEMA,
    Layout,
    Outcome,
    RecordGroup,
    Repeatable,
    Repeated,
    decode,
    encode,
    lake_rows,
    read_row,
)

WAIT = 5.0
"""Seconds that everything but an append waits for other writers."""
READY_WAIT = 0.5
"""Seconds that a probe waits for other writers: an orchestrator's own patience is about one."""
COLLECTING_WAIT = 600.0
"""Seconds that a collection waits for another one."""
_PRUNED_AT_ONCE = 500
_READ_AT_ONCE = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLES = """
CREATE TABLE IF NOT EXISTS log (id TEXT NOT NULL, last {whole} NOT NULL, last_outcome {whole} NOT NULL);
CREATE TABLE IF NOT EXISTS layouts (id TEXT PRIMARY KEY, layout TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS groups (
    first {whole} PRIMARY KEY, rows {whole} NOT NULL, layout TEXT NOT NULL, answered_at {whole} NOT NULL,
    records {bytes} NOT NULL);
CREATE TABLE IF NOT EXISTS ids (seq {whole} PRIMARY KEY, prediction_id TEXT NOT NULL UNIQUE, example_id TEXT);
CREATE INDEX IF NOT EXISTS ids_by_example ON ids (example_id) WHERE example_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS repeatable (
    key TEXT PRIMARY KEY, fingerprint {bytes} NOT NULL, answer {bytes} NOT NULL, answered_at {whole} NOT NULL);
CREATE INDEX IF NOT EXISTS repeatable_by_age ON repeatable (answered_at);
CREATE TABLE IF NOT EXISTS outcomes (
    seq {whole} PRIMARY KEY, prediction_id TEXT, example_id TEXT, label {number}, label_class TEXT,
    known_at {whole} NOT NULL, recorded_at {whole} NOT NULL);
CREATE INDEX IF NOT EXISTS outcomes_by_subject ON outcomes ((coalesce(example_id, prediction_id)), seq)
"""
_CLAIM = """
INSERT INTO repeatable (key, fingerprint, answer, answered_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING key
"""
_GROUPS_AFTER = """
SELECT first, layout, records FROM groups
WHERE first >= (SELECT coalesce(max(first), 0) FROM groups WHERE first <= ?) AND first + rows - 1 > ?
ORDER BY first LIMIT ?
"""
_COVERING = """
SELECT first FROM groups WHERE first = (SELECT max(first) FROM groups WHERE first <= ?) AND first + rows > ?
"""
_PRUNABLE = """
SELECT first, rows FROM groups WHERE first + rows - 1 <= ? AND answered_at < ? ORDER BY first LIMIT ?
"""
_LABEL = """
SELECT label, label_class FROM outcomes WHERE coalesce(example_id, prediction_id) = ? ORDER BY seq DESC LIMIT 1
"""
_INSERT_OUTCOME = """
INSERT INTO outcomes (seq, prediction_id, example_id, label, label_class, known_at, recorded_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""

Row = tuple[Any, ...]


class Run(Protocol):
    """Runs statements inside a transaction or a reading. ``?`` stands for a value."""

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """The statement's rows."""
        ...

    def executemany(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """The statement once for each row of values."""
        ...


class Database(Protocol):
    """One SQL database that holds the log of one use case. ServingError for whatever keeps it from working."""

    place: str
    types: ClassVar[Mapping[str, str]]
    """Its words for the types ``whole`` (64 bits), ``number`` and ``bytes``."""

    def preparing(self) -> AbstractContextManager[Run]:
        """A transaction that makes what is not there yet; nobody else does meanwhile."""
        ...

    def transaction(self, *, timeout: float) -> AbstractContextManager[Run]:
        """All that runs inside is durable when the context ends, or nothing of it happened. Waits for other writers for
        at most ``timeout`` seconds.
        """
        ...

    def reading(self) -> AbstractContextManager[Run]:
        """What runs inside sees whole transactions only."""
        ...

    def collecting(self) -> AbstractContextManager[None]:
        """As ``PredictionLog.collecting``."""
        ...

    def probe(self) -> None:
        """ServingError when there is no room to write."""
        ...

    def close(self) -> None:
        """Gives files and connections back."""
        ...


class SqlLog:
    """A ``PredictionLog`` in a database, made when there is none yet."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.place = database.place
        self.log_id = self._prepare()

    def append(self, groups: Sequence[RecordGroup], *, timeout: float) -> frozenset[str]:
        """As ``PredictionLog.append``."""
        with self._database.transaction(timeout=timeout) as run:
            if any(group.repeatable for group in groups):
                self._next(run, rows=0)  # keys are taken by one writer at a time: two would wait for each other
            refused = [[request for request in group.repeatable if not _claim(run, request, group)] for group in groups]
            kept = [(group.without(some), group.layout) for group, some in zip(groups, refused, strict=True)]
            rows = sum(records.num_rows for records, _ in kept)
            first = self._next(run, rows=rows) + 1
            for records, layout in kept:
                if records.num_rows:
                    _insert(run, records, layout=layout, first=first)
                first += records.num_rows
        return frozenset(request.key for some in refused for request in some)

    def answered(self, key: str) -> Repeated | None:
        """As ``PredictionLog.answered``."""
        with self._database.reading() as run:
            for fingerprint, answer in run.execute("SELECT fingerprint, answer FROM repeatable WHERE key = ?", [key]):
                return Repeated(fingerprint=bytes(fingerprint), answer=bytes(answer))
        return None

    def seq_of(self, prediction_id: str) -> int | None:
        """As ``PredictionLog.seq_of``."""
        with self._database.reading() as run:
            return _only(run.execute("SELECT seq FROM ids WHERE prediction_id = ?", [prediction_id]))

    def find(self, prediction_id: str) -> dict[str, object] | None:
        """As ``PredictionLog.find``."""
        seq = self.seq_of(prediction_id)
        records = SCHEMA.empty_table() if seq is None else self.read_after(seq - 1, limit=1)
        for row in records.to_pylist():
            if row["seq"] == seq:
                return read_row(row)
        return None

    def last_seq(self) -> int:
        """As ``PredictionLog.last_seq``."""
        with self._database.reading() as run:
            return int(run.execute("SELECT last FROM log")[0][0])

    def read_after(self, seq: int, *, limit: int) -> pa.Table:
        """As ``PredictionLog.read_after``."""
        tables = [SCHEMA.empty_table()]
        for first, layout, records in self._groups_after(seq, limit=limit):
            tables.append(lake_rows(records, layout=layout, first=first))
        return pa.concat_tables(tables)

    def event_days_after(self, seq: int) -> frozenset[date]:
        """As ``PredictionLog.event_days_after``."""
        groups = self._groups_after(seq)
        days = [pc.cast(records["event_time"], pa.date32()).unique().to_pylist() for _, _, records in groups]
        return frozenset(day for some in days for day in some)

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> list[str]:
        """As ``PredictionLog.record_outcomes``."""
        with self._database.transaction(timeout=WAIT) as run:
            last = int(run.execute("UPDATE log SET last_outcome = last_outcome RETURNING last_outcome")[0][0])
            said = []
            for outcome in outcomes:
                said.append(_record(run, outcome, seq=last + 1))
                last += said[-1] not in ("unknown", "repeated")
            run.execute("UPDATE log SET last_outcome = ?", [last])
        return said

    def outcomes_after(self, seq: int, *, limit: int) -> pa.Table:
        """As ``PredictionLog.outcomes_after``."""
        query = f"SELECT {', '.join(OUTCOMES.names)} FROM outcomes WHERE seq > ? ORDER BY seq LIMIT ?"
        with self._database.reading() as run:
            rows = run.execute(query, [seq, limit])
        columns = zip(*rows, strict=True) if rows else [()] * len(OUTCOMES)
        return pa.table(
            [pa.array(column, field.type) for column, field in zip(columns, OUTCOMES, strict=True)], OUTCOMES
        )

    def prune(self, *, upto: int, before: datetime) -> int:
        """As ``PredictionLog.prune``; in small transactions, so that no answer waits for the whole."""
        dropped = 0
        while rows := self._prune_some(upto=upto, before=_micros(before)):
            dropped += rows
        with self._database.transaction(timeout=WAIT) as run:
            run.execute("DELETE FROM repeatable WHERE answered_at < ?", [_micros(before)])
        return dropped

    def collecting(self) -> AbstractContextManager[None]:
        """As ``PredictionLog.collecting``."""
        return self._database.collecting()

    def ready(self) -> None:
        """As ``PredictionLog.ready``: makes a transaction that changes nothing, durable as any."""
        self._database.probe()
        with self._database.transaction(timeout=READY_WAIT) as run:
            self._next(run, rows=0)

    def close(self) -> None:
        """As ``PredictionLog.close``."""
        self._database.close()

    def _prepare(self) -> str:
        with self._database.preparing() as run:
            for statement in _TABLES.format(**self._database.types).split(";"):
                run.execute(statement)
            found = run.execute("SELECT id FROM log")
            if not found:
                found = [(uuid4().hex,)]
                run.execute("INSERT INTO log (id, last, last_outcome) VALUES (?, 0, 0)", found[0])
        return str(found[0][0])

    def _prune_some(self, *, upto: int, before: int) -> int:
        """Drops a few groups; how many records."""
        with self._database.transaction(timeout=WAIT) as run:
            groups = run.execute(_PRUNABLE, [upto, before, _PRUNED_AT_ONCE])
            run.executemany("DELETE FROM groups WHERE first = ?", [[first] for first, _ in groups])
        return sum(rows for _, rows in groups)

    def _next(self, run: Run, *, rows: int) -> int:
        """Takes ``rows`` numbers; the last one before them."""
        last = _only(run.execute("UPDATE log SET last = last + ? WHERE id = ? RETURNING last", [rows, self.log_id]))
        if last is None:
            raise ServingError(f"The prediction log {self.place} was replaced by another one: restart what uses it.")
        return last - rows

    def _groups_after(self, seq: int, *, limit: int | None = None) -> Iterator[tuple[int, Layout, pa.RecordBatch]]:
        """The groups of the next ``limit`` records, first and last group cut: (first number, layout, records)."""
        layouts: dict[str, Layout] = {}
        left = sys.maxsize if limit is None else limit
        while left > 0:
            with self._database.reading() as run:
                groups = run.execute(_GROUPS_AFTER, [seq + 1, seq, min(left, _READ_AT_ONCE)])
                layouts |= _layouts(run, {layout for _, layout, _ in groups} - layouts.keys())
            if not groups:
                return
            for first, layout, packed in groups:
                records = decode(packed).slice(max(seq + 1 - first, 0), left)
                start, seq = max(seq + 1, first), first + records.num_rows - 1 + max(seq + 1 - first, 0)
                left -= records.num_rows
                if records.num_rows:
                    yield start, layouts[layout], records


def _claim(run: Run, request: Repeatable, group: RecordGroup) -> bool:
    """Takes the key of a request for its answer; False if it was taken before."""
    moment = _micros(group.rows["answered_at"][request.first].as_py())
    return bool(run.execute(_CLAIM, [request.key, request.fingerprint, request.answer, moment]))


def _insert(run: Run, records: pa.RecordBatch, *, layout: Layout, first: int) -> None:
    layout_id, text = _kept(layout)
    run.execute("INSERT INTO layouts (id, layout) VALUES (?, ?) ON CONFLICT DO NOTHING", [layout_id, text])
    answered_at = _micros(pc.max(records["answered_at"]).as_py())
    run.execute(
        "INSERT INTO groups (first, rows, layout, answered_at, records) VALUES (?, ?, ?, ?, ?)",
        [first, records.num_rows, layout_id, answered_at, encode(records)],
    )
    numbers = range(first, first + records.num_rows)
    ids = zip(numbers, records["prediction_id"].to_pylist(), records["example_id"].to_pylist(), strict=True)
    run.executemany("INSERT INTO ids (seq, prediction_id, example_id) VALUES (?, ?, ?)", list(ids))


@lru_cache(maxsize=16)
def _kept(layout: Layout) -> tuple[str, str]:
    """A layout as the log keeps it, under its id. Few models answer, and often."""
    return layout.id, layout.to_json()


def _layouts(run: Run, ids: set[str]) -> dict[str, Layout]:
    kept = [run.execute("SELECT id, layout FROM layouts WHERE id = ?", [one])[0] for one in ids]
    return {one: Layout.from_json(text) for one, text in kept}


def _record(run: Run, outcome: Outcome, *, seq: int) -> str:
    """Writes one outcome under the number ``seq`` unless there is nothing new in it; what became of it."""
    prediction = _prediction_of(run, outcome)
    if prediction is None:
        return "unknown"
    number, example_id = prediction
    label = outcome.label if isinstance(outcome.label, str) else float(outcome.label)
    labels = (None, label) if isinstance(label, str) else (label, None)
    before = run.execute(_LABEL, [example_id or outcome.prediction_id])
    if before and before[0] == labels:
        return "repeated"
    moments = _micros(outcome.known_at), _micros(datetime.now(UTC))
    run.execute(_INSERT_OUTCOME, [seq, outcome.prediction_id, example_id, *labels, *moments])
    if before:
        return "corrected"
    return "recorded" if run.execute(_COVERING, [number, number]) else "late"


def _prediction_of(run: Run, outcome: Outcome) -> Row | None:
    """The number of the (last) prediction that an outcome is of, and the example that was asked about."""
    column, value = (
        ("prediction_id", outcome.prediction_id) if outcome.prediction_id else ("example_id", outcome.example_id)
    )
    query = f"SELECT seq, example_id FROM ids WHERE {column} = ? ORDER BY seq DESC LIMIT 1"
    return next(iter(run.execute(query, [value])), None)


def _only(rows: Sequence[Row]) -> int | None:
    return int(rows[0][0]) if rows else None


def _micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
