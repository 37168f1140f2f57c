"""The simple linear model that every model is shown beside: what a figure must be better than to mean something.

Ridge regression on standardised quantities and one column per category; logistic for labels of 0 and 1. It is learnt
from the training rows alone and never served. Missing and unseen values say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

from mlops_assets.contract.arrays import Floats
from mlops_assets.features.matrix import Matrix

MOST_ROWS = 50_000
"""How many rows, evenly spaced, a linear model is learnt from: more do not move it."""
PENALTY = 1.0
STEPS = 30


@dataclass(frozen=True, kw_only=True)
class LinearModel:
    """``coefficients`` of the expanded columns, the intercept last; ``categories`` is how many codes each column has,
    0 for quantities, whose ``centre`` and ``scale`` were learnt too.
    """

    kind: Literal["logistic", "least squares"]
    centre: Floats
    scale: Floats
    categories: tuple[int, ...]
    coefficients: Floats

    def scores(self, matrix: Matrix) -> Floats:
        """One answer per row of ``matrix``: a probability for a logistic model."""
        parts = [
            self._expanded(matrix.values[start : start + MOST_ROWS]) @ self.coefficients
            for start in range(0, len(matrix.values), MOST_ROWS)
        ]
        linear = np.concatenate([np.zeros(0), *parts])
        return np.asarray(expit(linear) if self.kind == "logistic" else linear, dtype=np.float64)

    def _expanded(self, values: np.ndarray) -> Floats:
        return _expand(values, centre=self.centre, scale=self.scale, categories=self.categories)


def fit_linear(
    matrix: Matrix, labels: Floats, *, kind: Literal["logistic", "least squares"], weights: Floats | None = None
) -> LinearModel:
    """Learns by Newton's method (iteratively reweighted least squares; McCullagh & Nelder 1989)."""
    every = max(-(-len(labels) // MOST_ROWS), 1)
    values, y = matrix.values[::every].astype(np.float64), labels[::every]
    w = np.ones(len(y)) if weights is None else weights[::every] / weights[::every].mean()
    categories = tuple(
        int(np.nanmax(column, initial=-1)) + 1 if kind_of == "c" else 0
        for column, kind_of in zip(values.T, matrix.types, strict=True)
    )
    known = np.where(np.isnan(values), 0.0, values)
    count = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    centre = known.sum(axis=0) / count
    spread = np.sqrt(np.where(np.isnan(values), 0.0, np.square(known - centre)).sum(axis=0) / count)
    scale = np.where(spread > 0, spread, 1.0)
    design = _expand(values, centre=centre, scale=scale, categories=categories)
    return LinearModel(
        kind=kind, centre=centre, scale=scale, categories=categories, coefficients=_newton(design, y, w, kind=kind)
    )


def _expand(values: np.ndarray, *, centre: Floats, scale: Floats, categories: tuple[int, ...]) -> Floats:
    quantities = [position for position, count in enumerate(categories) if count == 0]
    standard = (values[:, quantities] - centre[quantities]) / scale[quantities]
    hot = [values[:, [position]] == np.arange(count)[None, :] for position, count in enumerate(categories) if count > 0]
    return np.column_stack([np.nan_to_num(standard, nan=0.0), *hot, np.ones(len(values))]).astype(np.float64)


def _newton(design: Floats, y: Floats, w: Floats, *, kind: str) -> Floats:
    penalty = np.full(design.shape[1], PENALTY)
    penalty[-1] = 1e-6  # the intercept is free
    found = np.zeros(design.shape[1])
    for _ in range(STEPS if kind == "logistic" else 1):
        linear = design @ found
        answer = expit(linear) if kind == "logistic" else linear
        curvature = np.maximum(answer * (1 - answer), 1e-9) if kind == "logistic" else np.ones(len(y))
        gradient = design.T @ (w * (y - answer)) - penalty * found
        hessian = (design * (w * curvature)[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        found = found + step
        if np.abs(step).max() < 1e-8:
            break
    return np.asarray(found, dtype=np.float64)
