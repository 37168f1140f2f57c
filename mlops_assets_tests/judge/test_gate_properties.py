"""What holds of every kind of gate: the order of rows is nothing to it, repeated rows keep its point figures, a perfect
model passes it, a random one is refused by it.

The last is not meant literally of two kinds. A model that is as random on the rows it learnt from has no gap to them,
and one that guesses without looking at the group treats groups alike: neither gate judges skill. What they must refuse
is the random model of their own kind: one that knows its training rows by heart, and one that guesses by the group.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.gates import (
    BetterThanChampion,
    FairnessBound,
    Gate,
    MetricBound,
    NoSliceRegressed,
    NotWorseThanChampion,
    SliceBound,
    TrainTestGap,
)
from mlops_assets.judge.fairness import fairness
from mlops_assets.judge.gate_decision import GateDecision, decide
from mlops_assets.judge.report import EvaluationReport, evaluate
from mlops_assets.judge.significance import Comparison, compare
from mlops_assets_tests.judge.judged_rows import CARRIER, ORIGIN, make_rows

OF_SKILL: tuple[Gate, ...] = (
    MetricBound(metric="roc_auc_score", at_least=0.6),
    MetricBound(metric="average_precision_score", at_least=0.5),
    MetricBound(metric="log_loss", at_most=0.6),
    MetricBound(metric="brier_loss", at_most=0.2),
    MetricBound(metric="expected_calibration_error", at_most=0.05, judge="point"),
    MetricBound(metric="calibration_in_the_large", at_least=-0.05, at_most=0.05),
    MetricBound(metric="precision_score", at_least=0.5),
    MetricBound(metric="recall_score", at_least=0.6),
    MetricBound(metric="f1_score", at_least=0.5),
    SliceBound(slice="carrier", metric="roc_auc_score", min_rows=100, at_least=0.6),
    NotWorseThanChampion(metric="roc_auc_score", margin=0.01),
    NotWorseThanChampion(metric="average_precision_score", margin=0.01),
    NotWorseThanChampion(metric="log_loss", margin=0.01),
    NotWorseThanChampion(metric="brier_loss", margin=0.01),
    NotWorseThanChampion(metric="precision_score", margin=0.01),
    NotWorseThanChampion(metric="f1_score", margin=0.01),
    BetterThanChampion(metric="log_loss", by=0.02),
    NoSliceRegressed(slice="carrier", metric="log_loss", margin=0.01),
)
OF_GAP: tuple[Gate, ...] = (
    TrainTestGap(metric="roc_auc_score", at_most=0.1),
    TrainTestGap(metric="log_loss", at_most=0.2),
)
OF_FAIRNESS: tuple[Gate, ...] = (
    FairnessBound(slice="origin", rate="selection_rate", largest_gap=0.2, smallest_ratio=0.6),
    FairnessBound(slice="origin", rate="true_positive_rate", largest_gap=0.2),
    FairnessBound(slice="origin", rate="false_positive_rate", largest_gap=0.2),
    FairnessBound(slice="origin", rate="score_bias", largest_gap=0.2),
)
EVERY_GATE = (*OF_SKILL, *OF_GAP, *OF_FAIRNESS)
ROWS = 4000
POINTS = ("value", "gap", "gain", "gap_value", "ratio_value")


def judged(
    labels: np.ndarray, scores: np.ndarray, columns: pa.Table, *, learnt: np.ndarray, champion: np.ndarray
) -> tuple[EvaluationReport, Comparison]:
    """The report and comparison of a model whose scores on the rows it learnt from, as many, are ``learnt``."""
    declared: dict[str, Any] = {"slice_columns": columns}
    report = evaluate(labels, scores, slices=(CARRIER,), threshold=0.5, **declared)
    report = replace(
        report,
        training=evaluate(labels, learnt, slices=(), threshold=0.5, **declared).overall,
        fairness=fairness(labels, scores, slice_columns=columns, protected=[ORIGIN], threshold=0.5),
    )
    against = compare(labels, scores, champion=champion, opponent="v1", slices=(CARRIER,), **declared)
    return report, against


def decision(labels: np.ndarray, scores: np.ndarray, columns: pa.Table, **others: np.ndarray) -> GateDecision:
    report, comparison = judged(labels, scores, columns, **others)
    return decide(report, EVERY_GATE, comparison=comparison)


def names(gates: tuple[Gate, ...]) -> set[str]:
    return {gate.name for gate in gates}


def refused(found: GateDecision) -> set[str]:
    return {verdict.name for verdict in found.verdicts if not verdict.passed}


def test_every_kind_of_gate_is_among_them() -> None:
    assert {type(gate) for gate in EVERY_GATE} == set(get_args(Gate))


@pytest.mark.parametrize("seed", range(3))
def test_a_perfect_model_passes_every_gate(seed: int) -> None:
    labels, champion, columns = make_rows(ROWS, seed=seed)

    assert decision(labels, labels, columns, learnt=labels, champion=champion).reasons == ()


@pytest.mark.parametrize("seed", range(3))
def test_a_random_model_is_refused_by_every_gate_of_skill_and_has_no_gaps(seed: int) -> None:
    labels, champion, columns = make_rows(ROWS, seed=seed)
    guessed, learnt = np.random.default_rng(seed + 100).random((2, ROWS))

    assert refused(decision(labels, guessed, columns, learnt=learnt, champion=champion)) == names(OF_SKILL)


@pytest.mark.parametrize("seed", range(3))
def test_a_random_model_that_knows_its_training_rows_by_heart_is_refused_by_the_gap_too(seed: int) -> None:
    labels, champion, columns = make_rows(ROWS, seed=seed)
    guessed = np.random.default_rng(seed + 100).random(ROWS)

    found = refused(decision(labels, guessed, columns, learnt=labels, champion=champion))

    assert found == names((*OF_SKILL, *OF_GAP))


@pytest.mark.parametrize("seed", range(3))
def test_a_random_model_that_guesses_by_the_group_is_refused_by_every_gate_of_fairness_too(seed: int) -> None:
    labels, champion, columns = make_rows(ROWS, seed=seed)
    guessed = np.random.default_rng(seed + 100).random(ROWS) / 2
    guessed[np.asarray(columns["origin"]) == "JFK"] += 0.5

    found = refused(decision(labels, guessed, columns, learnt=guessed, champion=champion))

    assert found == names((*OF_SKILL, *OF_FAIRNESS))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_rows_changes_no_verdict_to_the_bit(seed: int) -> None:
    labels, champion, columns = make_rows(600, seed=seed)
    draw = np.random.default_rng(seed)
    scores, learnt = np.clip(champion + draw.normal(0, 0.1, (2, 600)), 0, 1)
    order = draw.permutation(600)

    one = decision(labels, scores, columns, learnt=learnt, champion=champion)
    other = decision(labels[order], scores[order], columns.take(order), learnt=learnt[order], champion=champion[order])

    assert one.to_json() == other.to_json()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_repeating_all_rows_keeps_every_point_figure_and_verdicts_by_points(seed: int) -> None:
    rows = 6000  # so that the same segments have enough of them, once and twice
    labels, champion, columns = make_rows(rows, seed=seed, decimals=9)
    draw = np.random.default_rng(seed)
    scores, learnt = np.clip(champion + draw.normal(0, 0.05, (2, rows)), 1e-6, 1 - 1e-6)
    by_points = [replace(gate, judge="point") for gate in EVERY_GATE if hasattr(gate, "judge")]

    once = judged(labels, scores, columns, learnt=learnt, champion=champion)
    twice = judged(
        np.tile(labels, 2),
        np.tile(scores, 2),
        pa.concat_tables([columns] * 2),
        learnt=np.tile(learnt, 2),
        champion=np.tile(champion, 2),
    )

    one, two = (decide(report, EVERY_GATE, comparison=comparison) for report, comparison in (once, twice))
    for first, second in zip(one.verdicts, two.verdicts, strict=True):
        found, again = ({n: v for n, v in each.figures.items() if n in POINTS} for each in (first, second))
        assert found == pytest.approx(again, rel=1e-9, abs=1e-12)
    passes = [[verdict.passed for verdict in decide(report, by_points).verdicts] for report, _ in (once, twice)]
    assert passes[0] == passes[1]
