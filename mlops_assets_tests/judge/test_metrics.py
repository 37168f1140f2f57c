"""Point metrics against scikit-learn, and what must not change them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from mlops_assets.contract.errors import EvaluationError
from mlops_assets.judge.metrics import higher_is_better
from mlops_assets_tests.judge.judged_rows import make_rows, value_of

PAIRS: dict[str, Callable[..., float]] = {
    "roc_auc_score": reference.roc_auc_score,
    "average_precision_score": reference.average_precision_score,
    "log_loss": reference.log_loss,
    "brier_loss": reference.brier_score_loss,
}
ERROR = "expected_calibration_error"


@pytest.mark.parametrize(("ours", "theirs"), PAIRS.items())
@pytest.mark.parametrize("decimals", [1, 2, 9])
def test_agrees_with_scikit_learn(ours: str, theirs: Callable[..., float], decimals: int) -> None:
    labels, scores, _ = make_rows(800, decimals=decimals)
    weights = np.random.default_rng(0).uniform(0.1, 5, 800)

    assert value_of(ours, labels, scores) == pytest.approx(theirs(labels, scores), rel=1e-12)
    assert value_of(ours, labels, scores, weights=weights) == pytest.approx(
        theirs(labels, scores, sample_weight=weights), rel=1e-12
    )


def test_calibration_error_of_a_known_case() -> None:
    scores = np.repeat(np.arange(10) / 10 + 0.05, 20)
    labels = np.tile([0.0, 1.0], 100)

    assert value_of(ERROR, labels, scores) == pytest.approx(np.abs(np.arange(10) / 10 + 0.05 - 0.5).mean())


def test_calibration_bins_hold_equally_many_rows_and_keep_ties_together() -> None:
    scores = np.array([0.2] * 95 + [0.9] * 5)
    labels = np.array([1.0] * 19 + [0.0] * 76 + [1.0] * 5)

    assert value_of(ERROR, labels, scores) == pytest.approx(0.05 * 0.1)


@pytest.mark.parametrize("metric", [*PAIRS, ERROR])
@given(seed=st.integers(0, 1000))
def test_neither_order_nor_repetition_of_rows_matters(metric: str, seed: int) -> None:
    labels, scores, _ = make_rows(60, seed=seed, decimals=1)
    if labels.min() == labels.max():
        return
    order = np.random.default_rng(seed).permutation(60)

    assert value_of(metric, labels[order], scores[order]) == value_of(metric, labels, scores)
    assert value_of(metric, np.tile(labels, 2), np.tile(scores, 2)) == pytest.approx(
        value_of(metric, labels, scores), rel=1e-12
    )


@pytest.mark.parametrize("metric", [*PAIRS])
def test_a_whole_weight_counts_like_that_many_rows(metric: str) -> None:
    labels, scores, _ = make_rows(200)
    weights = np.random.default_rng(1).integers(1, 4, 200)

    weighted = value_of(metric, labels, scores, weights=weights.astype(np.float64))

    assert weighted == pytest.approx(
        value_of(metric, np.repeat(labels, weights), np.repeat(scores, weights)), rel=1e-12
    )


def test_a_perfect_model_has_the_best_value_of_every_metric() -> None:
    labels = np.tile([0.0, 1.0], 100)

    assert value_of("roc_auc_score", labels, labels) == value_of("average_precision_score", labels, labels) == 1.0
    assert value_of("brier_loss", labels, labels) == value_of(ERROR, labels, labels) == 0.0
    assert value_of("log_loss", labels, labels) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("labels", "scores", "weights", "reason"),
    [
        ([0, 1], [0.5], None, "Scores must be finite numbers of shape"),
        ([], [], None, "as many of each"),
        ([0, 2], [0.5, 0.5], None, "Labels must be 0 or 1"),
        ([0, np.nan], [0.5, 0.5], None, "Labels must be 0 or 1"),
        ([0, 1], [0.5, np.nan], None, "Scores must be finite numbers"),
        ([0, 1], [0.5, 1.2], None, "Scores must be probabilities"),
        ([0, 1], [0.5, 0.5], [1, 0], "Weights must be finite and above 0"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    labels: list[float], scores: list[float], weights: list[float] | None, reason: str
) -> None:
    given_weights = None if weights is None else np.array(weights, dtype=np.float64)
    with pytest.raises(EvaluationError, match=reason):
        value_of("log_loss", np.array(labels), np.array(scores), weights=given_weights)


def test_names_carry_direction() -> None:
    names = ("roc_auc_score", "log_loss", "expected_calibration_error", "positive_rate")
    assert [higher_is_better(name) for name in names] == [True, False, False, None]
