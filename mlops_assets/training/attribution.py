"""How much each feature moves a model's answers, and which way: SHAP values, as XGBoost computes them itself.

The contributions of a row's features and a constant add up to its answer before the logistic function (Lundberg et al.
2020, "TreeSHAP"). That a contribution is large says what the model uses, not what causes the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats
from mlops_assets.features.matrix import Matrix
from mlops_assets.training.booster import told_names

CLEAR = 0.3
"""From which correlation on a feature is said to have one direction."""
FEWEST_ROWS = 20
MOST_CATEGORIES = 3


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """One feature. ``importance`` is its mean absolute contribution, before the logistic function where there is one.

    ``correlation`` is Spearman's between value and contribution, ``None`` for categories and constants; of categories
    ``raising`` and ``lowering`` name those that move the answer most, if rows suffice.
    """

    name: str
    importance: float
    correlation: float | None = None
    raising: tuple[str, ...] = ()
    lowering: tuple[str, ...] = ()

    @property
    def direction(self) -> str:
        """Which way it moves the answer, in words."""
        if self.correlation is not None:
            if abs(self.correlation) < CLEAR:
                return "no single direction"
            return "higher raises" if self.correlation > 0 else "higher lowers"
        told = [
            f"{what} {', '.join(names)}"
            for what, names in (("raised by", self.raising), ("lowered by", self.lowering))
            if names
        ]
        return "; ".join(told) or "no single direction"


def attributions(
    booster: xgb.Booster, matrix: Matrix, *, categories: Mapping[str, Sequence[str]]
) -> tuple[Attribution, ...]:
    """Every feature over the rows of ``matrix``, the one that moves most first. ``categories`` are in their codes'
    order.
    """
    rows = xgb.DMatrix(
        matrix.values, feature_names=told_names(matrix.names), feature_types=list(matrix.types), enable_categorical=True
    )
    moved = np.asarray(booster.predict(rows, pred_contribs=True), dtype=np.float64)[..., :-1]
    if moved.ndim == 3:  # a contribution to each class: how much in the mean, and no direction
        of_classes = np.abs(moved).mean(axis=(0, 1))
        found = [Attribution(name=name, importance=float(of_classes[i])) for i, name in enumerate(matrix.names)]
    else:
        found = [
            _attribution(name, matrix.values[:, i], moved=moved[:, i], categories=categories.get(name))
            for i, name in enumerate(matrix.names)
        ]
    return tuple(sorted(found, key=lambda each: (-each.importance, each.name)))


def _attribution(
    name: str, values: NDArray[np.float32], *, moved: Floats, categories: Sequence[str] | None
) -> Attribution:
    importance = float(np.abs(moved).mean())
    known = np.isfinite(values)
    values, moved = values[known], moved[known]
    if categories is None:
        return Attribution(name=name, importance=importance, correlation=_correlation(values, moved))
    codes = values.astype(np.int64)
    counts = np.bincount(codes, minlength=len(categories))
    means = np.bincount(codes, weights=moved, minlength=len(categories)) / np.maximum(counts, 1)
    ranked = [int(i) for i in np.argsort(means) if counts[i] >= FEWEST_ROWS]
    return Attribution(
        name=name,
        importance=importance,
        raising=tuple(categories[i] for i in ranked[::-1][:MOST_CATEGORIES] if means[i] > 0),
        lowering=tuple(categories[i] for i in ranked[:MOST_CATEGORIES] if means[i] < 0),
    )


def _correlation(values: NDArray[np.float32], moved: Floats) -> float | None:
    if len(values) < FEWEST_ROWS or np.ptp(values) == 0 or np.ptp(moved) == 0:
        return None
    return float(np.corrcoef(pd.Series(values).rank(), pd.Series(moved).rank())[0, 1])
