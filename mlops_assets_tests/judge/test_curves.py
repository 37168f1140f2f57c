"""Curves are those of scikit-learn, and an operating point lies on them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc, precision_recall_curve, precision_score, recall_score, roc_auc_score

from mlops_assets.judge.curves import curves


def judged(rows: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    scores = np.round(generator.beta(2, 3, rows), 3)
    labels = (generator.random(rows) < scores).astype(float)
    return labels, scores, generator.uniform(0.5, 2.0, rows)


def test_the_area_under_the_curves_is_that_of_all_rows() -> None:
    labels, scores, weights = judged()

    found = curves(labels, scores, threshold=0.5, weights=weights)

    area = auc(found.false_positive_rates, found.recalls)
    assert area == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights), abs=1e-4)
    precision, recall, _ = precision_recall_curve(labels, scores, sample_weight=weights)
    expected = np.interp(0.5, recall[::-1], precision[::-1])
    assert np.interp(0.5, found.recalls, found.precisions) == pytest.approx(expected, abs=5e-3)


def test_the_threshold_is_marked_where_it_decides() -> None:
    labels, scores, _ = judged()

    decided = curves(labels, scores, threshold=0.5).decided

    assert decided.recall == pytest.approx(recall_score(labels, scores >= 0.5))
    assert decided.precision == pytest.approx(precision_score(labels, scores >= 0.5))


def test_scores_that_are_probabilities_lie_on_the_diagonal() -> None:
    labels, scores, _ = judged(20_000)

    bins = curves(labels, scores, threshold=0.5).reliability

    assert len(bins) == 10
    assert sum(each.rows for each in bins) == 20_000
    assert sum(each.lower <= each.score <= each.upper for each in bins) >= 8
    assert all(each.lower <= each.share <= each.upper for each in bins)


def test_one_score_for_all_rows_is_one_group() -> None:
    found = curves(np.array([0.0, 1.0, 0.0]), np.full(3, 0.4), threshold=0.9)

    assert len(found.reliability) == 1
    assert found.decided.precision is None
    assert found.recalls == (0.0, 1.0)
