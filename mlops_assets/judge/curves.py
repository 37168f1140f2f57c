"""What scores look like against outcomes as curves: reliability, receiver operating characteristic, precision-recall.

For pages that people read. The figures that gates judge by are in ``report.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats
from mlops_assets.judge.families import CALIBRATION_BINS, Grouped, Rows, judged_rows
from mlops_assets.judge.intervals import share_bounds

MOST_POINTS = 300


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Rows of similar score: their mean ``score``, and the ``share`` of positives with its 95 % interval."""

    rows: int
    score: float
    share: float
    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """Where on the curves the decision threshold stands; ``precision`` is ``None`` if it decides nothing positive."""

    threshold: float
    false_positive_rate: float
    recall: float
    precision: float | None


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The points of the curves from the highest score down, at most a few hundred, each with as many positives and
    negatives weighed in as score at least that much. ``reliability`` has bins of about equally many rows.
    """

    rows: int
    positive_share: float
    false_positive_rates: tuple[float, ...]
    recalls: tuple[float, ...]
    precisions: tuple[float, ...]
    reliability: tuple[ReliabilityBin, ...]
    decided: OperatingPoint


def curves(
    labels: NDArray[np.generic],
    scores: NDArray[np.generic],
    *,
    threshold: float,
    clusters: NDArray[np.generic] | None = None,
    weights: NDArray[np.generic] | None = None,
) -> Curves:
    """The curves of ``scores`` against ``labels`` (0 or 1), all of shape (rows,).

    Raises EvaluationError when there is nothing to judge.
    """
    nothing = pa.table({"row": np.arange(len(labels))})
    (judged,) = judged_rows(labels, scores, slice_columns=nothing, slices=(), clusters=clusters, weights=weights)
    rows = judged.rows
    falling = slice(None, None, -1)
    positives = np.cumsum((rows.weights * rows.labels)[falling])
    negatives = np.cumsum((rows.weights * (1 - rows.labels))[falling])
    ends = np.flatnonzero(np.append(np.diff(rows.scores[falling]) != 0, True))
    kept = ends[np.unique(np.linspace(0, len(ends) - 1, MOST_POINTS).astype(int))]
    recalls, alarms = _share(positives[kept], positives[-1]), _share(negatives[kept], negatives[-1])
    return Curves(
        rows=len(rows.labels),
        positive_share=float(positives[-1] / (positives[-1] + negatives[-1])),
        false_positive_rates=(0.0, *alarms.tolist()),
        recalls=(0.0, *recalls.tolist()),
        precisions=tuple(_share(positives[kept], positives[kept] + negatives[kept])[[0, *range(len(kept))]].tolist()),
        reliability=_reliability(rows),
        decided=_operating_point(rows, threshold=threshold),
    )


def _reliability(rows: Rows) -> tuple[ReliabilityBin, ...]:
    edges = np.unique(np.quantile(rows.scores, np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]))
    found, codes = np.unique(np.searchsorted(edges, rows.scores, side="right"), return_inverse=True)
    family = Grouped(rows, codes=codes.astype(np.int32), segments=len(found))
    share, bounds = share_bounds(family, among=np.ones(len(family.labels)), hit=family.labels)
    lower = np.where(np.isfinite(bounds.lower), np.minimum(bounds.lower, share), 0.0)
    upper = np.where(np.isfinite(bounds.upper), np.maximum(bounds.upper, share), 1.0)
    mean = family.means(rows.scores)
    return tuple(
        ReliabilityBin(rows=int(count), score=float(at), share=float(of), lower=float(low), upper=float(high))
        for count, at, of, low, high in zip(family.counts, mean, share, lower, upper, strict=True)
    )


def _operating_point(rows: Rows, *, threshold: float) -> OperatingPoint:
    decided = rows.weights * (rows.scores >= threshold)
    hits, alarms = float(decided @ rows.labels), float(decided @ (1 - rows.labels))
    positives = float(rows.weights @ rows.labels)
    return OperatingPoint(
        threshold=threshold,
        false_positive_rate=alarms / max(float(rows.weights.sum()) - positives, 1e-12),
        recall=hits / max(positives, 1e-12),
        precision=hits / (hits + alarms) if hits + alarms else None,
    )


def _share(part: Floats, whole: Floats) -> Floats:
    return np.asarray(part / np.maximum(whole, 1e-12))
