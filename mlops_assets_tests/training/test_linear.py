"""The linear baseline is what scikit-learn finds, and does not mind what is missing or unseen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from mlops_assets.features.matrix import Matrix
from mlops_assets.training.linear import fit_linear

DRAW = np.random.default_rng(5)
VALUES = np.column_stack([DRAW.normal(3, 2, 2000), DRAW.integers(0, 4, 2000), DRAW.exponential(10, 2000)]).astype("f4")
LABELS = (DRAW.uniform(size=2000) < 1 / (1 + np.exp(3 - VALUES[:, 0] - (VALUES[:, 1] == 2)))).astype(np.float64)
WEIGHTS = DRAW.uniform(0.5, 3, 2000)


def make_matrix(values: np.ndarray = VALUES) -> Matrix:
    return Matrix(values=values, names=("a", "b", "c"), types=("q", "c", "q"))


def expanded(values: np.ndarray = VALUES) -> np.ndarray:
    mean, std = VALUES.astype("f8").mean(axis=0), VALUES.astype("f8").std(axis=0)
    standard = (values.astype("f8") - mean) / std
    return np.column_stack([standard[:, [0, 2]], values[:, [1]] == np.arange(4)])


def test_logistic_scores_are_those_of_scikit_learn() -> None:
    ours = fit_linear(make_matrix(), LABELS, kind="logistic", weights=WEIGHTS).scores(make_matrix())

    reference = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)
    reference.fit(expanded(), LABELS, sample_weight=WEIGHTS / WEIGHTS.mean())
    assert ours == pytest.approx(reference.predict_proba(expanded())[:, 1], abs=1e-4)


def test_least_squares_is_scikit_learns_ridge() -> None:
    target = VALUES[:, 0] * 2.0 + 5 * (VALUES[:, 1] == 1)

    ours = fit_linear(make_matrix(), target, kind="least squares").scores(make_matrix())

    assert ours == pytest.approx(Ridge(alpha=1.0).fit(expanded(), target).predict(expanded()), abs=1e-3)


def test_missing_and_unseen_values_say_nothing() -> None:
    model = fit_linear(make_matrix(), LABELS, kind="logistic")
    odd = np.array([[np.nan, np.nan, np.nan], [3.0, 17.0, np.nan]], dtype="f4")

    scores = model.scores(make_matrix(odd))

    assert np.isfinite(scores).all()
    assert model.scores(make_matrix(odd[:0])).shape == (0,)
