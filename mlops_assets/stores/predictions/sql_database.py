"""What a prediction log in SQL asks of its database: transactions that are durable, bounded in time, and told when they
cannot be made.

Ours are ``sqlite_database.py`` and ``postgres_database.py``; what is kept in it is in ``sql_log.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

WAIT = 5.0
"""Seconds that everything but an append waits for other writers."""
COLLECTING_WAIT = 600.0
"""Seconds that a collection waits for another one."""

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
