"""What one gate says to a report or a comparison, with the figures it was said by and what it needed.

What cannot be judged fails. Which gates there are is in ``gates.py``, the decision by all of them in
``gate_decision.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.gates import (
    AgainstChampion,
    BetterThanChampion,
    FairnessBound,
    Gate,
    Judge,
    MetricBound,
    NoSliceRegressed,
    SliceBound,
    TrainTestGap,
)
from mlops_assets.contract.slices import OVERALL
from mlops_assets.judge.corrections import holm
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.fairness import AtThreshold
from mlops_assets.judge.metrics import higher_is_better
from mlops_assets.judge.report import EvaluationReport, SegmentReport
from mlops_assets.judge.significance import Comparison, Difference, Verdict

SIGNIFICANT = 0.05
LIMITS = ("at_least", "at_most", "margin", "by", "largest_gap", "smallest_ratio", "min_rows")
"""What a gate may declare a number for; each is a figure of its verdict."""
GONE = "no rows, but the champion was judged on it"


def verdict_on(
    gate: Gate, *, report: EvaluationReport, comparison: Comparison | None, previous: EvaluationReport | None
) -> CheckResult:
    """What the gate says: passed or not, its figures beside what it needs, and the reasons."""
    if isinstance(gate, MetricBound):
        return _judge_metric(gate, report=report)
    if isinstance(gate, SliceBound):
        return _judge_slice(gate, report=report, previous=previous)
    if isinstance(gate, NoSliceRegressed):
        return _judge_regressions(gate, comparison=comparison, previous=previous)
    if isinstance(gate, FairnessBound):
        return _judge_fairness(gate, report=report, previous=previous)
    if isinstance(gate, TrainTestGap):
        return _judge_gap(gate, report=report)
    return _judge_comparison(gate, comparison=comparison)


def _judge_metric(gate: MetricBound, *, report: EvaluationReport) -> CheckResult:
    reason = _outside(gate, segment=report.overall)
    return _verdict(
        gate,
        reasons=[] if reason is None else [reason],
        figures={"rows": report.overall.rows, **_figures(report.overall.metrics.get(gate.metric))},
    )


def _judge_slice(gate: SliceBound, *, report: EvaluationReport, previous: EvaluationReport | None) -> CheckResult:
    segments = report.of_slice(gate.slice)
    enough = [segment for segment in segments if segment.rows >= gate.min_rows]
    few = [segment for segment in segments if segment.rows < gate.min_rows]
    expected = dict.fromkeys(gate.required)
    if previous is not None:
        expected |= dict.fromkeys(s.segment for s in previous.of_slice(gate.slice) if s.rows >= gate.min_rows)
    gone = [name for name in expected if name not in {segment.segment for segment in segments}]
    reasons = [f"{gate.metric}[{name}]: no rows, needs {gate.min_rows}" for name in gone]
    reasons += [
        f"{gate.metric}[{segment.segment}]: {segment.rows} rows, needs {gate.min_rows}"
        for segment in few
        if gate.few_rows == "fail" or segment.segment in gate.required
    ]
    outside = [reason for segment in enough if (reason := _outside(gate, segment=segment)) is not None]
    if not enough:
        reasons.append(f"{gate.metric}[{gate.slice}]: no segment has the {gate.min_rows} rows it needs")
    figures: dict[str, Figure] = {"judged": len(enough), "outside": len(outside)}
    figures |= {"too_few_rows": len(few), "vanished": len(gone), **_worst(gate, segments=enough)}
    return _verdict(gate, reasons=reasons + outside, figures=figures)


def _worst(gate: SliceBound, *, segments: Sequence[SegmentReport]) -> dict[str, Figure]:
    """The segment nearest to its bound, or furthest beyond it, and what was judged of it."""
    found: list[tuple[float, str, float]] = []
    for segment in segments:
        low, high = bounded_ends(segment.metrics.get(gate.metric), judge=gate.judge)
        if low is not None and gate.at_least is not None:
            found.append((low - gate.at_least, segment.segment, low))
        if high is not None and gate.at_most is not None:
            found.append((gate.at_most - high, segment.segment, high))
    _, worst, figure = min(found, default=(0.0, "", 0.0))
    return {"worst": worst, "worst_figure": figure} if found else {}


def _judge_comparison(gate: AgainstChampion, *, comparison: Comparison | None) -> CheckResult:
    if comparison is None or comparison.of(gate.metric) is None:
        return _verdict(gate, reasons=[_not_compared(gate.metric, comparison=comparison)], figures={})
    improve = isinstance(gate, BetterThanChampion)
    figures, reason = _against(gate, comparison=comparison, must_win=improve or comparison.baseline)
    reasons = [reason]
    if comparison.baseline and (isinstance(gate, BetterThanChampion) or gate.first != "constant"):
        others = [each for each in comparison.baselines if each.opponent != comparison.opponent]
        reasons += [_against(gate, comparison=each, must_win=improve)[1] for each in others]
    return _verdict(gate, reasons=[reason for reason in reasons if reason], figures=figures)


def _not_compared(metric: str, *, comparison: Comparison | None) -> str:
    if comparison is None:
        return f"{metric}: was not compared with anything"
    known = ", ".join(dict.fromkeys(each.metric for each in comparison.differences))
    return (
        f"{metric}: cannot be compared, because there is no such figure, or it has no better and worse, or is a point. "
        f"Compared: {known}"
    )


def _against(gate: AgainstChampion, *, comparison: Comparison, must_win: bool) -> tuple[dict[str, Figure], str | None]:
    """The figures of one comparison, and why the gate does not let it pass."""
    difference = comparison.of(gate.metric)
    if difference is None:
        return {}, f"{gate.metric}: was not compared with {comparison.opponent}"
    asked = {"by": gate.by} if isinstance(gate, BetterThanChampion) else {"margin": gate.margin}
    above, verdict = asked.get("by", 0.0), difference.verdict(margin=asked.get("margin", 0.0))
    figures: dict[str, Figure] = {
        "verdict": verdict.value,
        "opponent": comparison.opponent,
        "rows": difference.rows,
    }
    found = {"gain": difference.gain, "lower": difference.lower, "upper": difference.upper, **asked}
    figures |= {name: figure for name, figure in found.items() if figure is not None}
    won = difference.lower is not None and difference.lower > above
    passes = won if must_win else verdict in {Verdict.BETTER, Verdict.NOT_WORSE}
    if passes:
        return figures, None
    if difference.gain is None or difference.lower is None or difference.upper is None:
        return figures, f"{gate.metric}: {difference.shortfall}"
    wanted = f"above {above:.4g}" if must_win else f"at least {-asked.get('margin', 0.0):.4g}"
    return figures, (
        f"{gate.metric} against {comparison.opponent}: {verdict.value}; gain {difference.gain:+.4g} "
        f"({difference.lower:+.4g} to {difference.upper:+.4g}), its lower end must be {wanted}"
    )


def _judge_fairness(gate: FairnessBound, *, report: EvaluationReport, previous: EvaluationReport | None) -> CheckResult:
    decided = _decided(report, of=gate.slice)
    disparity = None if decided is None else decided.disparities.get(gate.rate)
    if decided is None or disparity is None:
        return _verdict(gate, reasons=[f"{gate.rate}: no fairness report on '{gate.slice}'"], figures={})
    reasons, counted = _groups(gate, decided=decided, before=_decided(previous, of=gate.slice))
    for what, estimate, least, most in (
        ("largest gap", disparity.gap, None, gate.largest_gap),
        ("smallest ratio", disparity.ratio, gate.smallest_ratio, None),
    ):
        if least is not None or most is not None:
            reason = _beyond(estimate, f"{gate.rate} by {gate.slice}, {what}", judge=gate.judge, least=least, most=most)
            reasons += [f"{reason} between {disparity.lowest} and {disparity.highest}"] if reason else []
    figures: dict[str, Figure] = {f"gap_{name}": figure for name, figure in _figures(disparity.gap).items()}
    figures |= {f"ratio_{name}": figure for name, figure in _figures(disparity.ratio).items()}
    figures |= {"lowest": str(disparity.lowest), "highest": str(disparity.highest)}
    return _verdict(gate, reasons=reasons, figures=figures | counted)


def _decided(report: EvaluationReport | None, *, of: str) -> AtThreshold | None:
    """The rates of the groups of a slice at the model's own threshold."""
    found = report.fairness if report is not None else ()
    return next((each.decided for each in found if each.slice == of), None)


def _groups(
    gate: FairnessBound, *, decided: AtThreshold, before: AtThreshold | None
) -> tuple[list[str], dict[str, Figure]]:
    """Which groups cannot be judged though they must, and how many can."""
    told = {group: rates.get(gate.rate) for group, rates in decided.groups.items()}
    known_before = [group for group, rates in before.groups.items() if _known(rates.get(gate.rate))] if before else []
    gone = [group for group in known_before if group not in told]
    few = {group: each for group, each in told.items() if not _known(each)}
    reasons = [f"{gate.rate}[{group}]: no rows" for group in gate.required if group not in told]
    reasons += [f"{gate.rate}[{group}]: {GONE}" for group in gone if group not in gate.required]
    reasons += [
        f"{gate.rate}[{group}]: {_lacking(each)}"
        for group, each in few.items()
        if gate.few_rows == "fail" or group in gate.required or each is None or each.shortfall is None
    ]
    return reasons, {"tested": len(told) - len(few), "too_few_rows": len(few), "vanished": len(gone)}


def _judge_gap(gate: TrainTestGap, *, report: EvaluationReport) -> CheckResult:
    learnt = None if report.training is None else report.training.metrics.get(gate.metric)
    tested = report.overall.metrics.get(gate.metric)
    gap = None if learnt is None or tested is None else gap_between(learnt, tested, metric=gate.metric)
    if gap is None:
        reason = f"{gate.metric}: there is no figure on training rows and on test rows to take the gap of"
        return _verdict(gate, reasons=[reason], figures={})
    value, lower, upper = gap
    judged, of = (upper, " at the upper end of its interval") if gate.judge == "interval" else (value, "")
    reason = f"{gate.metric}: the gap to training is {judged:.4g}{of}, needs at most {gate.at_most:.4g}"
    return _verdict(
        gate,
        reasons=[] if judged <= gate.at_most else [reason],
        figures={"gap": value, "lower": lower, "upper": upper},
    )


def gap_between(learnt: Estimate, tested: Estimate, *, metric: str) -> tuple[float, float, float] | None:
    """By how much ``learnt`` is better than ``tested`` with its 95 % interval, ``None`` if a figure is missing.

    The interval is made of both intervals (Zou & Donner 2008): training and test rows are different rows.
    """
    if None in (
        learnt.value,
        learnt.lower,
        learnt.upper,
        tested.value,
        tested.lower,
        tested.upper,
        higher_is_better(metric),
    ):
        return None
    ours, theirs = (np.array([e.value, e.lower, e.upper], dtype=np.float64) for e in (learnt, tested))
    if not higher_is_better(metric):
        ours, theirs = -ours[[0, 2, 1]], -theirs[[0, 2, 1]]
    gap = float(ours[0] - theirs[0])
    down, up = (
        math.hypot(ours[0] - ours[1], theirs[2] - theirs[0]),
        math.hypot(ours[2] - ours[0], theirs[0] - theirs[1]),
    )
    return gap, gap - down, gap + up


def _judge_regressions(
    gate: NoSliceRegressed, *, comparison: Comparison | None, previous: EvaluationReport | None
) -> CheckResult:
    differences = () if comparison is None else comparison.differences
    of_slice = [each for each in differences if (each.metric, each.slice) == (gate.metric, gate.slice)]
    before = previous.of_slice(gate.slice) if previous is not None else ()
    present = {each.segment for each in of_slice}
    gone = [s.segment for s in before if _known(s.metrics.get(gate.metric)) and s.segment not in present]
    tested = [each for each in of_slice if _testable(each)]
    untested = [each for each in of_slice if not _testable(each)]
    reasons = [f"{gate.metric}[{segment}]: {GONE}" for segment in gone]
    reasons += [
        f"{gate.metric}[{each.segment}]: {each.shortfall or 'the figure is missing'}"
        for each in untested
        if gate.few_rows == "fail" or each.shortfall is None
    ]
    counted: dict[str, Figure] = {"tested": len(tested), "too_few_rows": len(untested), "vanished": len(gone)}
    if comparison is None or not tested:
        why = next((f" ({each.shortfall})" for each in untested if each.shortfall), "")
        reasons.append(f"{gate.metric}[{gate.slice}]: no segment was compared on enough rows{why}")
        return _verdict(gate, reasons=reasons, figures=counted)
    regressed, figures = _regressed(gate, tested=tested, opponent=comparison.opponent)
    return _verdict(gate, reasons=reasons + regressed, figures={"opponent": comparison.opponent, **counted, **figures})


def _regressed(
    gate: NoSliceRegressed, *, tested: Sequence[Difference], opponent: str
) -> tuple[list[str], dict[str, Figure]]:
    """Which segments are worse beyond margin and chance, and the figures of the one that most surely is."""
    claims = [(each.p_worse(margin=gate.margin) or 0.0, each) for each in tested]
    corrected = holm([p for p, _ in claims])
    reasons = [
        f"{gate.metric}[{each.segment}] against {opponent}: gain {each.gain:+.4g} on {each.rows} rows, "
        f"worse by more than {gate.margin:.4g} with corrected p = {p:.2g}"
        for (_, each), p in zip(claims, corrected, strict=True)
        if p <= SIGNIFICANT
    ]
    _, worst = min(claims, key=lambda claim: claim[0])
    assert worst.gain is not None
    figures: dict[str, Figure] = {"regressed": len(reasons), "lowest_p": min(corrected)}
    return reasons, figures | {"worst": worst.segment, "worst_gain": worst.gain}


def _testable(difference: Difference) -> bool:
    return all(figure is not None and math.isfinite(figure) for figure in (difference.gain, difference.error))


def _known(estimate: Estimate | None) -> bool:
    return estimate is not None and estimate.value is not None and math.isfinite(estimate.value)


def _lacking(estimate: Estimate | None) -> str:
    return estimate.shortfall if estimate is not None and estimate.shortfall else "the figure is missing"


def _outside(gate: MetricBound | SliceBound, *, segment: SegmentReport) -> str | None:
    """Why the segment's figure does not keep the gate's bounds, or ``None`` when it does."""
    label = gate.metric if segment.slice == OVERALL else f"{gate.metric}[{segment.segment}]"
    estimate = segment.metrics.get(gate.metric)
    if estimate is None:
        known = ", ".join(segment.metrics)
        return f"{label}: no such figure in the report. Figures: {known}"
    return _beyond(estimate, label, judge=gate.judge, least=gate.at_least, most=gate.at_most)


def _beyond(estimate: Estimate, label: str, *, judge: Judge, least: float | None, most: float | None) -> str | None:
    """Why the figure, called ``label``, is not from ``least`` to ``most``, or ``None`` when it is."""
    if estimate.shortfall is not None:
        return f"{label}: {estimate.shortfall}"
    low, high = bounded_ends(estimate, judge=judge)
    if low is None or high is None:
        point = judge == "interval" and estimate.lower is None and estimate.value is not None
        return f"{label}: " + ('a point without an interval, give judge="point"' if point else "the figure is missing")
    of = " at the lower end of its interval" if judge == "interval" else ""
    if least is not None and low < least:
        return f"{label}: {low:.4g}{of}, needs at least {least:.4g}"
    if most is not None and high > most:
        return f"{label}: {high:.4g}{of.replace('lower', 'upper')}, needs at most {most:.4g}"
    return None


def bounded_ends(estimate: Estimate | None, *, judge: Judge) -> tuple[float, float] | tuple[None, None]:
    """What is held against a lower and an upper bound: the ends of the interval, or the value twice."""
    if estimate is None or estimate.shortfall is not None:
        return None, None
    ends = (estimate.lower, estimate.upper) if judge == "interval" else (estimate.value, estimate.value)
    low, high = ends
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return None, None
    return low, high


def _figures(estimate: Estimate | None) -> dict[str, Figure]:
    if estimate is None:
        return {}
    found = {"value": estimate.value, "lower": estimate.lower, "upper": estimate.upper}
    return {name: figure for name, figure in found.items() if figure is not None}


def _verdict(gate: Gate, *, reasons: list[str], figures: dict[str, Figure]) -> CheckResult:
    """``figures`` beside what the gate needs, in words and as numbers."""
    limits = {name: limit for name in LIMITS if (limit := getattr(gate, name, None)) is not None}
    return CheckResult(
        name=gate.name,
        passed=not reasons,
        severity=gate.severity,
        figures={"needs": gate.needs, **limits, **figures},
        reasons=tuple(reasons),
    )
