"""An outcome in a log's database: which prediction it is of, and whether there is anything new in it."""

from __future__ import annotations

from datetime import UTC, datetime

from mlops_assets.stores.predictions.records import Outcome, micros
from mlops_assets.stores.predictions.sql_database import Row, Run

_COVERING = """
SELECT first FROM groups WHERE first = (SELECT max(first) FROM groups WHERE first <= ?) AND first + rows > ?
"""
_LABEL = """
SELECT label, label_class FROM outcomes WHERE coalesce(example_id, prediction_id) = ? ORDER BY seq DESC LIMIT 1
"""
_INSERT_OUTCOME = """
INSERT INTO outcomes (seq, prediction_id, example_id, label, label_class, known_at, recorded_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


def record_outcome(run: Run, outcome: Outcome, *, seq: int) -> str:
    """Writes one outcome under the number ``seq`` unless there is nothing new in it; what became of it."""
    prediction = _prediction_of(run, outcome)
    if prediction is None:
        return "unknown"
    number, prediction_id, example_id = prediction
    label = outcome.label if isinstance(outcome.label, str) else float(outcome.label)
    labels = (None, label) if isinstance(label, str) else (label, None)
    before = run.execute(_LABEL, [example_id or prediction_id])
    if before and before[0] == labels:
        return "repeated"
    moments = micros(outcome.known_at), micros(datetime.now(UTC))
    run.execute(_INSERT_OUTCOME, [seq, prediction_id, example_id, *labels, *moments])
    if before:
        return "corrected"
    return "recorded" if run.execute(_COVERING, [number, number]) else "late"


def _prediction_of(run: Run, outcome: Outcome) -> Row | None:
    """The number and id of the (last) prediction that an outcome is of, and the example that was asked about."""
    column, value = (
        ("prediction_id", outcome.prediction_id) if outcome.prediction_id else ("example_id", outcome.example_id)
    )
    query = f"SELECT seq, prediction_id, example_id FROM ids WHERE {column} = ? ORDER BY seq DESC LIMIT 1"
    return next(iter(run.execute(query, [value])), None)
