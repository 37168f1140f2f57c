"""Where a score becomes a decision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mlops_assets.contract.errors import DeclarationError, EvaluationError
from mlops_assets.contract.thresholds import CostMatrix, PositiveShare, TargetPrecision, TargetRecall
from mlops_assets.training.thresholds import choose_threshold
from mlops_assets_tests.judge.judged_rows import make_rows


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


def cost_of(threshold: float, *, false_positive: float, false_negative: float) -> float:
    decided = threshold <= SKILLED
    return float(
        false_positive * (decided & (LABELLED == 0)).sum() + false_negative * (~decided & (LABELLED == 1)).sum()
    )


DRAW = np.random.default_rng(8)
SKILLED = DRAW.uniform(size=2000)
LABELLED = (DRAW.uniform(size=2000) < SKILLED).astype(np.float64)


@pytest.mark.parametrize(("false_positive", "false_negative"), [(1.0, 1.0), (1.0, 5.0), (10.0, 1.0)])
def test_no_threshold_costs_less_than_the_one_a_cost_matrix_chooses(
    false_positive: float, false_negative: float
) -> None:
    costs = {"false_positive": false_positive, "false_negative": false_negative}

    chosen = choose_threshold(LABELLED, SKILLED, rule=CostMatrix(**costs))

    assert cost_of(chosen, **costs) == min(cost_of(each, **costs) for each in SKILLED)
    # of calibrated scores the best threshold is known (Elkan 2001)
    assert chosen == pytest.approx(false_positive / (false_positive + false_negative), abs=0.08)


def test_a_target_precision_decides_as_many_positive_as_it_allows() -> None:
    chosen = choose_threshold(LABELLED, SKILLED, rule=TargetPrecision(precision=0.8))

    assert LABELLED[chosen <= SKILLED].mean() >= 0.8
    assert all(LABELLED[each <= SKILLED].mean() < 0.8 for each in SKILLED[chosen > SKILLED])


def test_a_target_recall_decides_as_few_positive_as_it_allows() -> None:
    chosen = choose_threshold(LABELLED, SKILLED, rule=TargetRecall(recall=0.9))

    assert (SKILLED[LABELLED == 1] >= chosen).mean() >= 0.9
    assert (SKILLED[LABELLED == 1] > chosen).mean() < 0.9


def test_a_target_out_of_reach_is_an_error_that_says_so() -> None:
    with pytest.raises(EvaluationError, match=r"No threshold reaches a precision of 0\.99"):
        choose_threshold(np.array([1.0, 0.0]), np.array([0.2, 0.9]), rule=TargetPrecision(precision=0.99))


@pytest.mark.parametrize(
    "declare",
    [
        lambda: CostMatrix(false_positive=0, false_negative=1),
        lambda: TargetPrecision(precision=1),
        lambda: TargetRecall(recall=0),
    ],
)
def test_rules_that_ask_for_nothing_are_refused(declare: Callable[[], object]) -> None:
    with pytest.raises(DeclarationError):
        declare()
