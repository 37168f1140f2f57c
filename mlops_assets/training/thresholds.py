"""Where a score becomes a decision: the threshold is chosen on validation data by a rule the use case
declares.

A row is decided positive when its score is at least the threshold. Judging the result belongs in
``metrics.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.thresholds import CostMatrix, TargetPrecision, TargetRecall, ThresholdRule


def choose_threshold(
    labels: NDArray[np.float64],
    scores: NDArray[np.float64],
    *,
    rule: ThresholdRule,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """The threshold ``rule`` asks for on these rows: always one of the scores, so that ties stay together.

    Raises EvaluationError when there are no rows, a score is not finite, or no threshold reaches what is asked for.
    """
    if len(labels) == 0 or len(labels) != len(scores) or not bool(np.isfinite(scores).all()):
        raise EvaluationError("A threshold needs validation rows, each with a label and a finite score.")
    mass = np.ones(len(labels)) if weights is None else weights
    candidates, which = np.unique(scores, return_inverse=True)
    hits, decided = (_at_least(which, mass=each) for each in (mass * labels, mass))
    positives, everything = float(hits[0]), float(decided[0])
    if isinstance(rule, CostMatrix):
        cost = rule.false_positive * (decided - hits) + rule.false_negative * (positives - hits)
        return float(candidates[int(np.argmin(cost))])
    if isinstance(rule, TargetPrecision):
        enough = np.flatnonzero(hits >= rule.precision * decided)
        return _reached(candidates, enough[:1], of=f"a precision of {rule.precision}")
    if isinstance(rule, TargetRecall):
        enough = np.flatnonzero(hits >= rule.recall * positives) if positives > 0 else np.zeros(0, dtype=np.int64)
        return _reached(candidates, enough[-1:], of=f"a recall of {rule.recall}")
    share = positives / everything if rule.share is None else rule.share
    return float(candidates[int(np.argmin(np.abs(decided / everything - share)))])


def _at_least(which: NDArray[np.intp], *, mass: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per candidate: the mass of the rows that score at least that."""
    return np.cumsum(np.bincount(which, weights=mass)[::-1])[::-1].astype(np.float64)


def _reached(candidates: NDArray[np.float64], found: NDArray[np.int64], *, of: str) -> float:
    if not len(found):
        raise EvaluationError(f"No threshold reaches {of} on the validation rows: ask for less, or for a better model.")
    return float(candidates[found[0]])
