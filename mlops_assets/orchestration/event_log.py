"""Dagster's SQLite storage without a wait for the disk at each event, and with an answer for every day of a backfill.

Dagster opens, commits and closes its databases for every event, and each commit and close waits until the disk has
confirmed it: about 60 ms an event, minutes for a backfill of half a year. Here the index of all runs stays open and is
synchronised when SQLite moves its write-ahead log: a power cut may cost the last events, never the database. The log of
a single run, which the UI follows by watching its file, is still closed each time, but nothing waits for the disk.
Nothing of the platform's own correctness rests on these databases: what is published is in the lake. See ADR 5.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Self

import sqlalchemy as sa
from dagster import AssetCheckEvaluation, DagsterEventType, DagsterInstance, EventLogRecord, EventRecordsFilter
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, SqliteStorageConfig
from dagster._serdes import ConfigurableClassData, serialize_value

ENGINES = 16


class EventLog(SqliteEventLogStorage):
    """The databases of events: one for each run, and the index."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engine = lru_cache(maxsize=ENGINES)(self._open)
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def store_asset_check_event(self, event: EventLogEntry, event_id: int | None) -> None:
        """A check that passed for a whole run over many batches has passed for each of them that was not told apart.

        Dagster plans a check for every partition of a run: a day without an answer would be shown as skipped.
        """
        super().store_asset_check_event(event, event_id)
        told = event.get_dagster_event().event_specific_data
        if isinstance(told, AssetCheckEvaluation) and told.passed and told.partition is None:
            planned = {
                "asset_key": told.asset_key.to_string(),
                "check_name": told.check_name,
                "run_id": event.run_id,
                "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            }
            answer = (
                AssetCheckExecutionsTable.update()
                .filter_by(**planned)
                .values(
                    execution_status=AssetCheckExecutionRecordStatus.SUCCEEDED.value,
                    evaluation_event=serialize_value(event),
                    evaluation_event_timestamp=self._event_insert_timestamp(event),
                    evaluation_event_storage_id=event_id,
                )
            )
            with self.index_connection() as connection:
                connection.execute(answer)

    def dispose(self) -> None:
        """Closes the index too."""
        super().dispose()
        self._engine(INDEX_SHARD_NAME).dispose()

    def _open(self, shard: str) -> sa.Engine:
        kept = shard == INDEX_SHARD_NAME
        engine = sa.create_engine(
            self.conn_string_for_shard(shard),
            poolclass=sa.QueuePool if kept else sa.NullPool,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
        )
        pragma = f"PRAGMA synchronous={'NORMAL' if kept else 'OFF'}"
        sa.event.listen(engine, "connect", lambda raw, _: raw.execute(pragma))
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


def check_evaluations(
    instance: DagsterInstance, *, after: int | None, since: float | None, limit: int
) -> Sequence[EventLogRecord]:
    """The verdicts of checks behind the record ``after``, or of the time ``since``, oldest first.

    Read from the index, where they have ids in one order: Dagster's own SQLite would go through the files of all runs.
    """
    wanted = EventRecordsFilter(
        event_type=DagsterEventType.ASSET_CHECK_EVALUATION, after_cursor=after, after_timestamp=since
    )
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    return SqlEventLogStorage.get_event_records(storage, wanted, limit=limit, ascending=True)
