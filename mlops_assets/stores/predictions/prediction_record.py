"""One answer as the answer path makes it today, and the group that the log takes. Goes when answers are columns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from mlops_assets.stores.predictions.records import RECORDS, Layout, RecordGroup


@dataclass(frozen=True, kw_only=True)
class PredictionRecord:
    """One answer, as ``RECORDS`` says; ``inputs`` and ``features`` hold plain JSON values."""

    prediction_id: str
    answered_at: datetime
    event_time: datetime
    model_version: str
    score: float
    inputs: Mapping[str, object]
    features: Mapping[str, object]
    predicted_positive: bool | None = None
    predicted: str | None = None
    example_id: str | None = None
    history_as_of: str | None = None
    history_commit: str | None = None
    flags: tuple[str, ...] = ()


def record_group(records: Sequence[PredictionRecord]) -> RecordGroup:
    """Answers that were given together."""
    names = dict.fromkeys(name for record in records for name in record.features)
    texts = tuple(n for n in names if any(isinstance(record.features.get(n), str) for record in records))
    layout = Layout(numbers=tuple(name for name in names if name not in texts), texts=texts)
    rows = [
        {
            **vars(record),
            "inputs": json.dumps(record.inputs, allow_nan=False),
            "numbers": [_number(record.features.get(name)) for name in layout.numbers],
            "texts": [record.features.get(name) for name in layout.texts],
        }
        for record in records
    ]
    return RecordGroup(rows=pa.RecordBatch.from_pylist(rows, schema=RECORDS), layout=layout)


def _number(value: object) -> float:
    return math.nan if value is None else float(value)  # type: ignore[arg-type]
