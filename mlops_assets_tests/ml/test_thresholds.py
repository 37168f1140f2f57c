"""Where a score becomes a decision."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_assets.ml.errors import DeclarationError, EvaluationError
from mlops_assets.ml.thresholds import PositiveShare, choose_threshold
from mlops_assets_tests.ml.judged_rows import make_rows


def test_as_many_rows_are_decided_positive_as_there_are_positives() -> None:
    labels, scores, _ = make_rows(5000, decimals=9)

    threshold = choose_threshold(labels, scores, rule=PositiveShare())

    assert int((scores >= threshold).sum()) == int(labels.sum())


def test_a_declared_share_is_met_as_closely_as_ties_allow() -> None:
    scores = np.array([0.1, 0.1, 0.1, 0.4, 0.9])

    threshold = choose_threshold(np.array([0, 1, 0, 0, 1.0]), scores, rule=PositiveShare(share=0.3))

    assert threshold in (0.4, 0.9)
    assert choose_threshold(np.ones(5), scores, rule=PositiveShare(share=0.9)) == 0.1


def test_weights_count_like_repeated_rows() -> None:
    labels, scores, _ = make_rows(300)
    weights = np.random.default_rng(0).integers(1, 5, 300)

    weighted = choose_threshold(labels, scores, rule=PositiveShare(), weights=weights.astype(np.float64))
    repeated = choose_threshold(np.repeat(labels, weights), np.repeat(scores, weights), rule=PositiveShare())

    assert weighted == repeated


def test_what_cannot_be_decided_is_refused() -> None:
    with pytest.raises(EvaluationError, match="finite score"):
        choose_threshold(np.array([0.0, 1.0]), np.array([0.2, np.nan]), rule=PositiveShare())
    with pytest.raises(DeclarationError, match="between 0 and 1"):
        PositiveShare(share=1.5)
