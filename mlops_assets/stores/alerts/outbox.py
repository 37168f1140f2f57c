"""Delivering what the book has for each channel: tried again until it is accepted, and marked right after it was.

One process delivers at a time. A channel that does not accept waits longer each time and holds up no other; the events
of one alert stay in their order. A process that is killed between a service's acceptance and the mark is the one case
in which it is told twice, as is a service that accepts after the time-out: the message has the event's id.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mlops_assets.contract.alerts import Event
from mlops_assets.stores.alerts.book import AlertBook
from mlops_assets.stores.alerts.channels import Channel, message_of

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=15), timedelta(hours=1)
SECONDS = 20.0
"""One call begins nothing new after that: Dagster ends a sensor's tick after a minute."""
_DUE = """
SELECT event, channel, attempts, document FROM outbox AS this JOIN events ON events.id = event
WHERE delivered IS NULL AND due <= ? AND NOT EXISTS (
    SELECT 1 FROM outbox AS earlier
    WHERE earlier.alert = this.alert AND earlier.channel = this.channel
    AND earlier.event < this.event AND earlier.delivered IS NULL
) ORDER BY event, channel
"""
_DELIVERED = "UPDATE outbox SET delivered = ?, attempts = attempts + 1, error = '' WHERE event = ? AND channel = ?"
_FAILED = "UPDATE outbox SET due = ?, attempts = attempts + 1, error = ? WHERE event = ? AND channel = ?"
_LONGEST_ERROR = 200


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What one call came to: messages that were accepted, and the channels that did not accept one, with the reason."""

    delivered: int
    failed: Mapping[str, str]


def deliver(book: AlertBook, channels: Mapping[str, Channel], *, now: datetime) -> Delivery:
    """Sends what is due, oldest first; a channel that fails once is left alone until the next call."""
    delivered, failed, until = 0, dict[str, str](), time.monotonic() + SECONDS
    with _delivering(book) as alone:
        while alone and (due := _due(book, channels.keys() - failed.keys(), now=now)) and time.monotonic() < until:
            event, channel, attempts, document = due
            try:
                channels[channel].send(message_of(Event.model_validate_json(document)))
            except Exception as error:  # noqa: BLE001 - a channel of another distribution fails in whatever way
                failed[channel] = f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
                later = now + min(FIRST_WAIT * 2 ** min(attempts, 16), LONGEST_WAIT)
                _mark(book, _FAILED, later.timestamp(), failed[channel], event, channel)
            else:
                _mark(book, _DELIVERED, now.timestamp(), event, channel)
                delivered += 1
    return Delivery(delivered=delivered, failed=failed)


def undelivered(book: AlertBook) -> dict[str, tuple[int, str]]:
    """By channel that something waits for: how many events, and why the last attempt failed."""
    rows = book.connection.execute(
        "SELECT channel, count(*), max(error) FROM outbox WHERE delivered IS NULL GROUP BY channel ORDER BY channel"
    )
    return {channel: (count, error) for channel, count, error in rows}


def _due(book: AlertBook, channels: Collection[str], *, now: datetime) -> tuple[int, str, int, str] | None:
    """Event, channel, earlier attempts and the event's document."""
    rows: list[Any] = book.connection.execute(_DUE, (now.timestamp(),)).fetchall()
    return next((row for row in rows if row[1] in channels), None)


def _mark(book: AlertBook, statement: str, *values: str | float) -> None:
    with book.transaction():
        book.connection.execute(statement, values)


@contextmanager
def _delivering(book: AlertBook) -> Iterator[bool]:
    """Whether this process is the one that delivers now; the system lets go of the lock for a killed one."""
    with book.path.with_suffix(".delivering").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
