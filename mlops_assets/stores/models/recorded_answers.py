"""What a version answers to a few rows, written down where it is promoted, to be asked again where it serves.

Another XGBoost, another encoding or a damaged file would show in it. The rows are features, as the model reads them:
what is looked up and computed for a request is another question (``serving/versions.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from mlops_assets.contract.errors import PlatformError
from mlops_assets.training.scoring import Scorer

ROWS = 50


class RecordedAnswers(BaseModel):
    """Rows of features by name, a missing value as null, and the score of each: of classes one number for each."""

    model_config = ConfigDict(frozen=True)

    columns: dict[str, list[float | str | None]]
    scores: list[float] | list[list[float]]


def recorded_answers(scorer: Scorer, rows: pa.Table) -> RecordedAnswers:
    """What it answers to at most ``ROWS`` of ``rows``, spread over all of them."""
    chosen = rows.take(np.unique(np.linspace(0, rows.num_rows - 1, num=min(ROWS, rows.num_rows)).astype(np.int64)))
    columns = {
        feature.name: [_plain(value) for value in chosen[feature.name].to_pylist()] for feature in scorer.features
    }
    return RecordedAnswers(columns=columns, scores=_scores(scorer, columns))


def why_not_alike(scorer: Scorer, recorded: RecordedAnswers) -> str:
    """How its answers differ from those on record; empty where all are the same to the bit."""
    try:
        scores = _scores(scorer, recorded.columns)
    except (PlatformError, ValueError, TypeError, KeyError) as error:
        return f"it cannot answer the rows on record: {error}"
    pairs = list(zip(scores, recorded.scores, strict=True))
    differing = [(score, known) for score, known in pairs if score != known]
    if not differing:
        return ""
    score, known = differing[0]
    return f"it answers {len(differing)} of {len(pairs)} rows on record differently, such as {score} instead of {known}"


def _scores(scorer: Scorer, columns: Mapping[str, Sequence[float | str | None]]) -> list[float] | list[list[float]]:
    kinds = {feature.name: feature.kind for feature in scorer.features}
    rows = len(next(iter(columns.values())))
    arrays = {
        name: pa.array(values, pa.string() if kinds[name] == "categorical" else pa.float64())
        for name, values in columns.items()
    }
    scores: list[float] | list[list[float]] = scorer.scores(
        pa.table({"id": pa.nulls(rows, pa.string()), **arrays})
    ).tolist()
    return scores


def _plain(value: object) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]  # of whatever numeric type the column is
    return number if math.isfinite(number) else None
