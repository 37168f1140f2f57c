"""Groups of records as a service would log them, from the few values that a test cares for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from mlops_assets.stores.predictions.records import RECORDS, Layout, RecordGroup, Repeatable

ANSWERED_AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
RECORD: Mapping[str, Any] = {
    "example_id": None,
    "answered_at": ANSWERED_AT,
    "event_time": datetime(2013, 7, 1, 8, 30),
    "model_version": "2013-06-30-3fa9c1d2",
    "score": 0.25,
    "predicted_positive": False,
    "history_as_of": None,
    "history_commit": None,
    "inputs": {},
    "features": {},
    "flags": [],
}


def make_record(**values: object) -> dict[str, Any]:
    """One record with its features by name."""
    return {**RECORD, **values}


def make_group(rows: Sequence[Mapping[str, Any]], *, repeatable: tuple[Repeatable, ...] = ()) -> RecordGroup:
    """Records with the same features; those that are texts in the first are texts in all."""
    first = rows[0]["features"]
    layout = Layout(
        numbers=tuple(name for name, value in first.items() if not isinstance(value, str)),
        texts=tuple(name for name, value in first.items() if isinstance(value, str)),
    )
    logged = [
        {
            **row,
            "inputs": json.dumps(row["inputs"]),
            "numbers": [row["features"][name] for name in layout.numbers],
            "texts": [row["features"][name] for name in layout.texts],
        }
        for row in rows
    ]
    return RecordGroup(rows=pa.RecordBatch.from_pylist(logged, schema=RECORDS), layout=layout, repeatable=repeatable)
