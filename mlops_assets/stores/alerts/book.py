"""The alerts of a deployment in one SQLite file of its data folder, with every event and whom it is still to be told.

A change of alerts, its events and what is to be delivered of them are one transaction that has reached the disk when
it is over: a process that is killed has told of all of it, or of nothing. Delivering is in ``outbox.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

import apsw

from mlops_assets.contract.alerts import Alert, Event, Look, State, announce, judge, wake
from mlops_assets.contract.errors import AlertError

NAME = "alerts.db"
_WAIT_MS = 10_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (id TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, alert TEXT NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS channels (channel TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS outbox (
    event INTEGER NOT NULL REFERENCES events, alert TEXT NOT NULL, channel TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',
    delivered REAL, PRIMARY KEY (event, channel)
);
CREATE INDEX IF NOT EXISTS outbox_undelivered ON outbox (channel, event) WHERE delivered IS NULL;
"""
_ENQUEUE = "INSERT INTO outbox (event, alert, channel) SELECT ?, ?, channel FROM channels"


class AlertBook:
    """The alerts kept in ``folder`` (``environment_directory()`` of a deployment); closed at the end of a ``with``."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self.connection = apsw.Connection(str(self.path))
            self.connection.set_busy_timeout(_WAIT_MS)
            self.connection.execute(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_SCHEMA}").fetchall()
        except apsw.Error as error:
            raise AlertError(
                f"The alerts in {self.path} cannot be opened: {error}. Mend or remove the file."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def use_channels(self, channels: Collection[str]) -> None:
        """From now on events are to be told by these; what waits for others, which are gone, waits no longer."""
        with self.transaction():
            registered = {str(channel) for (channel,) in self.connection.execute("SELECT channel FROM channels")}
            for gone in registered - set(channels):
                self.connection.execute("DELETE FROM channels WHERE channel = ?", (gone,))
                self.connection.execute("DELETE FROM outbox WHERE channel = ? AND delivered IS NULL", (gone,))
            for new in set(channels) - registered:
                self.connection.execute("INSERT INTO channels VALUES (?)", (new,))

    def record(self, looks: Sequence[Look], *, now: datetime) -> list[Event]:
        """What ``looks``, in their order, say together: what opens and is over within them is no event."""
        with self.transaction():
            before = {alert.id: alert for alert in self._all()}
            after = {key: wake(alert, now=now) for key, alert in before.items()}
            for look in looks:
                after |= judge(after, look)
            changed = [(before.get(key), alert) for key, alert in after.items() if alert != before.get(key)]
            return [event for pair in changed if (event := self._put(*pair, now=now))]

    def change(self, name: str, by: Callable[[Alert], Alert], *, now: datetime) -> Alert:
        """A person's transition of the standing alert ``name``, an id or the beginning of one."""
        with self.transaction():
            alert = self.alert(name)
            if alert.state is State.RESOLVED:
                raise AlertError(f"Alert {alert.id} is resolved: there is nothing to change. `mlops alerts` lists.")
            after = by(alert)
            event = self._put(alert, after, now=now)
            return event.alert if event else after

    def alert(self, name: str) -> Alert:
        """The one alert whose id begins with ``name``; AlertError naming those that stand."""
        named = [alert for alert in self._all() if name and alert.id.startswith(name)]
        if len(named) != 1:
            standing = ", ".join(alert.id for alert in self.standing()) or "none"
            raise AlertError(f"{len(named) or 'No'} alerts are called '{name}'. Those that stand: {standing}.")
        return named[0]

    def standing(self) -> list[Alert]:
        """Every alert that is not resolved: the most urgent first, then the oldest."""
        standing = [alert for alert in self._all() if alert.places]
        return sorted(standing, key=lambda each: (each.finding.urgency == "inform", each.finding.since))

    def resolved(self) -> list[Alert]:
        """Every alert whose cause was there once."""
        return [alert for alert in self._all() if not alert.places]

    def events(self, alert: Alert) -> list[Event]:
        """Everything that became of an alert, oldest first."""
        rows = self.connection.execute("SELECT document FROM events WHERE alert = ? ORDER BY id", (alert.id,))
        return [Event.model_validate_json(document) for (document,) in rows]

    def events_after(self, number: int) -> list[tuple[int, Event]]:
        """What became of any alert after the event of that number, oldest first, each with its number."""
        rows = self.connection.execute("SELECT id, document FROM events WHERE id > ? ORDER BY id", (number,))
        return [(int(at), Event.model_validate_json(document)) for at, document in rows]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on the disk when it is over, and nobody else writes meanwhile."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def _all(self) -> list[Alert]:
        rows = self.connection.execute("SELECT document FROM alerts ORDER BY id")
        return [Alert.model_validate_json(document) for (document,) in rows]

    def _put(self, before: Alert | None, after: Alert, *, now: datetime) -> Event | None:
        """Keeps an alert and, if there is something to tell of it, the event and whom it is to be told."""
        event = announce(before, after, now=now)
        alert = event.alert if event else after
        self.connection.execute("INSERT OR REPLACE INTO alerts VALUES (?, ?)", (alert.id, alert.model_dump_json()))
        if event is not None:
            statement = "INSERT INTO events (alert, document) VALUES (?, ?)"
            self.connection.execute(statement, (alert.id, event.model_dump_json()))
            if event.told:
                self.connection.execute(_ENQUEUE, (self.connection.last_insert_rowid(), alert.id))
        return event


def standing_alerts(folder: Path, *, use_case: str | None = None) -> list[Alert]:
    """The alerts that stand in a deployment, of one use case or of all; nothing is made where nothing was kept yet."""
    if not (folder / NAME).exists():
        return []
    with AlertBook(folder) as book:
        return [alert for alert in book.standing() if use_case in (None, alert.finding.use_case)]
