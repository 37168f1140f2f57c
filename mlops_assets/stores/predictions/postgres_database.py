"""The prediction log's database on a Postgres server, for services on several machines (``MLOPS_PREDICTION_LOG_URL``).

Each use case has a schema of its own in the database that the URL names. Deployments that must not mix their answers,
such as lake branches, take a database each. Durable as ``synchronous_commit`` makes it, whatever the server's default.

A connection that broke is replaced by the next use. One that breaks while its transaction ends may have ended it: the
records may be kept although the answer was refused, never the other way round.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from mlops_assets.contract.errors import ServingError, SettingError
from mlops_assets.stores.predictions.sql_database import COLLECTING_WAIT, WAIT, Row
from mlops_assets.stores.predictions.sql_log import SqlLog

_LONGEST_NAME = 63  # Postgres cuts longer ones off: two use cases could share a schema
_LOCK_POLL = 0.1
_PREPARES, _COLLECTS = 0x6D6C6F70, 0x6D6C6F71  # the first halves of advisory locks, the second is of the schema
_CONNECTION: Mapping[str, Any] = {
    "connect_timeout": 2,  # the shortest that libpq takes
    "keepalives_idle": 5,  # a server that vanished is noticed within ten seconds, not two hours
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
    "application_name": "mlops-prediction-log",
}


def postgres_log(url: str, *, use_case: str) -> SqlLog:
    """The log of a use case in the database at ``url``."""
    return SqlLog(PostgresDatabase(url, use_case=use_case))


class PostgresDatabase:
    """The schema ``mlops_log_<use case>`` in the database at ``url``."""

    types: ClassVar[Mapping[str, str]] = {"whole": "BIGINT", "number": "DOUBLE PRECISION", "bytes": "BYTEA"}

    def __init__(self, url: str, *, use_case: str) -> None:
        self._url = url
        self._schema = f"mlops_log_{use_case}"
        if len(self._schema) > _LONGEST_NAME:
            raise SettingError(
                f"'{use_case}' is too long for a prediction log on Postgres: {_LONGEST_NAME - 10} at most."
            )
        self.place = f"{self._schema} of {_address(url)}"
        self._writer, self._reader = _Kept(self._connect), _Kept(self._connect)

    @contextmanager
    def preparing(self) -> Iterator[_Run]:
        """As ``Database.preparing``: what IF NOT EXISTS makes may be made by two at once all the same."""
        with self.transaction(timeout=WAIT) as run:
            run.execute("SELECT pg_advisory_xact_lock(?, hashtext(?))", [_PREPARES, self._schema])
            run.execute(f"CREATE SCHEMA IF NOT EXISTS {sql.Identifier(self._schema).as_string()}")
            yield run

    @contextmanager
    def transaction(self, *, timeout: float) -> Iterator[_Run]:
        """As ``Database.transaction``. One time-out for waiting on threads, on locks and for the server."""
        until = time.monotonic() + timeout
        with self._failing_as("written"), self._writer.held(timeout=timeout) as connection, connection.transaction():
            left = max(int((until - time.monotonic()) * 1000), 1)
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(left)])
            yield _Run(connection)

    @contextmanager
    def reading(self) -> Iterator[_Run]:
        """As ``Database.reading``."""
        with self._failing_as("read"), self._reader.held(timeout=WAIT) as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield _Run(connection)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """As ``Database.collecting``: a lock that ends with its connection."""
        until = time.monotonic() + COLLECTING_WAIT
        with self._failing_as("locked"):
            connection = self._connect()
        with connection:
            while not self._locked(connection):
                if time.monotonic() > until:
                    raise self._error("collected", "another process has been at it for ten minutes")
                time.sleep(_LOCK_POLL)
            yield

    def probe(self) -> None:
        """As ``Database.probe``: a server's full disk shows when it is written on."""

    def close(self) -> None:
        """As ``Database.close``."""
        self._writer.close()
        self._reader.close()

    def _locked(self, connection: psycopg.Connection[Row]) -> bool:
        with self._failing_as("locked"):
            lock = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
            (((got,),)) = connection.execute(lock, [_COLLECTS, self._schema]).fetchall()
        return bool(got)

    def _connect(self) -> psycopg.Connection[Row]:
        options = f"-c search_path={self._schema} -c synchronous_commit=on"
        return psycopg.connect(self._url, options=options, autocommit=True, **_CONNECTION)

    @contextmanager
    def _failing_as(self, done: str) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._error(done, str(error).strip() or type(error).__name__) from error

    def _error(self, done: str, reason: object) -> ServingError:
        return ServingError(f"The prediction log {self.place} could not be {done}: {reason}.")


class _Kept:
    """One connection for one user at a time, made anew when it broke."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Row]]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Row] | None = None

    @contextmanager
    def held(self, *, timeout: float) -> Iterator[psycopg.Connection[Row]]:
        if not self._lock.acquire(timeout=timeout):
            raise psycopg.OperationalError("it is locked by another thread")
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._connect()
            yield self._connection
        finally:
            self._lock.release()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()


class _Run:
    """Statements on one connection."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        cursor = self._connection.execute(_with_places(statement), values)
        return cursor.fetchall() if cursor.description else []

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(_with_places(statement), rows)


def _with_places(statement: str) -> bytes:
    return statement.replace("?", "%s").encode()


def _address(url: str) -> str:
    """Where a URL leads, without the password that may be in it."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise SettingError(f"MLOPS_PREDICTION_LOG_URL cannot be read: {error}") from error
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
