"""Paired tests: real differences are found, equal models are not called different."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from mlops_assets.contract.slices import Slice
from mlops_assets.judge.corrections import holm
from mlops_assets.judge.significance import Comparison, Difference, Verdict, compare
from mlops_assets_tests.judge.judged_rows import CARRIER, make_rows, value_of

COMPARED = ("roc_auc_score", "average_precision_score", "log_loss", "brier_loss")
DECISIONS = ("precision_score", "recall_score", "f1_score")


def disturbed(scores: np.ndarray, *, by: float, seed: int = 5) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, by, len(scores))
    return 1 / (1 + np.exp(-(np.log(scores / (1 - scores)) + noise)))


def make_comparison(rows: int = 3000, *, by: float = 0.5, **overrides: object) -> Comparison:
    """The champion is a good model, the challenger the same one with noise ``by`` on its log odds."""
    labels, scores, columns = make_rows(rows, decimals=6)
    arguments: dict[str, object] = {
        "champion": scores,
        "opponent": "v1",
        "slice_columns": columns,
        "slices": (CARRIER,),
    }
    return compare(labels, disturbed(scores, by=by), **{**arguments, **overrides})  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", COMPARED)
def test_a_noisier_challenger_is_worse_and_the_reverse_is_better(metric: str) -> None:
    _labels, scores, _columns = make_rows(3000, decimals=6)
    worse = make_comparison().of(metric)
    better = make_comparison(champion=disturbed(scores, by=1.0)).of(metric)

    assert worse is not None
    assert better is not None
    assert (worse.verdict(), better.verdict()) == (Verdict.WORSE, Verdict.BETTER)
    assert worse.verdict(margin=0.5) is Verdict.NOT_WORSE


def test_a_challenger_without_order_is_compared_where_outcomes_are_rare() -> None:
    """Its own average precision has no interval on 100 positives, one in 25, but that does not spare it."""
    labels = (np.arange(2500) % 25 == 0).astype(np.float64)
    by_chance = np.random.default_rng(0).random(len(labels)) / 2
    _, _, columns = make_rows(2500)

    compared = compare(
        labels, by_chance, champion=by_chance + labels / 4, opponent="v1", slice_columns=columns, slices=()
    )

    difference = compared.of("average_precision_score")
    assert difference is not None
    assert difference.shortfall is None
    assert difference.verdict() is Verdict.WORSE


def test_the_gain_is_the_difference_in_the_direction_of_better() -> None:
    labels, scores, _ = make_rows(3000, decimals=6)
    noisy = disturbed(scores, by=0.5)
    comparison = make_comparison()
    area, loss = comparison.of("roc_auc_score"), comparison.of("log_loss")

    assert area is not None
    assert loss is not None
    assert area.gain == pytest.approx(
        value_of("roc_auc_score", labels, noisy) - value_of("roc_auc_score", labels, scores)
    )
    assert loss.gain == pytest.approx(value_of("log_loss", labels, scores) - value_of("log_loss", labels, noisy))


def test_paired_delong_agrees_with_the_definition_of_1988() -> None:
    labels, scores, _ = make_rows(400, decimals=6)
    wins = []
    for each in (disturbed(scores, by=0.5), scores):
        positives, negatives = each[labels == 1], each[labels == 0]
        wins.append((positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives))
    apart = wins[0] - wins[1]
    variance = sum(apart.mean(axis=axis).var(ddof=1) / apart.shape[1 - axis] for axis in (0, 1))

    difference = make_comparison(400).of("roc_auc_score")

    assert difference is not None
    assert difference.error == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_the_error_of_a_difference_of_average_precisions_is_that_of_drawing_rows_again() -> None:
    labels, scores, _ = make_rows(2000, decimals=9)
    noisy, generator = disturbed(scores, by=0.5), np.random.default_rng(1)
    drawn = []
    for _ in range(600):
        rows = generator.integers(0, 2000, 2000)
        ours, theirs = (value_of("average_precision_score", labels[rows], each[rows]) for each in (noisy, scores))
        drawn.append(ours - theirs)

    difference = compare(
        labels, noisy, champion=scores, opponent="v1", slice_columns=pa.table({"label": labels}), slices=()
    ).of("average_precision_score")

    assert difference is not None
    assert difference.error == pytest.approx(np.std(drawn), rel=0.1)


@pytest.mark.parametrize("metric", COMPARED)
def test_a_model_is_not_worse_than_itself(metric: str) -> None:
    _, scores, _ = make_rows(3000, decimals=6)
    same = make_comparison(by=0.0, champion=disturbed(scores, by=0.0)).of(metric)

    assert same is not None
    assert (same.gain, same.error) == (0.0, pytest.approx(0.0, abs=1e-12))
    assert same.verdict() is Verdict.NOT_WORSE


@pytest.mark.parametrize("metric", DECISIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_decisions_are_compared_at_the_threshold_of_each_model(metric: str, weighted: bool) -> None:
    """Against scikit-learn, and the error against drawing rows again."""
    labels, scores, columns = make_rows(2000, decimals=9)
    noisy, draw = disturbed(scores, by=0.8), np.random.default_rng(1)
    weights = draw.uniform(0.5, 2, 2000)
    reference = getattr(metrics, metric)

    def gain(rows: np.ndarray) -> float:
        ours, theirs = (
            reference(labels[rows], each[rows] >= at, sample_weight=weights[rows] if weighted else None)
            for each, at in ((noisy, 0.4), (scores, 0.3))
        )
        return float(ours - theirs)

    difference = make_comparison(
        2000, by=0.8, thresholds=(0.4, 0.3), slices=(), slice_columns=columns, weights=weights if weighted else None
    ).of(metric)

    assert difference is not None
    assert difference.gain == pytest.approx(gain(np.arange(2000)))
    drawn = [gain(draw.integers(0, 2000, 2000)) for _ in range(400)]
    assert difference.error == pytest.approx(np.std(drawn), rel=0.12)


@pytest.mark.parametrize("metric", DECISIONS)
def test_a_challenger_that_decides_by_chance_is_worse(metric: str) -> None:
    _, scores, _ = make_rows(3000, decimals=6)
    by_chance = np.random.default_rng(0).permutation(scores)
    labels, _, columns = make_rows(3000, decimals=6)
    compared = compare(labels, by_chance, champion=scores, opponent="v1", slice_columns=columns, slices=())

    difference = compared.of(metric)

    assert difference is not None
    assert difference.verdict() is Verdict.WORSE


def test_a_challenger_that_decides_nothing_positive_has_no_precision_to_compare_and_says_so() -> None:
    difference = make_comparison(thresholds=(1.0, 0.5)).of("precision_score")

    assert difference is not None
    assert difference.shortfall == "0 predicted positives, needs 50"


@pytest.mark.parametrize(("metric", "ideal"), [("calibration_in_the_large", 0.0), ("calibration_slope", 1.0)])
def test_calibration_is_compared_by_how_far_it_is_from_right(metric: str, ideal: float) -> None:
    labels, scores, columns = make_rows(4000, decimals=9)
    odds = np.log(scores / (1 - scores))
    off, further = (1 / (1 + np.exp(-by * odds + by - 1)) for by in (2.0, 3.0))

    def compared(ours: np.ndarray, theirs: np.ndarray) -> Difference:
        found = compare(labels, ours, champion=theirs, opponent="v1", slice_columns=columns, slices=()).of(metric)
        assert found is not None
        return found

    worse, better = compared(off, scores), compared(off, further)
    assert (worse.verdict(), better.verdict()) == (Verdict.WORSE, Verdict.BETTER)
    for found in (worse, better):
        assert None not in (found.champion, found.challenger)
        assert found.gain == pytest.approx(abs(found.champion - ideal) - abs(found.challenger - ideal))


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("metric", ["calibration_in_the_large", "calibration_slope"])
def test_equal_distances_on_two_sides_of_right_are_rarely_told_apart(metric: str, shift: float) -> None:
    """One model is above by as much as the other is below: what both share is no sign of which is nearer."""
    rows, pairs = 400, 500
    draw = np.random.default_rng(6)
    odds = draw.normal(-0.5, 1.2, rows * pairs)
    labels = (draw.random(rows * pairs) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    if metric == "calibration_slope":
        sides = [odds / (1 + shift * sign) for sign in (1, -1)]
    else:
        sides = [odds + shift * sign for sign in (1, -1)]
    one, other = (1 / (1 + np.exp(-each)) for each in sides)
    groups = pa.table({"group": np.arange(rows * pairs) // rows})
    compared = compare(
        labels,
        one,
        champion=other,
        opponent="its mirror",
        slice_columns=groups,
        slices=(Slice(name="group", columns=("group",)),),
    )

    told = [each for each in compared.differences if each.metric == metric and each.slice == "group"]
    truth = np.mean([each.gain or 0.0 for each in told])
    missed = np.mean([not (each.lower or 0.0) <= truth <= (each.upper or 0.0) for each in told])
    assert len(told) == pairs
    assert missed <= 0.05 + 3 * (0.05 * 0.95 / pairs) ** 0.5


def test_pairing_finds_what_two_separate_intervals_would_hide() -> None:
    difference = make_comparison(by=0.2).of("log_loss")

    assert difference is not None
    assert difference.verdict() is Verdict.WORSE
    assert abs(difference.gain or 0) < 0.02


def test_too_few_rows_are_no_verdict() -> None:
    comparison = make_comparison(300)
    difference = comparison.of("roc_auc_score", segment="carrier=OO")

    assert difference is not None
    assert (difference.gain, difference.p_worse()) == (None, None)
    assert difference.verdict(margin=1.0) is Verdict.NOT_ENOUGH_ROWS
    assert "needs" in (difference.shortfall or "")


def test_an_interval_too_wide_for_the_margin_is_no_verdict() -> None:
    difference = make_comparison(150, by=0.4).of("roc_auc_score")

    assert difference is not None
    assert difference.lower is not None
    assert difference.upper is not None
    assert difference.lower < 0 < difference.upper
    assert difference.verdict(margin=0.0) is Verdict.NOT_ENOUGH_ROWS


def test_a_model_with_skill_is_better_than_the_constant_prior() -> None:
    labels, _scores, _ = make_rows(3000, decimals=6)
    comparison = make_comparison(by=0.0, champion=np.full(3000, labels.mean()), baseline=True)

    assert comparison.baseline
    for metric in COMPARED:
        difference = comparison.of(metric)
        assert difference is not None
        assert difference.verdict() is Verdict.BETTER


def test_the_order_of_rows_changes_nothing() -> None:
    labels, scores, columns = make_rows(800)
    noisy, order = disturbed(scores, by=0.5), np.random.default_rng(3).permutation(800)

    one = compare(labels, noisy, champion=scores, opponent="v1", slice_columns=columns, slices=(CARRIER,))
    other = compare(
        labels[order],
        noisy[order],
        champion=scores[order],
        opponent="v1",
        slice_columns=columns.take(order),
        slices=(CARRIER,),
    )

    assert one.to_json() == other.to_json()


def test_dependent_rows_make_a_difference_less_sure() -> None:
    labels, scores, columns = make_rows(1000, decimals=6)
    clusters = np.arange(1000) // 10
    by_day = np.repeat(np.random.default_rng(0).normal(0, 0.7, 100), 10)
    shifted = 1 / (1 + np.exp(-(np.log(scores / (1 - scores)) + by_day)))
    declared = {
        "champion": scores,
        "opponent": "v1",
        "slice_columns": columns,
        "slices": (),
    }

    assert compare(labels, shifted, clusters=clusters, **declared).of("log_loss").units == 100
    assert compare(labels, shifted, **declared).of("log_loss").units == 1000


def test_a_comparison_survives_json() -> None:
    comparison = make_comparison(500)

    assert Comparison.from_json(comparison.to_json()) == comparison


def test_holm_agrees_with_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()


def test_corrected_tests_of_equal_models_raise_a_false_alarm_in_at_most_one_comparison_of_twenty() -> None:
    generator = np.random.default_rng(0)

    alarms = sum(min(holm(generator.random(35).tolist())) <= 0.05 for _ in range(2000))

    assert alarms <= 2000 * 0.05 + 3.7 * np.sqrt(2000 * 0.05 * 0.95)
