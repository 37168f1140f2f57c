"""Estimates by scores alone: the formulas, their coverage, and what they cannot see."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from sklearn import metrics

from mlops_assets.contract.errors import EvaluationError
from mlops_assets.watch.served.estimated_truth import (
    estimate_binary,
    estimate_likeliest,
    estimate_numbers,
    expected_area,
    score_estimates,
)


def realised(labels: np.ndarray, scores: np.ndarray, decided: np.ndarray) -> dict[str, float]:  # type: ignore[type-arg]
    return {
        "roc_auc_score": metrics.roc_auc_score(labels, scores),
        "log_loss": metrics.log_loss(labels, scores),
        "brier_loss": metrics.brier_score_loss(labels, scores),
        "accuracy_score": metrics.accuracy_score(labels, decided),
        "recall_score": metrics.recall_score(labels, decided),
        "precision_score": metrics.precision_score(labels, decided),
        "f1_score": metrics.f1_score(labels, decided),
        "positive_rate": float(labels.mean()),
    }


def test_intervals_of_calibrated_scores_hold_what_turns_out() -> None:
    draw = np.random.default_rng(0)
    held: dict[str, list[bool]] = {}
    for _ in range(200):
        scores = draw.beta(1.2, 3, 300)
        labels, decided = (draw.uniform(size=300) < scores).astype(float), (scores > 0.4).astype(float)
        truth = realised(labels, scores, decided)
        for each in estimate_binary(scores, decided=decided):
            held.setdefault(each.metric, []).append(each.low <= truth[each.metric] <= each.high)
    assert held.keys() == truth.keys()
    assert all(np.mean(each) == pytest.approx(0.95, abs=0.05) for each in held.values())


def test_calibration_on_few_rows_is_part_of_the_error() -> None:
    """Chances that are off as 500 rows leave them: without their error intervals would hold far too little."""
    draw = np.random.default_rng(1)
    held: dict[bool, list[bool]] = {True: [], False: []}
    for _ in range(300):
        chance = np.full(5000, 0.25)
        scores = np.full(5000, (draw.uniform(size=500) < 0.25).mean())
        labels = (draw.uniform(size=5000) < chance).astype(float)
        for counted in held:
            found = estimate_binary(scores, decided=np.zeros(5000), held_out=500 if counted else None)
            accuracy = next(each for each in found if each.metric == "accuracy_score")
            held[counted].append(accuracy.low <= 1 - labels.mean() <= accuracy.high)
    assert np.mean(held[False]) < 0.7
    assert np.mean(held[True]) == pytest.approx(0.95, abs=0.04)


def test_the_area_leaves_out_pairs_of_a_row_with_itself() -> None:
    chance = np.array([0.1, 0.4, 0.4, 0.9])
    order = np.subtract.outer(chance, chance)
    above = (order > 0) + 0.5 * (order == 0)
    weight = np.outer(chance, 1 - chance)
    np.fill_diagonal(weight, 0)
    area, moves = expected_area(chance)
    assert area == pytest.approx(float((weight * above).sum() / weight.sum()))
    assert moves.shape == (4,)


def test_the_area_of_few_rows_is_not_too_low() -> None:
    """Sixty rows: with a row as its own opponent, never outscored, it would be about .01 too low."""
    draw = np.random.default_rng(2)
    off, off_with_own_pairs = [], []
    for _ in range(800):
        scores = draw.beta(1.2, 1.8, 60)
        labels = draw.uniform(size=60) < scores
        area, _ = expected_area(scores)
        pairs = scores.sum() * (1 - scores).sum()
        own = float(scores @ (1 - scores))
        truth = metrics.roc_auc_score(labels, scores)
        off.append(area - truth)
        off_with_own_pairs.append(area * (pairs - own) / pairs - truth)
    assert abs(np.mean(off)) < 0.006
    assert np.mean(off_with_own_pairs) < -0.007


def test_a_changed_concept_is_not_seen() -> None:
    draw = np.random.default_rng(3)
    scores = draw.beta(1.2, 3, 4000)
    labels = (draw.uniform(size=4000) < 1 - scores).astype(float)
    estimated = {each.metric: each for each in estimate_binary(scores, decided=(scores > 0.4).astype(float))}
    assert metrics.log_loss(labels, scores) > estimated["log_loss"].high


def test_classes_and_numbers_are_estimated_as_they_turn_out() -> None:
    draw = np.random.default_rng(4)
    chances = draw.dirichlet([1.0, 2.0, 0.7], 4000)
    labels = (draw.uniform(size=4000)[:, None] > np.cumsum(chances, axis=1)).sum(1)
    (accuracy,) = estimate_likeliest(chances.max(1), held_out=4000)
    assert accuracy.low < np.mean(chances.argmax(1) == labels) < accuracy.high
    scores, held = draw.uniform(0, 10, 3000), draw.uniform(0, 10, 3000)
    wrong, held_wrong = (each * draw.normal(0, 0.2, 3000) for each in (scores, held))
    of_high = scores > 5
    numbers = estimate_numbers(scores[of_high], held_out_scores=held, held_out_labels=held + held_wrong)
    root = next(each for each in numbers if each.metric == "root_mean_squared_error")
    assert root.low < float(np.sqrt(np.mean(wrong[of_high] ** 2))) < root.high


def test_estimates_are_scored_when_outcomes_come() -> None:
    first, second = date(2013, 7, 1), date(2013, 7, 2)
    past = [
        (first, {"log_loss": 0.5, "recall_score": 0.3}, {"log_loss": 0.8}),
        (second, {"log_loss": 0.5}, {"log_loss": 0.1}),
    ]
    error, days = score_estimates(past)["log_loss"]
    assert (round(error, 6), days) == (round(float(np.sqrt((0.3**2 + 0.4**2) / 2)), 6), 2)


def test_no_scores_are_refused() -> None:
    with pytest.raises(EvaluationError, match="no scores"):
        estimate_binary(np.zeros(0), decided=np.zeros(0))
