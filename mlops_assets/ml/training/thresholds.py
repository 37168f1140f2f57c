"""Where a score becomes a decision: the threshold is chosen on validation data by a rule the use case
declares.

A row is decided positive when its score is at least the threshold. Judging the result belongs in
``metrics.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops_assets.ml.errors import DeclarationError, EvaluationError


@dataclass(frozen=True, kw_only=True)
class PositiveShare:
    """As many rows are decided positive as a ``share`` of all; ``None`` means as many as there are real
    positives.
    """

    share: float | None = None

    def __post_init__(self) -> None:
        if self.share is not None and not 0 < self.share < 1:
            raise DeclarationError(f"A PositiveShare is between 0 and 1, not {self.share}.")


@dataclass(frozen=True, kw_only=True)
class CostMatrix:
    """The threshold with the lowest cost of deciding positive for a real negative, and the other way round."""

    false_positive: float
    false_negative: float

    def __post_init__(self) -> None:
        if self.false_positive <= 0 or self.false_negative <= 0:
            raise DeclarationError(f"Both costs of a CostMatrix are above 0, not {self}.")


@dataclass(frozen=True, kw_only=True)
class TargetPrecision:
    """The lowest threshold whose precision is at least ``precision``: as many positives as that allows."""

    precision: float

    def __post_init__(self) -> None:
        if not 0 < self.precision < 1:
            raise DeclarationError(f"A TargetPrecision is between 0 and 1, not {self.precision}.")


@dataclass(frozen=True, kw_only=True)
class TargetRecall:
    """The highest threshold whose recall is at least ``recall``: as few false positives as that allows."""

    recall: float

    def __post_init__(self) -> None:
        if not 0 < self.recall < 1:
            raise DeclarationError(f"A TargetRecall is between 0 and 1, not {self.recall}.")


ThresholdRule = PositiveShare | CostMatrix | TargetPrecision | TargetRecall


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
