"""The prediction log in a SQL database: what is written, read and kept, in statements that SQLite and Postgres share.

Belongs here: tables, numbering, repeatable requests, reading, pruning. How a transaction is made durable, bounded in
time and guarded against a log that is gone is a ``Database``'s (``sql_database.py``).

A group of records is one row with the numbers it covers; ids are rows of their own, because they outlive their records.
The one row of ``log`` is what every writer changes first: it gives the numbers, and whoever changed it commits before
the next gets any, so numbers have no gaps and a reader that sees one has seen all before it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from functools import lru_cache
from itertools import takewhile
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
    micros,
    read_row,
)
from mlops_assets.stores.predictions.sql_database import WAIT, Database, Row, Run
from mlops_assets.stores.predictions.sql_outcomes import record_outcome

READY_WAIT = 0.5
"""Seconds that a probe waits for other writers: an orchestrator's own patience is about one."""
_PRUNED_AT_ONCE = 500
_READ_AT_ONCE = 64
_TABLES = """
CREATE TABLE IF NOT EXISTS log (
    id TEXT NOT NULL, last {whole} NOT NULL, last_outcome {whole} NOT NULL, collected {whole} NOT NULL);
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
                said.append(record_outcome(run, outcome, seq=last + 1))
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
        while rows := self._prune_some(upto=upto, before=micros(before)):
            dropped += rows
        with self._database.transaction(timeout=WAIT) as run:
            run.execute("DELETE FROM repeatable WHERE answered_at < ?", [micros(before)])
        return dropped

    def mark_collected(self, *, upto: int) -> None:
        """As ``PredictionLog.mark_collected``."""
        with self._database.transaction(timeout=WAIT) as run:
            run.execute("UPDATE log SET collected = ?", [upto])

    def uncollected(self) -> int:
        """As ``PredictionLog.uncollected``."""
        with self._database.reading() as run:
            return int(run.execute("SELECT last - collected FROM log")[0][0])

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
                run.execute("INSERT INTO log (id, last, last_outcome, collected) VALUES (?, 0, 0, 0)", found[0])
        return str(found[0][0])

    def _prune_some(self, *, upto: int, before: int) -> int:
        """Drops a few groups, the first ones; how many records."""
        oldest = f"SELECT first, rows, answered_at FROM groups ORDER BY first LIMIT {_PRUNED_AT_ONCE}"
        with self._database.transaction(timeout=WAIT) as run:
            groups = run.execute(oldest)
            old = list(takewhile(lambda group: group[0] + group[1] - 1 <= upto and group[2] < before, groups))
            run.executemany("DELETE FROM groups WHERE first = ?", [[first] for first, _, _ in old])
        return sum(rows for _, rows, _ in old)

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
                start = max(seq + 1, first)
                records = decode(packed).slice(start - first, left)
                seq, left = start + records.num_rows - 1, left - records.num_rows
                if records.num_rows:
                    yield start, layouts[layout], records


def _claim(run: Run, request: Repeatable, group: RecordGroup) -> bool:
    """Takes the key of a request for its answer; False if it was taken before."""
    moment = micros(group.rows["answered_at"][request.first].as_py())
    return bool(run.execute(_CLAIM, [request.key, request.fingerprint, request.answer, moment]))


def _insert(run: Run, records: pa.RecordBatch, *, layout: Layout, first: int) -> None:
    layout_id, text = _kept(layout)
    run.execute("INSERT INTO layouts (id, layout) VALUES (?, ?) ON CONFLICT DO NOTHING", [layout_id, text])
    answered_at = micros(pc.max(records["answered_at"]).as_py())
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


def _only(rows: Sequence[Row]) -> int | None:
    return int(rows[0][0]) if rows else None
