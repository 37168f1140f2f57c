"""Pairs: what the champion answered and what a shadow would have, prediction by prediction, in a small file.

One SQLite file per challenger, which several workers of one machine write. Its journal is SQLite's own default: the
write-ahead log, which several writers of an early SQLite can corrupt, would be faster, and nobody waits for these.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from mlops_assets.contract.errors import ServingError

PAIRS = pa.schema(
    [
        ("prediction_id", pa.string()),
        ("example_id", pa.string()),
        ("champion", pa.string()),
        ("champion_score", pa.float64()),
        ("champion_decided", pa.string()),
        ("challenger_score", pa.float64()),
        ("challenger_decided", pa.string()),
    ]
)
"""``decided`` is ``true`` or ``false`` of two outcomes, the class of several, null of a number."""
MOST = 1_000_000
"""Pairs in a file, about 150 MB; what comes later is not kept."""
_WAIT = 5.0


def append_pairs(path: Path, pairs: pa.Table) -> int:
    """Adds ``pairs`` (``PAIRS``) and answers how many; none once the file is full. A prediction's first pair stays."""
    columns = [f"{field.name} {'REAL' if field.type == pa.float64() else 'TEXT'}" for field in PAIRS]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=_WAIT)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")  # or it would hold up the disk, which answers wait for
            connection.execute(f"CREATE TABLE IF NOT EXISTS pair ({', '.join(columns)}, PRIMARY KEY (prediction_id))")
            (held,) = connection.execute("SELECT coalesce(max(rowid), 0) FROM pair").fetchone()
            kept = pairs.slice(0, max(MOST - held, 0))
            marks = ", ".join("?" * len(PAIRS))
            connection.executemany(f"INSERT OR IGNORE INTO pair VALUES ({marks})", _rows(kept))
    except (sqlite3.Error, OSError) as error:
        raise ServingError(f"The pairs in {path} could not be written: {error}.") from error
    return int(kept.num_rows)


def read_pairs(path: Path) -> pa.Table:
    """All of them (``PAIRS``), in the order they came; empty where there is no file."""
    if not path.exists():
        return PAIRS.empty_table()
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT)) as connection:
            rows = connection.execute(f"SELECT {', '.join(PAIRS.names)} FROM pair ORDER BY rowid").fetchall()
    except sqlite3.Error as error:
        raise ServingError(f"The pairs in {path} could not be read: {error}. Remove it to begin anew.") from error
    columns = zip(*rows, strict=True) if rows else [()] * len(PAIRS)
    return pa.table([pa.array(column, field.type) for field, column in zip(PAIRS, columns, strict=True)], schema=PAIRS)


def _rows(pairs: pa.Table) -> Sequence[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in pairs.columns), strict=True))
