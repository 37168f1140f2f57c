"""What passes, what fails, and that whatever cannot be judged fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.gates import (
    BetterThanChampion,
    Gate,
    MetricBound,
    NoSliceRegressed,
    NotWorseThanChampion,
    SliceBound,
    TrainTestGap,
)
from mlops_assets.contract.severity import Severity
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.gate_decision import GateDecision, decide
from mlops_assets.judge.gate_verdicts import gap_between
from mlops_assets.judge.report import EvaluationReport, SegmentReport
from mlops_assets.judge.significance import Comparison, Difference, compare
from mlops_assets_tests.judge.judged_rows import CARRIER, make_rows


def estimate(value: float, *, half: float = 0.01) -> Estimate:
    return Estimate(value=value, lower=value - half, upper=value + half, method="test")


def make_segment(segment: str, *, rows: int = 1000, auc: float = 0.75) -> SegmentReport:
    name = segment.split("=")[0]
    metrics = {"roc_auc_score": estimate(auc), "log_loss": estimate(0.4)}
    return SegmentReport(slice=name, segment=segment, rows=rows, positives=rows // 5, metrics=metrics)


def make_report(*segments: SegmentReport, auc: float = 0.75) -> EvaluationReport:
    overall = make_segment("overall", auc=auc)
    return EvaluationReport(threshold=0.3, overall=overall, segments=segments)


def make_comparison(*, gain: float, half: float = 0.001, baseline: bool = False) -> Comparison:
    difference = Difference(
        metric="roc_auc_score",
        slice="overall",
        segment="overall",
        rows=1000,
        units=1000,
        champion=0.7,
        challenger=0.7 + gain,
        gain=gain,
        lower=gain - half,
        upper=gain + half,
        error=half / 2,
        method="test",
    )
    return Comparison(opponent="v1", baseline=baseline, differences=(difference,))


def reasons_of(report: EvaluationReport, gate: Gate, **others: object) -> tuple[str, ...]:
    decision = decide(report, [gate], **others)  # type: ignore[arg-type]
    assert decision.passed == (not decision.reasons)
    return decision.reasons


def test_the_interval_is_judged_not_the_point() -> None:
    gate = MetricBound(metric="roc_auc_score", at_least=0.745)

    assert reasons_of(make_report(auc=0.75), gate) == (
        "roc_auc_score: 0.74 at the lower end of its interval, needs at least 0.745",
    )
    assert reasons_of(make_report(auc=0.76), gate) == ()
    assert reasons_of(make_report(auc=0.75), replace(gate, judge="point")) == ()


def test_a_loss_is_bounded_from_above() -> None:
    assert reasons_of(make_report(), MetricBound(metric="log_loss", at_most=0.42)) == ()
    assert reasons_of(make_report(), MetricBound(metric="log_loss", at_most=0.405)) == (
        "log_loss: 0.41 at the upper end of its interval, needs at most 0.405",
    )


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (
            Estimate(value=None, lower=None, upper=None, method="x", shortfall="3 rows, needs 30"),
            "roc_auc_score: 3 rows, needs 30",
        ),
        (Estimate(value=None, lower=None, upper=None, method="x"), "roc_auc_score: the figure is missing"),
        (estimate(float("nan")), "roc_auc_score: the figure is missing"),
        (estimate(float("inf")), "roc_auc_score: the figure is missing"),
        (None, "roc_auc_score: no such figure in the report. Figures: log_loss"),
    ],
)
def test_a_figure_that_cannot_be_judged_fails(found: Estimate | None, reason: str) -> None:
    report = make_report()
    metrics = {"log_loss": estimate(0.4)} | ({} if found is None else {"roc_auc_score": found})
    report = replace(report, overall=replace(report.overall, metrics=metrics))

    assert reasons_of(report, MetricBound(metric="roc_auc_score", at_least=0.0)) == (reason,)


BY_CARRIER = SliceBound(slice="carrier", metric="roc_auc_score", at_least=0.7, min_rows=200)


def test_one_weak_slice_fails_whatever_the_rest() -> None:
    report = make_report(make_segment("carrier=UA"), make_segment("carrier=AA", auc=0.68))

    assert reasons_of(report, BY_CARRIER) == (
        "roc_auc_score[carrier=AA]: 0.67 at the lower end of its interval, needs at least 0.7",
    )


def test_a_small_slice_blocks_promotion_unless_it_is_expected_to_be_small() -> None:
    report = make_report(make_segment("carrier=UA"), make_segment("carrier=OO", rows=32))

    assert reasons_of(report, BY_CARRIER) == ("roc_auc_score[carrier=OO]: 32 rows, needs 200",)
    assert reasons_of(report, replace(BY_CARRIER, few_rows="skip")) == ()
    required = replace(BY_CARRIER, few_rows="skip", required=("carrier=OO",))
    assert reasons_of(report, required) == ("roc_auc_score[carrier=OO]: 32 rows, needs 200",)


def test_a_slice_with_nothing_left_to_judge_fails() -> None:
    only_small = make_report(make_segment("carrier=OO", rows=32))
    skipping = replace(BY_CARRIER, few_rows="skip")

    for report in (only_small, make_report()):
        assert reasons_of(report, skipping) == ("roc_auc_score[carrier]: no segment has the 200 rows it needs",)


def test_a_vanished_slice_blocks_promotion() -> None:
    now = make_report(make_segment("carrier=UA"))
    before = make_report(make_segment("carrier=UA"), make_segment("carrier=AA"))
    skipping = replace(BY_CARRIER, few_rows="skip")

    assert reasons_of(now, skipping, previous=before) == ("roc_auc_score[carrier=AA]: no rows, needs 200",)
    assert reasons_of(now, replace(skipping, required=("carrier=B6",))) == (
        "roc_auc_score[carrier=B6]: no rows, needs 200",
    )


NOT_WORSE = NotWorseThanChampion(metric="roc_auc_score", margin=0.005)


@pytest.mark.parametrize(("gain", "passes"), [(0.01, True), (-0.003, True), (-0.0045, False), (-0.02, False)])
def test_a_challenger_may_lose_no_more_than_the_margin(gain: float, passes: bool) -> None:
    assert decide(make_report(), [NOT_WORSE], comparison=make_comparison(gain=gain)).passed is passes


def test_a_loss_is_said_with_its_interval() -> None:
    assert reasons_of(make_report(), NOT_WORSE, comparison=make_comparison(gain=-0.02)) == (
        "roc_auc_score against v1: worse; gain -0.02 (-0.021 to -0.019), its lower end must be at least -0.005",
    )


def test_the_first_model_must_be_better_than_the_baseline() -> None:
    even = make_comparison(gain=0.0, baseline=True)
    better = make_comparison(gain=0.1, baseline=True)

    assert decide(make_report(), [NOT_WORSE], comparison=better).passed
    assert reasons_of(make_report(), NOT_WORSE, comparison=even)[0].endswith("its lower end must be above 0")


@pytest.mark.parametrize(("gain", "passes"), [(0.03, True), (0.0105, False), (0.0, False), (-0.02, False)])
def test_an_improvement_that_is_demanded_must_be_shown_beyond_chance(gain: float, passes: bool) -> None:
    gate = BetterThanChampion(metric="roc_auc_score", by=0.01)

    assert decide(make_report(), [gate], comparison=make_comparison(gain=gain)).passed is passes


def test_an_improvement_that_is_not_shown_is_said_with_its_interval() -> None:
    gate = BetterThanChampion(metric="roc_auc_score", by=0.01)

    assert reasons_of(make_report(), gate, comparison=make_comparison(gain=0.0105)) == (
        "roc_auc_score against v1: better; gain +0.0105 (+0.0095 to +0.0115), its lower end must be above 0.01",
    )
    assert reasons_of(make_report(), gate) == ("roc_auc_score: was not compared with anything",)


def test_an_improvement_is_demanded_of_the_first_model_against_every_baseline() -> None:
    gate = BetterThanChampion(metric="roc_auc_score", by=0.05)
    constant = make_comparison(gain=0.2, baseline=True)
    linear = replace(make_comparison(gain=0.02, baseline=True), opponent="linear model")

    (reason,) = reasons_of(make_report(), gate, comparison=replace(constant, baselines=(constant, linear)))

    assert reason.startswith("roc_auc_score against linear model: better; gain +0.02")


def test_without_a_comparison_there_is_no_promotion() -> None:
    assert reasons_of(make_report(), NOT_WORSE) == ("roc_auc_score: was not compared with anything",)


def test_without_gates_there_is_no_promotion() -> None:
    assert decide(make_report(), []) == GateDecision(
        passed=False,
        verdicts=(),
        reasons=("No gates are declared: nothing says that this model is good enough.",),
    )


def test_a_failed_warning_is_said_but_does_not_block() -> None:
    gate = MetricBound(metric="roc_auc_score", at_least=0.9, severity=Severity.WARN)

    decision = decide(make_report(), [gate])

    assert decision.passed
    assert len(decision.reasons) == 1


def test_a_decision_survives_json() -> None:
    decision = decide(make_report(), [NOT_WORSE, BY_CARRIER], comparison=make_comparison(gain=-1.0))

    assert GateDecision.from_json(decision.to_json()) == decision


def test_gates_that_say_nothing_or_clash_cannot_be_declared() -> None:
    with pytest.raises(DeclarationError, match="needs at_least, at_most or both"):
        MetricBound(metric="log_loss")
    with pytest.raises(DeclarationError, match="0 or more is needed"):
        NotWorseThanChampion(metric="log_loss", margin=-0.1)
    with pytest.raises(DeclarationError, match="0 or more is needed"):
        BetterThanChampion(metric="log_loss", by=-0.1)
    twice = [MetricBound(metric="log_loss", at_most=1), MetricBound(metric="log_loss", at_least=0)]
    with pytest.raises(DeclarationError, match="Gates declared twice: log_loss_within_bounds"):
        decide(make_report(), twice)


def test_the_first_model_must_beat_the_constant_and_not_be_worse_than_the_linear_model() -> None:
    gate = NotWorseThanChampion(metric="roc_auc_score", margin=0.005)
    constant = make_comparison(gain=0.2, baseline=True)

    def beside(linear: Comparison) -> Comparison:
        return replace(constant, baselines=(constant, replace(linear, opponent="linear model")))

    good, poor = make_comparison(gain=0.0, baseline=True), make_comparison(gain=-0.01, baseline=True)
    assert reasons_of(make_report(), gate, comparison=beside(good)) == ()
    assert reasons_of(make_report(), gate, comparison=beside(poor)) == (
        "roc_auc_score against linear model: worse; gain -0.01 (-0.011 to -0.009), "
        "its lower end must be at least -0.005",
    )


def test_a_champion_is_the_only_opponent_of_later_models() -> None:
    poor = replace(make_comparison(gain=-0.1, baseline=True), opponent="linear model")
    comparison = replace(make_comparison(gain=0.0), baselines=(poor,))

    assert (
        reasons_of(make_report(), NotWorseThanChampion(metric="roc_auc_score", margin=0.01), comparison=comparison)
        == ()
    )


GAP = TrainTestGap(metric="roc_auc_score", at_most=0.1)


def test_a_model_that_learnt_its_rows_by_heart_is_refused() -> None:
    by_heart = replace(make_report(auc=0.75), training=make_segment("overall", auc=0.95))

    assert reasons_of(by_heart, GAP) == (
        "roc_auc_score: the gap to training is 0.2141 at the upper end of its interval, needs at most 0.1",
    )


def test_the_gap_is_judged_at_the_upper_end_of_its_interval() -> None:
    report = replace(make_report(auc=0.75), training=make_segment("overall", auc=0.84))

    assert reasons_of(report, GAP) != ()
    assert reasons_of(report, replace(GAP, judge="point")) == ()
    assert reasons_of(make_report(auc=0.75), GAP) == (
        "roc_auc_score: there is no figure on training rows and on test rows to take the gap of",
    )


def test_the_interval_of_a_gap_is_that_of_two_independent_means() -> None:
    """With symmetric intervals it is the textbook interval of a difference."""
    gap = gap_between(estimate(0.9, half=0.03), estimate(0.8, half=0.04), metric="roc_auc_score")
    turned = gap_between(estimate(0.3, half=0.03), estimate(0.4, half=0.04), metric="log_loss")

    assert gap == pytest.approx((0.1, 0.05, 0.15))
    assert turned == pytest.approx((0.1, 0.05, 0.15))


BY_CARRIER_PAIRED = NoSliceRegressed(slice="carrier", metric="log_loss", margin=0.01)


def harmed_on(carrier: str | None, *, by: float = 3.0) -> Comparison:
    """The champion is a good model; the challenger lost its skill for one carrier of four."""
    labels, scores, columns = make_rows(8000, decimals=6)
    noise = np.random.default_rng(1).normal(0, by, 8000) * (np.array(columns["carrier"]) == carrier)
    challenger = 1 / (1 + np.exp(-(np.log(scores / (1 - scores)) + noise)))
    return compare(labels, challenger, champion=scores, opponent="v1", slice_columns=columns, slices=(CARRIER,))


def test_a_slice_that_regressed_is_named_where_the_overall_margin_hides_it() -> None:
    comparison = harmed_on("OO")
    overall = NotWorseThanChampion(metric="log_loss", margin=0.1)

    assert reasons_of(make_report(), overall, comparison=comparison) == ()
    (reason,) = reasons_of(make_report(), BY_CARRIER_PAIRED, comparison=comparison)
    assert reason.startswith("log_loss[carrier=OO] against v1: gain -")


def test_equal_models_regress_on_no_slice() -> None:
    assert reasons_of(make_report(), BY_CARRIER_PAIRED, comparison=harmed_on(None)) == ()


def test_slices_that_were_not_compared_fail() -> None:
    assert reasons_of(make_report(), BY_CARRIER_PAIRED) == (
        "log_loss[carrier]: no segment was compared on enough rows",
    )
    assert reasons_of(make_report(), BY_CARRIER_PAIRED, comparison=make_comparison(gain=0.1)) != ()


def make_pair(carrier: str, *, gain: float | None = 0.0, error: float | None = 0.01) -> Difference:
    """What is compared on one carrier; ``None`` is told as too few rows."""
    known = gain is not None and error is not None
    return Difference(
        metric="log_loss",
        slice="carrier",
        segment=f"carrier={carrier}",
        rows=1000 if known else 12,
        units=1000,
        champion=0.4 if known else None,
        challenger=0.4 if known else None,
        gain=gain,
        lower=gain,
        upper=gain,
        error=error,
        method="test",
        shortfall=None if known else "12 rows, needs 30",
    )


def beside_champion(*pairs: Difference) -> Comparison:
    return Comparison(opponent="v1", baseline=False, differences=pairs)


def figures_of(report: EvaluationReport, gate: Gate, **others: object) -> dict[str, object]:
    return dict(decide(report, [gate], **others).verdicts[0].figures)  # type: ignore[arg-type]


def test_a_segment_that_vanished_since_the_champion_has_not_kept_its_figure() -> None:
    before = make_report(make_segment("carrier=UA"), make_segment("carrier=AA"))
    both, one = beside_champion(make_pair("UA"), make_pair("AA")), beside_champion(make_pair("UA"))
    skipping = replace(BY_CARRIER_PAIRED, few_rows="skip")

    assert reasons_of(make_report(), skipping, comparison=both, previous=before) == ()
    assert reasons_of(make_report(), skipping, comparison=one, previous=before) == (
        "log_loss[carrier=AA]: no rows, but the champion was judged on it",
    )
    assert figures_of(make_report(), skipping, comparison=one, previous=before)["vanished"] == 1


def test_a_segment_on_too_few_rows_for_its_test_fails_unless_it_is_expected_to_be_small() -> None:
    comparison = beside_champion(make_pair("UA"), make_pair("OO", gain=None))

    assert reasons_of(make_report(), BY_CARRIER_PAIRED, comparison=comparison) == (
        "log_loss[carrier=OO]: 12 rows, needs 30",
    )
    skipping = replace(BY_CARRIER_PAIRED, few_rows="skip")
    assert reasons_of(make_report(), skipping, comparison=comparison) == ()
    told = figures_of(make_report(), skipping, comparison=comparison)
    assert (told["tested"], told["too_few_rows"], told["vanished"]) == (1, 1, 0)


@pytest.mark.parametrize("broken", [{"gain": float("nan")}, {"error": float("nan")}, {"error": float("inf")}])
def test_a_paired_test_without_its_figures_fails_whatever_is_expected_to_be_small(broken: dict[str, float]) -> None:
    comparison = beside_champion(make_pair("UA"), make_pair("AA", **broken))
    skipping = replace(BY_CARRIER_PAIRED, few_rows="skip")

    assert reasons_of(make_report(), skipping, comparison=comparison) == (
        "log_loss[carrier=AA]: the figure is missing",
    )


def test_a_verdict_tells_what_it_needed_beside_what_it_found() -> None:
    report = replace(
        make_report(make_segment("carrier=UA"), make_segment("carrier=AA", auc=0.72)),
        training=make_segment("overall", auc=0.8),
    )
    comparison = replace(make_comparison(gain=0.1), differences=(make_pair("UA"), make_pair("AA", gain=-0.005)))
    overall = MetricBound(metric="roc_auc_score", at_least=0.65)

    assert figures_of(report, overall)["needs"] == "at least 0.65 at the lower end of the interval"
    assert figures_of(report, overall)["at_least"] == 0.65
    assert figures_of(report, replace(overall, judge="point"))["needs"] == "at least 0.65"
    by_carrier = figures_of(report, BY_CARRIER)
    assert by_carrier["needs"] == "at least 0.7 at the lower end of the interval, on every segment of 200 rows or more"
    assert (by_carrier["worst"], by_carrier["worst_figure"]) == ("carrier=AA", pytest.approx(0.71))
    paired = figures_of(report, BY_CARRIER_PAIRED, comparison=comparison)
    assert paired["needs"] == "no segment worse by more than 0.01 beyond chance"
    assert (paired["worst"], paired["worst_gain"], paired["margin"]) == ("carrier=AA", -0.005, 0.01)
    assert figures_of(report, GAP)["needs"] == "at most 0.1 at the upper end of the interval"
    assert figures_of(report, NOT_WORSE)["needs"].startswith("a gain of at least -0.005 at the lower end")
    better = BetterThanChampion(metric="roc_auc_score", by=0.01)
    assert figures_of(report, better)["needs"] == "a gain above 0.01 at the lower end of the interval"


def test_a_decision_of_before_limits_were_kept_is_read() -> None:
    old = b'{"passed": true, "reasons": [], "verdicts": [{"name": "n", "passed": true, "figures": {"limit": 0.2}}]}'

    assert GateDecision.from_json(old).verdicts[0].figures == {"limit": 0.2}
