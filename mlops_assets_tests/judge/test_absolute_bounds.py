"""A bound that the champion breaks on the same rows warns a challenger that is ahead, and lets no other through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.gates import (
    FairnessBound,
    Gate,
    MetricBound,
    NoSliceRegressed,
    NotWorseThanChampion,
    SliceBound,
    TrainTestGap,
)
from mlops_assets.contract.severity import Severity
from mlops_assets.judge.absolute_bounds import CHAMPION_FAILS, beyond
from mlops_assets.judge.gate_decision import GateDecision, decide
from mlops_assets.judge.report import EvaluationReport, evaluate
from mlops_assets.judge.significance import Comparison, compare
from mlops_assets_tests.judge.judged_rows import CARRIER, make_rows

FLOOR = MetricBound(metric="roc_auc_score", at_least=0.8)
BY_CARRIER = SliceBound(slice="carrier", metric="roc_auc_score", min_rows=100, at_least=0.8, few_rows="skip")
GAP = TrainTestGap(metric="roc_auc_score", at_most=0.02)
PAIRED = NotWorseThanChampion(metric="log_loss", margin=0.02)
HELD = (PAIRED, NoSliceRegressed(slice="carrier", metric="log_loss", margin=0.02, few_rows="skip"))
LABELS, SCORES, COLUMNS = make_rows(3000)
EASY = make_rows(3000, skill=3, seed=1)


def answers(*, noise: float, seed: int = 2) -> np.ndarray:
    """Scores that know the truth but for so much noise; 0 is the best that there can be on these rows."""
    odds = np.log(SCORES / (1 - SCORES)) + noise * np.random.default_rng(seed).normal(size=len(SCORES))
    return np.asarray(1 / (1 + np.exp(-odds)))


def report_on(scores: np.ndarray) -> EvaluationReport:
    """On these rows, and on training rows that were easier."""
    told: dict[str, Any] = {"slices": [CARRIER], "threshold": 0.3}
    learnt = evaluate(EASY[0], EASY[1], slice_columns=EASY[2], **told).overall
    return replace(evaluate(LABELS, scores, slice_columns=COLUMNS, **told), training=learnt)


def compared(challenger: np.ndarray, champion: np.ndarray, *, baseline: bool = False) -> Comparison:
    return compare(
        LABELS,
        challenger,
        champion=champion,
        opponent="v1",
        slice_columns=COLUMNS,
        slices=[CARRIER],
        thresholds=(0.3, 0.3),
        baseline=baseline,
    )


def decided(
    gates: Sequence[Gate], *, noise: float = 0.0, champions: float = 0.5, beside: bool = True, **more: Any
) -> GateDecision:
    """What gates say to a challenger of so much noise, beside a champion of so much."""
    ours, theirs = answers(noise=noise), answers(noise=champions, seed=3)
    return decide(
        report_on(ours),
        gates,
        comparison=compared(ours, theirs, **more),
        beside=report_on(theirs) if beside else None,
    )


@pytest.mark.parametrize("bound", [FLOOR, BY_CARRIER, GAP])
def test_a_bound_that_the_champion_breaks_no_less_warns_with_both_figures(bound: Gate) -> None:
    decision = decided([bound, *HELD])

    verdict = decision.verdicts[0]
    assert decision.passed
    assert (verdict.passed, verdict.severity) == (False, Severity.WARN)
    assert 0 < float(verdict.figures["beyond"]) < float(verdict.figures[CHAMPION_FAILS])
    assert "The champion v1 breaks this bound on the same rows by" in verdict.reasons[-1]
    assert decision.reasons == verdict.reasons


@pytest.mark.parametrize("bound", [FLOOR, BY_CARRIER, GAP])
@pytest.mark.parametrize(
    "case",
    [
        {"beside": False},  # nothing is known of the champion on these rows, as in evaluations of earlier releases
        {"baseline": True},  # a first model
        {"noise": 0.5, "champions": 0.0},  # it is worse
        {"noise": 3.0, "champions": 3.0, "gates": ()},  # nothing compares both
    ],
)
def test_else_the_bound_refuses(bound: Gate, case: dict[str, Any]) -> None:
    gates = case.get("gates", HELD)
    decision = decided([bound, *gates], **{name: told for name, told in case.items() if name != "gates"})

    assert not decision.passed
    assert decision.verdicts[0].blocks


def test_a_bound_that_the_champion_keeps_refuses() -> None:
    kept = replace(FLOOR, at_least=0.6)
    assert decided([kept, *HELD]).passed

    champions = beyond(FLOOR, report_on(answers(noise=0.0)))["overall"]
    between = replace(FLOOR, at_least=0.8 - champions)  # where the champion just keeps it
    decision = decided([between, PAIRED], noise=0.1, champions=0.0)

    assert not decision.passed
    assert "breaks this bound" not in " ".join(decision.reasons)


def test_one_failed_test_against_the_champion_leaves_every_bound_as_it_is() -> None:
    impossible = replace(PAIRED, margin=0.0, metric="roc_auc_score")
    for severity in Severity:
        decision = decided([FLOOR, replace(impossible, severity=severity)], noise=0.5, champions=0.5)
        assert not decision.passed
        assert decision.verdicts[0].blocks


def test_a_hair_more_beyond_the_bound_is_no_reason_where_it_is_ahead_in_what_is_compared() -> None:
    """As flights' challenger of September: log loss gained 0.0055, the area's interval began 0.003 lower."""
    sharper = decided([FLOOR, PAIRED], noise=0.4, champions=0.4)
    ours, theirs = answers(noise=0.4), answers(noise=0.4, seed=3)
    losses = compared(ours, theirs).of("log_loss")
    assert losses is not None
    ahead = (losses.gain or 0) >= 0

    assert sharper.passed == ahead
    assert decide(
        report_on(theirs), [FLOOR, PAIRED], comparison=compared(theirs, ours), beside=report_on(ours)
    ).passed == (not ahead)


def test_too_few_rows_and_fairness_are_never_excused() -> None:
    few = replace(BY_CARRIER, few_rows="fail", min_rows=400)
    unfair = FairnessBound(slice="carrier", rate="true_positive_rate", largest_gap=0.01)

    assert not decided([few, *HELD]).passed
    assert not decided([unfair, *HELD]).passed


def test_a_segment_that_got_worse_is_not_excused_by_another_of_the_champion() -> None:
    """UA is turned round, where the champion's AA is as bad."""
    carrier = np.asarray(COLUMNS["carrier"])
    ours, theirs = answers(noise=0.0), answers(noise=0.0)
    ours[carrier == "UA"], theirs[carrier == "AA"] = 1 - ours[carrier == "UA"], 1 - theirs[carrier == "AA"]
    loose = NotWorseThanChampion(metric="log_loss", margin=9)

    decision = decide(report_on(ours), [BY_CARRIER, loose], comparison=compared(ours, theirs), beside=report_on(theirs))

    assert not decision.passed


@settings(max_examples=60, deadline=None)
@given(
    noise=st.floats(0, 3),
    champions=st.floats(0, 3),
    floor=st.floats(0.5, 0.95),
    bound=st.sampled_from([FLOOR, BY_CARRIER]),
)
def test_what_is_let_through_is_ahead_of_a_champion_that_breaks_the_bound_as_well(
    noise: float, champions: float, floor: float, bound: MetricBound | SliceBound
) -> None:
    gate = replace(bound, at_least=floor)
    decision = decided([gate, PAIRED], noise=noise, champions=champions)
    ours, theirs = (beyond(gate, report_on(a)) for a in (answers(noise=noise), answers(noise=champions, seed=3)))

    compares = compared(answers(noise=noise), answers(noise=champions, seed=3))
    loss, area = compares.of("log_loss"), compares.of("roc_auc_score")
    assert loss is not None
    assert area is not None
    if decision.passed and max(ours.values()) > 0:
        assert (loss.gain or 0) >= 0
        assert max(theirs.values()) > 0
        assert bound is BY_CARRIER or (area.p_worse() or 0) > 0.05
