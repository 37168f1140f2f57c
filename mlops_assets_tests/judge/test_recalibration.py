"""The calibration slope against scikit-learn, its influences against derivatives, and what has no slope."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from mlops_assets.judge.influences import influences, slope_influence
from mlops_assets.judge.recalibration import log_odds
from mlops_assets_tests.judge.judged_rows import make_rows, value_of
from mlops_assets_tests.judge.test_intervals import make_grouped


def reference(labels: np.ndarray, scores: np.ndarray, *, weights: np.ndarray | None = None) -> float:
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=5000)
    return float(model.fit(log_odds(scores)[:, None], labels, sample_weight=weights).coef_[0, 0])


def bent(scores: np.ndarray, *, steeper: float, by: float) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-steeper * log_odds(scores) - by)))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    steeper=st.floats(0.2, 4.0),
    by=st.floats(-3.0, 3.0),
    weighted=st.booleans(),
)
def test_the_slope_is_that_of_a_logistic_regression_on_log_odds(
    seed: int, steeper: float, by: float, weighted: bool
) -> None:
    labels, scores, _ = make_rows(300, seed=seed, decimals=9)
    weights = np.random.default_rng(seed).uniform(0.5, 3, 300) if weighted else None
    told = bent(scores, steeper=steeper, by=by)

    assert value_of("calibration_slope", labels, told, weights=weights) == pytest.approx(
        reference(labels, told, weights=weights), abs=1e-5
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_segment_has_the_slope_of_its_own_rows(seed: int) -> None:
    labels, scores, _ = make_rows(600, seed=seed, decimals=9)
    codes = np.random.default_rng(seed).integers(0, 3, 600)

    slopes, _ = slope_influence(make_grouped(labels, scores, codes=codes))

    assert slopes == pytest.approx([reference(labels[codes == c], scores[codes == c]) for c in range(3)], abs=1e-5)


def test_scores_that_are_too_extreme_have_a_slope_under_one() -> None:
    labels, scores, _ = make_rows(20_000, decimals=9)

    assert value_of("calibration_slope", labels, scores) == pytest.approx(1.0, abs=0.06)
    assert value_of("calibration_slope", labels, bent(scores, steeper=2.0, by=1.0)) == pytest.approx(0.5, abs=0.03)


def test_what_a_row_moves_the_slope_by_is_its_derivative() -> None:
    labels, scores, _ = make_rows(120, decimals=9)
    weights, step = np.random.default_rng(0).uniform(0.5, 2, 120), 1e-4
    grouped = make_grouped(labels, scores, weights=weights)

    _, (moved, _) = slope_influence(grouped)

    order = np.argsort(scores, kind="stable")[grouped.order]
    for place, row in list(enumerate(order))[::11]:
        more, less = (weights + sign * step * (np.arange(120) == row) for sign in (1, -1))
        ends = [value_of("calibration_slope", labels, scores, weights=each) for each in (more, less)]
        assert moved[place] == pytest.approx((ends[0] - ends[1]) / (2 * step) * weights[row], abs=1e-5)


def test_the_error_of_a_slope_is_that_of_drawing_rows_again() -> None:
    labels, scores, _ = make_rows(2000, decimals=9)
    grouped, draw = make_grouped(labels, scores), np.random.default_rng(1)
    drawn = []
    for _ in range(300):
        rows = draw.integers(0, 2000, 2000)
        drawn.append(value_of("calibration_slope", labels[rows], scores[rows]))

    _, part = slope_influence(grouped)

    assert influences(grouped, part).error[0] == pytest.approx(np.std(drawn), rel=0.12)


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([0, 1] * 50, [0.3] * 100),
        ([0] * 50 + [1] * 50, np.linspace(0.1, 0.9, 100)),
        ([0] * 50 + [1] * 50, [0.0] * 50 + [1.0] * 50),
        ([0] * 100, np.linspace(0.1, 0.9, 100)),
    ],
    ids=["scores all alike", "outcomes that scores separate", "a perfect model", "one outcome"],
)
def test_without_a_slope_there_is_none(labels: list[int], scores: np.ndarray) -> None:
    assert np.isnan(value_of("calibration_slope", np.array(labels), np.array(scores)))


def test_a_segment_without_a_slope_spoils_no_other() -> None:
    labels, scores, _ = make_rows(400, decimals=9)
    codes = np.arange(400) % 2
    scores[codes == 0] = 0.5

    slopes, _ = slope_influence(make_grouped(labels, scores, codes=codes))

    assert np.isnan(slopes[0])
    assert slopes[1] == pytest.approx(reference(labels[1::2], scores[1::2]), abs=1e-5)
