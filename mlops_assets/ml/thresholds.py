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


ThresholdRule = PositiveShare


def choose_threshold(
    labels: NDArray[np.float64],
    scores: NDArray[np.float64],
    *,
    rule: ThresholdRule,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """The threshold ``rule`` asks for on these rows: always one of the scores, so that ties stay together.

    Raises EvaluationError when there are no rows or a score is not finite.
    """
    if len(labels) == 0 or len(labels) != len(scores) or not bool(np.isfinite(scores).all()):
        raise EvaluationError("A threshold needs validation rows, each with a label and a finite score.")
    mass = np.ones(len(labels)) if weights is None else weights
    share = float(np.average(labels, weights=mass)) if rule.share is None else rule.share
    candidates, which = np.unique(scores, return_inverse=True)
    at_least = np.cumsum(np.bincount(which, weights=mass)[::-1])[::-1] / mass.sum()
    return float(candidates[int(np.argmin(np.abs(at_least - share)))])
