"""Where the trials of a search for hyperparameters are kept while it goes on: SQLite below the environment's folder.

A process that is killed leaves every finished fold there, and the next one goes on. What the search found is published
to the lake; this file may be deleted at any time, and the search begins anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


@contextmanager
def open_trials(use_case: str, *, folder: Path) -> Iterator[BaseStorage]:
    """The trials of all searches of a use case, open while the context lasts."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / "tuning" / f"{use_case}.sqlite3"
    path.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}", engine_kwargs={"creator": lambda: _connection(path)})
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _connection(path: Path) -> sqlite3.Connection:
    """Safe when a process dies; after a power cut the last trials may be missing, and what is there is whole."""
    connection = sqlite3.connect(path, timeout=60, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
