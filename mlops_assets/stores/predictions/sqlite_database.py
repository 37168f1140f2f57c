"""The embedded prediction log's database: an SQLite file that several processes of one machine may write.

SQLite comes with ``apsw``: before 3.51.3 several writers of a write-ahead log could corrupt it, and Python's own is as
old as the machine. Durability: ``synchronous=FULL``, so a transaction has reached the disk, not only the kernel, when
it is over; ``NORMAL`` would survive a killed process, but no power cut.

A file that was removed or replaced would be written on by whoever has it open, for nobody to read. So before and after
every transaction the names must still mean the files that were opened.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar

import apsw

from mlops_assets.contract.errors import ServingError
from mlops_assets.stores.predictions.sql_database import COLLECTING_WAIT, WAIT, Row

LEAST_FREE = 1024 * 1024
"""An answer of many rows takes tens of kilobytes, in the write-ahead log and in the file."""
_LOCK_POLL = 0.1
_PAGE = 8192
"""Bytes of a page: of SQLite's own 4096, a third would stay empty beside two single answers of 1.4 KB."""


class SqliteDatabase:
    """The file at ``path``, made when it is not there yet. With less than ``least_free`` bytes it is not ready."""

    types: ClassVar[Mapping[str, str]] = {"whole": "INTEGER", "number": "REAL", "bytes": "BLOB"}

    def __init__(self, path: Path, *, least_free: int = LEAST_FREE) -> None:
        self.place = str(path)
        self._path, self._least_free = path, least_free
        self._writing, self._read = threading.Lock(), threading.Lock()
        with self._failing_as("opened"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer, self._reader = _open(path), _open(path)
            self._refuse_earlier()
            self._files = self._identities()

    def preparing(self) -> AbstractContextManager[_Run]:
        """As ``Database.preparing``."""
        return self.transaction(timeout=WAIT)

    @contextmanager
    def transaction(self, *, timeout: float) -> Iterator[_Run]:
        """As ``Database.transaction``. One time-out for waiting on threads and on processes."""
        until = time.monotonic() + timeout
        if not self._writing.acquire(timeout=timeout):
            raise self._error("written", "it is locked by another thread")
        try:
            with self._failing_as("written"):
                self._refuse_other_files()
                self._writer.set_busy_timeout(max(int((until - time.monotonic()) * 1000), 0))
                with _committed(self._writer) as run:
                    yield run
                self._refuse_other_files()
        finally:
            self._writing.release()

    @contextmanager
    def reading(self) -> Iterator[_Run]:
        """As ``Database.reading``."""
        with self._read, self._failing_as("read"):
            self._refuse_other_files()
            yield _Run(self._reader)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """As ``Database.collecting``: a file lock, because what is locked here must not stop any answer."""
        with self._failing_as("locked"):
            file = Path(f"{self._path}.collecting").open("a")  # noqa: SIM115 - open while the caller collects
        until = time.monotonic() + COLLECTING_WAIT
        with file:
            while not _locked(file):
                if time.monotonic() > until:
                    raise self._error("collected", "another process has been at it for ten minutes")
                time.sleep(_LOCK_POLL)
            yield

    def probe(self) -> None:
        """As ``Database.probe``: space that a file has already is written on by a full disk for a while."""
        with self._failing_as("written"):
            space = os.statvfs(self._path.parent)
        if space.f_bavail * space.f_frsize < self._least_free:
            raise self._error("written", "the disk is full")

    def close(self) -> None:
        """As ``Database.close``."""
        with self._writing, self._read:
            self._writer.close()
            self._reader.close()

    def _refuse_earlier(self) -> None:
        if self._reader.execute("SELECT 1 FROM sqlite_master WHERE name = 'predictions'").fetchall():
            raise ServingError(
                f"{self.place} is a prediction log of an earlier version, which this one does not read. Collect it "
                "with the version that wrote it, then move the file away: docs/upgrading.md. A new one makes itself."
            )

    def _refuse_other_files(self) -> None:
        if (files := self._identities()) == self._files:
            return
        gone = [name for name, identity in files.items() if identity is None]
        raise ServingError(
            f"The prediction log {self.place} cannot be trusted with another record: {', '.join(gone) or 'it'} was "
            f"{'removed' if gone else 'replaced'}. Put the files back, or restart what uses them to begin a new log."
        )

    def _identities(self) -> dict[str, tuple[int, int] | None]:
        """Which files the names of the database and of its write-ahead log mean."""
        return {f"{self._path.name}{end}": _identity(f"{self._path}{end}") for end in ("", "-wal", "-shm")}

    @contextmanager
    def _failing_as(self, done: str) -> Iterator[None]:
        try:
            yield
        except (apsw.Error, OSError) as error:
            raise self._error(done, error) from error

    def _error(self, done: str, reason: object) -> ServingError:
        return ServingError(
            f"The prediction log {self.place} could not be {done}: {reason}. "
            "Free disk space, or look for a process that holds the file."
        )


class _Run:
    """Statements on one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        return self._connection.execute(statement, tuple(values)).fetchall()

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(statement, [tuple(row) for row in rows])


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(int(WAIT * 1000))
    connection.execute(f"PRAGMA page_size = {_PAGE}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
    connection.execute("SELECT count(*) FROM sqlite_master")
    return connection


@contextmanager
def _committed(connection: apsw.Connection) -> Iterator[_Run]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield _Run(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - the answer path takes it three times per transaction
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
