"""The SQLite file: schema, connections, transactions. What rows mean is for the modules that use them."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY_SECONDS = 60.0
SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE repositories (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, storage_namespace TEXT NOT NULL UNIQUE,
    default_branch TEXT NOT NULL, created INTEGER NOT NULL, read_only INTEGER NOT NULL);
CREATE TABLE branches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    name TEXT NOT NULL, commit_id TEXT NOT NULL, hidden INTEGER NOT NULL, UNIQUE (repository, name));
CREATE TABLE tags (
    repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    name TEXT NOT NULL, commit_id TEXT NOT NULL, PRIMARY KEY (repository, name)) WITHOUT ROWID;
CREATE TABLE commits (
    repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    id TEXT NOT NULL, parents TEXT NOT NULL, tree TEXT NOT NULL, message TEXT NOT NULL,
    metadata TEXT NOT NULL, committer TEXT NOT NULL, created INTEGER NOT NULL, generation INTEGER NOT NULL,
    PRIMARY KEY (repository, id)) WITHOUT ROWID;
CREATE TABLE staged (
    branch INTEGER NOT NULL REFERENCES branches ON DELETE CASCADE,
    path TEXT NOT NULL, entry TEXT, PRIMARY KEY (branch, path)) WITHOUT ROWID;
CREATE TABLE nodes (name TEXT PRIMARY KEY, body BLOB NOT NULL);
"""


class Database:
    """One file, many threads and processes. Each thread has its own connection; writers take turns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        with _exclusively(path.with_suffix(".lock")):
            _prepare(self._connection())

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One unchanging view of the store."""
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.rollback()

    @contextmanager
    def write(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """All or nothing, one writer at a time. `durable` syncs the disk, with everything written before it.

        What merely stages objects need not be durable by itself: no version refers to it before a commit, and
        a commit is.
        """
        connection = self._connection()
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.commit()
        except BaseException:
            connection.rollback()
            raise

    def close(self) -> None:
        """Closes every thread's connection; call it when none is in use."""
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
            self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA foreign_keys = ON")
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection


def _prepare(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA_VERSION:
        return
    if version != 0:
        raise RuntimeError(f"The store has schema {version}; this version of the platform reads {SCHEMA_VERSION}.")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


@contextmanager
def _exclusively(path: Path) -> Iterator[None]:
    """Keeps other processes out: SQLite's own locks do not cover the change to WAL mode."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
