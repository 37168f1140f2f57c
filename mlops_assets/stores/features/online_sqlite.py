"""The embedded backend of the online store: one SQLite file in WAL mode, which many processes read at once.

A refresh is one transaction, so a reader that began before it goes on with the old generation, and a killed
refresh leaves nothing behind.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from mlops_assets.stores.features.online_backend import Asked, Generation, Layout, Value, as_serving_error

_plainly = as_serving_error(sqlite3.Error)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS generation (
    number INTEGER PRIMARY KEY, commit_id TEXT NOT NULL, as_of TEXT NOT NULL, layout TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS in_use (only INTEGER PRIMARY KEY CHECK (only = 0), number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS value (
    number INTEGER NOT NULL, key TEXT NOT NULL, observed INTEGER NOT NULL, packed BLOB NOT NULL,
    PRIMARY KEY (number, key, observed)
) WITHOUT ROWID;
"""
_FETCH = """
SELECT (
    SELECT packed FROM value
    WHERE number = ?1 AND value.key = asked.value ->> 0 AND observed <= asked.value ->> 1
    ORDER BY observed DESC LIMIT 1
) FROM json_each(?2) AS asked ORDER BY asked.key
"""
_DROP_OLD = """
DELETE FROM generation
WHERE number NOT IN (SELECT number FROM generation ORDER BY number DESC LIMIT ?)
"""


class SqliteBackend:
    """Keeps the newest ``kept`` generations in the file ``path``, which is made when it is not there."""

    @_plainly
    def __init__(self, path: Path, *, kept: int = 2) -> None:
        self.place = str(path)
        self._path = path
        self._kept = kept
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection().executescript(_SCHEMA)

    @_plainly
    def current(self) -> Generation | None:
        """The generation in use, ``None`` before the first refresh."""
        rows = self._select("WHERE number = (SELECT number FROM in_use)")
        return rows[0] if rows else None

    @_plainly
    def generations(self) -> list[Generation]:
        """Those that are kept, the newest first."""
        return self._select("ORDER BY number DESC")

    @_plainly
    def fetch(self, asked: Sequence[Asked]) -> tuple[int, list[bytes | None]]:
        """The generation in use and, for every (key, until), its latest value: one transaction."""
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM in_use").fetchone()
            found = connection.execute(_FETCH, (number, json.dumps(asked))).fetchall()
        finally:
            connection.execute("COMMIT")
        return number, [packed for (packed,) in found]

    @_plainly
    def replace(self, values: Iterator[Value], *, commit: str, as_of: date, layout: Layout) -> None:
        """Write a new generation, put it in use and drop those past ``kept``, in one transaction.

        Numbers are never used twice, as readers remember them.
        """
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            (number,) = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM generation").fetchone()
            connection.execute("DELETE FROM generation WHERE number > (SELECT number FROM in_use)")  # gone back from
            connection.execute(
                "INSERT INTO generation VALUES (?, ?, ?, ?)",
                (number, commit, as_of.isoformat(), json.dumps(layout)),
            )
            connection.executemany("INSERT INTO value VALUES (?, ?, ?, ?)", ((number, *value) for value in values))
            connection.execute("INSERT OR REPLACE INTO in_use VALUES (0, ?)", (number,))
            connection.execute(_DROP_OLD, (self._kept,))
            connection.execute("DELETE FROM value WHERE number NOT IN (SELECT number FROM generation)")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    @_plainly
    def use(self, number: int) -> None:
        """Put a kept generation in use again."""
        self._connection().execute("UPDATE in_use SET number = ?", (number,))

    def close(self) -> None:
        """Close every thread's connection."""
        while self._opened:
            self._opened.pop().close()
        self._local = threading.local()

    def _select(self, rest: str) -> list[Generation]:
        rows = self._connection().execute(f"SELECT number, commit_id, as_of, layout FROM generation {rest}").fetchall()
        return [
            Generation(number=number, commit=commit, as_of=date.fromisoformat(as_of), layout=json.loads(layout))
            for number, commit, as_of, layout in rows
        ]

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # One connection per thread; only close() touches those of other threads.
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=30, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            self._local.connection = connection
            self._opened.append(connection)
        return connection
