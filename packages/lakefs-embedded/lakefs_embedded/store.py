"""The store: one root folder with its database, its stored bytes and its credentials, opened as one thing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lakefs_embedded.auth import Credentials, load_or_create
from lakefs_embedded.database import Database
from lakefs_embedded.nodes import NodeCache, SqliteNodes
from lakefs_embedded.objects import Objects


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """What an operation works on: rows, and the tree nodes beside them."""

    db: sqlite3.Connection
    nodes: SqliteNodes


class Store:
    """Opens, and at first use makes, the store below `root`. Many processes may have the same root open."""

    def __init__(self, root: Path) -> None:
        root = root.absolute()
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.credentials: Credentials = load_or_create(root)
        self.objects = Objects(root)
        self._database = Database(root / "lake.db")
        self._cache = NodeCache()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """One unchanging view."""
        with self._database.read() as db:
            yield Transaction(db=db, nodes=SqliteNodes(db, self._cache))

    @contextmanager
    def staging(self) -> Iterator[Transaction]:
        """Writes no version refers to yet: safe against a killed process, not by themselves a power cut."""
        with self._database.write(durable=False) as db:
            yield Transaction(db=db, nodes=SqliteNodes(db, self._cache))

    @contextmanager
    def committing(self) -> Iterator[Transaction]:
        """Writes that move versions, branches, tags or repositories: on disk when the block ends."""
        with self._database.write(durable=True) as db:
            yield Transaction(db=db, nodes=SqliteNodes(db, self._cache))

    def close(self) -> None:
        self._database.close()
