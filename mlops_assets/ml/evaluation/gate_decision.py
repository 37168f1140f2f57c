"""The one function that decides by the gates a use case declares, and the decision that is kept.

What cannot be judged fails. Moving the champion's pointer by a decision is in ``stores/models/champion.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter

from mlops_assets.ml.checks import CheckResult, Figure
from mlops_assets.ml.errors import DeclarationError, EvaluationError
from mlops_assets.ml.evaluation.gates import (
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
from mlops_assets.ml.evaluation.report import EvaluationReport, SegmentReport
from mlops_assets.ml.slices import OVERALL
from mlops_assets.ml.statistics.corrections import holm
from mlops_assets.ml.statistics.estimate import Estimate
from mlops_assets.ml.statistics.metrics import higher_is_better
from mlops_assets.ml.statistics.significance import Comparison, Verdict

SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class GateDecision:
    """Whether the model may be promoted: one verdict per gate, and the reasons of all that failed.

    ``opponent`` is who it was compared with, ``None`` if nobody. A failed gate of severity WARN does not stop
    promotion.
    """

    passed: bool
    verdicts: tuple[CheckResult, ...]
    reasons: tuple[str, ...]
    opponent: str | None = None

    def to_json(self) -> bytes:
        return TypeAdapter(GateDecision).dump_json(self, indent=1)

    @classmethod
    def from_json(cls, text: bytes | str) -> GateDecision:
        """Raises EvaluationError when the text is no decision."""
        try:
            return TypeAdapter(GateDecision).validate_json(text)
        except ValueError as error:
            raise EvaluationError(f"Not a gate decision: {error}") from error


def decide(
    report: EvaluationReport,
    gates: Sequence[Gate],
    *,
    comparison: Comparison | None = None,
    previous: EvaluationReport | None = None,
) -> GateDecision:
    """Judges ``report``, and ``comparison`` where a gate asks for it, by every gate.

    ``previous`` is the champion's report: a segment that had enough rows there and is gone here fails its
    gate. Fails closed: no gates, or a figure that is missing, NaN or on too few rows, is a failure with a
    reason. Raises DeclarationError when two gates share a name.
    """
    names = [gate.name for gate in gates]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DeclarationError(f"Gates declared twice: {', '.join(twice)}. Put both bounds into one gate.")
    verdicts = tuple(_judge(gate, report=report, comparison=comparison, previous=previous) for gate in gates)
    reasons = [reason for verdict in verdicts for reason in verdict.reasons if not verdict.passed]
    if not gates:
        reasons.append("No gates are declared: nothing says that this model is good enough.")
    return GateDecision(
        passed=bool(gates) and not any(verdict.blocks for verdict in verdicts),
        verdicts=verdicts,
        reasons=tuple(reasons),
        opponent=None if comparison is None else comparison.opponent,
    )


def _judge(
    gate: Gate, *, report: EvaluationReport, comparison: Comparison | None, previous: EvaluationReport | None
) -> CheckResult:
    if isinstance(gate, MetricBound):
        return _judge_metric(gate, report=report)
    if isinstance(gate, SliceBound):
        return _judge_slice(gate, report=report, previous=previous)
    if isinstance(gate, NoSliceRegressed):
        return _judge_regressions(gate, comparison=comparison)
    if isinstance(gate, FairnessBound):
        return _judge_fairness(gate, report=report)
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
    return _verdict(
        gate,
        reasons=reasons + outside,
        figures={
            "judged": len(enough),
            "outside": len(outside),
            "too_few_rows": len(few),
            "vanished": len(gone),
        },
    )


def _judge_comparison(gate: AgainstChampion, *, comparison: Comparison | None) -> CheckResult:
    if comparison is None or comparison.of(gate.metric) is None:
        return _verdict(gate, reasons=[f"{gate.metric}: was not compared with anything"], figures={})
    improve = isinstance(gate, BetterThanChampion)
    figures, reason = _against(gate, comparison=comparison, must_win=improve or comparison.baseline)
    reasons = [reason]
    if comparison.baseline:
        others = [each for each in comparison.baselines if each.opponent != comparison.opponent]
        reasons += [_against(gate, comparison=each, must_win=improve)[1] for each in others]
    return _verdict(gate, reasons=[reason for reason in reasons if reason], figures=figures)


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


def _judge_fairness(gate: FairnessBound, *, report: EvaluationReport) -> CheckResult:
    found = next((each for each in report.fairness if each.slice == gate.slice), None)
    disparity = None if found is None else found.decided.disparities.get(gate.rate)
    if found is None or disparity is None:
        return _verdict(gate, reasons=[f"{gate.rate}: no fairness report on '{gate.slice}'"], figures={})
    told = {group: rates[gate.rate] for group, rates in found.decided.groups.items()}
    reasons = [
        f"{gate.rate}[{name}]: {told[name].shortfall if name in told else 'no rows'}"
        for name in gate.required
        if name not in told or told[name].value is None
    ]
    pair = f"between {disparity.lowest} and {disparity.highest}"
    for what, estimate, least, most in (
        ("largest gap", disparity.gap, None, gate.largest_gap),
        ("smallest ratio", disparity.ratio, gate.smallest_ratio, None),
    ):
        if least is not None or most is not None:
            reason = _beyond(estimate, f"{gate.rate} by {gate.slice}, {what}", judge=gate.judge, least=least, most=most)
            reasons += [f"{reason} {pair}"] if reason else []
    figures: dict[str, Figure] = {f"gap_{name}": figure for name, figure in _figures(disparity.gap).items()}
    figures |= {f"ratio_{name}": figure for name, figure in _figures(disparity.ratio).items()}
    return _verdict(
        gate, reasons=reasons, figures=figures | {"lowest": str(disparity.lowest), "highest": str(disparity.highest)}
    )


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
        figures={"gap": value, "lower": lower, "upper": upper, "limit": gate.at_most},
    )


def gap_between(learnt: Estimate, tested: Estimate, *, metric: str) -> tuple[float, float, float] | None:
    """By how much ``learnt`` is better than ``tested`` with its 95 % interval, ``None`` if a figure is missing.

    The interval is made of both intervals (Zou & Donner 2008): training and test rows are different rows.
    """
    if None in (learnt.value, learnt.lower, learnt.upper, tested.value, tested.lower, tested.upper):
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


def _judge_regressions(gate: NoSliceRegressed, *, comparison: Comparison | None) -> CheckResult:
    differences = () if comparison is None else comparison.differences
    of_slice = [each for each in differences if (each.metric, each.slice) == (gate.metric, gate.slice)]
    tested = [(each, p) for each in of_slice if (p := each.p_worse(margin=gate.margin)) is not None]
    if comparison is None or not tested:
        reason = f"{gate.metric}[{gate.slice}]: no segment was compared on enough rows"
        return _verdict(gate, reasons=[reason], figures={"tested": 0})
    corrected = holm([p for _, p in tested])
    reasons = [
        f"{gate.metric}[{each.segment}] against {comparison.opponent}: gain {each.gain:+.4g} on {each.rows} rows, "
        f"worse by more than {gate.margin:.4g} with corrected p = {p:.2g}"
        for (each, _), p in zip(tested, corrected, strict=True)
        if p <= SIGNIFICANT
    ]
    figures: dict[str, Figure] = {"tested": len(tested), "regressed": len(reasons), "lowest_p": min(corrected)}
    return _verdict(gate, reasons=reasons, figures={"opponent": comparison.opponent, **figures})


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
    interval = judge == "interval"
    low = estimate.lower if interval else estimate.value
    high = estimate.upper if interval else estimate.value
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return f"{label}: the figure is missing"
    of = " at the lower end of its interval" if interval else ""
    if least is not None and low < least:
        return f"{label}: {low:.4g}{of}, needs at least {least:.4g}"
    if most is not None and high > most:
        return f"{label}: {high:.4g}{of.replace('lower', 'upper')}, needs at most {most:.4g}"
    return None


def _figures(estimate: Estimate | None) -> dict[str, Figure]:
    if estimate is None:
        return {}
    found = {"value": estimate.value, "lower": estimate.lower, "upper": estimate.upper}
    return {name: figure for name, figure in found.items() if figure is not None}


def _verdict(gate: Gate, *, reasons: list[str], figures: dict[str, Figure]) -> CheckResult:
    return CheckResult(
        name=gate.name, passed=not reasons, severity=gate.severity, figures=figures, reasons=tuple(reasons)
    )
