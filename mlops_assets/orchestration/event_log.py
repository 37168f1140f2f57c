"""Dagster's SQLite storage without a wait for the disk at each event.

Dagster opens, commits and closes its databases for every event, and each commit and close waits until the disk has
confirmed it: about 60 ms an event, minutes for a backfill of half a year. Here the index of all runs stays open and is
synchronised when SQLite moves its write-ahead log: a power cut may cost the last events, never the database. The log of
a single run, which the UI follows by watching its file, is still closed each time, but nothing waits for the disk.
Nothing of the platform's own correctness rests on these databases: what is published is in the lake. See ADR 5.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Self

from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, SqliteStorageConfig
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool, QueuePool

ENGINES = 16


class EventLog(SqliteEventLogStorage):
    """The databases of events: one for each run, and the index."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engine = lru_cache(maxsize=ENGINES)(self._open)
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def dispose(self) -> None:
        """Closes the index too."""
        super().dispose()
        self._engine(INDEX_SHARD_NAME).dispose()

    def _open(self, shard: str) -> Engine:
        kept = shard == INDEX_SHARD_NAME
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=QueuePool if kept else NullPool,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
        )
        pragma = f"PRAGMA synchronous={'NORMAL' if kept else 'OFF'}"
        event.listen(engine, "connect", lambda raw, _: raw.execute(pragma))
        return engine


class Storage(DagsterSqliteStorage):
    """What `dagster.yaml` names: Dagster's SQLite storage with the event log above."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = EventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: SqliteStorageConfig) -> Self:
        """As Dagster makes it from the settings."""
        return cls.from_local(inst_data=inst_data, **config_value)
