"""Whether a bound on a model's own figures protects the champion: it does not where the champion breaks it as well.

In hard weeks every model falls below a floor that was set in easy ones. Refusing a better challenger for it then keeps
a champion that is below as well. So a failed bound becomes a warning that names both figures, where the champion breaks
it on the same rows, every test against the champion has passed, and the challenger is ahead in all that they compare.
Ahead in the bound's own metric it need not be, as that may be chance; but not shown to be behind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.gates import AgainstChampion, Gate, MetricBound, NoSliceRegressed, SliceBound, TrainTestGap
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.slices import OVERALL
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.gate_verdicts import SIGNIFICANT, bounded_ends, gap_between
from mlops_assets.judge.report import EvaluationReport
from mlops_assets.judge.significance import Comparison

Bound = MetricBound | SliceBound | TrainTestGap
Paired = AgainstChampion | NoSliceRegressed
CHAMPION_FAILS = "champion_fails_too"
"""The figure of a verdict that was made a warning: by how much the champion is beyond the bound at its worst."""


def without_false_protection(
    verdicts: Sequence[CheckResult],
    gates: Sequence[Gate],
    *,
    report: EvaluationReport,
    champion: EvaluationReport,
    comparison: Comparison,
) -> tuple[CheckResult, ...]:
    """The verdicts, of which bounds that the ``champion`` breaks on the same rows only warn.

    All of them stay as they are if anything else blocks, if no gate compares overall, if one that compares fails, be it
    a warning, or if the challenger is behind in what one compares. ``champion`` has the training figures of its own
    promotion, which the gap to training is taken from.
    """
    if not _is_ahead(verdicts, gates, comparison=comparison):
        return tuple(verdicts)
    excused = [
        _excused(verdict, gate, report=report, champion=champion, comparison=comparison) if verdict.blocks else verdict
        for verdict, gate in zip(verdicts, gates, strict=True)
    ]
    return tuple(verdicts) if any(verdict.blocks for verdict in excused) else tuple(excused)


def _is_ahead(verdicts: Sequence[CheckResult], gates: Sequence[Gate], *, comparison: Comparison) -> bool:
    """Whether it passes all that compares it with the champion, and has gained in every metric compared overall."""
    passed = all(verdict.passed for verdict, gate in zip(verdicts, gates, strict=True) if isinstance(gate, Paired))
    differences = [comparison.of(gate.metric) for gate in gates if isinstance(gate, AgainstChampion)]
    return (
        passed and bool(differences) and all(each and each.gain is not None and each.gain >= 0 for each in differences)
    )


def _excused(
    verdict: CheckResult, gate: Gate, *, report: EvaluationReport, champion: EvaluationReport, comparison: Comparison
) -> CheckResult:
    if not isinstance(gate, Bound):
        return verdict
    ours, theirs = beyond(gate, report), beyond(gate, champion)
    broken = {segment: by for segment, by in ours.items() if by > 0}
    worst, champions = max(broken.values(), default=0.0), max(theirs.values(), default=0.0)
    if len(broken) != len(verdict.reasons) or not (worst > 0 and champions > 0):
        return verdict  # it lacks rows or figures, or is the first to break it
    if not all(_no_worse(segment, gate, broken, theirs, comparison=comparison) for segment in broken):
        return verdict
    told = (
        f"The champion {comparison.opponent} breaks this bound on the same rows by {champions:.4g}, this version by "
        f"{worst:.4g}: it protects nobody."
    )
    return replace(
        verdict,
        severity=Severity.WARN,
        figures={**verdict.figures, "beyond": worst, CHAMPION_FAILS: champions},
        reasons=(*verdict.reasons, told),
    )


def _no_worse(
    segment: str, gate: Bound, ours: Mapping[str, float], theirs: Mapping[str, float], *, comparison: Comparison
) -> bool:
    """Whether a paired test shows no loss in the bound's own metric there; where there is none, the champion has to
    break the bound there no less.
    """
    difference = None if isinstance(gate, TrainTestGap) else comparison.of(gate.metric, segment=segment)
    p = difference.p_worse() if difference else None
    return theirs.get(segment, -math.inf) >= ours[segment] if p is None else p > SIGNIFICANT


def beyond(gate: Bound, report: EvaluationReport) -> dict[str, float]:
    """By how much each judged segment is beyond the bound, negative within it. What cannot be judged is left out."""
    if isinstance(gate, TrainTestGap):
        return _beyond_gap(gate, report)
    segments = [report.overall] if isinstance(gate, MetricBound) else report.of_slice(gate.slice)
    least = 0 if isinstance(gate, MetricBound) else gate.min_rows
    found = {each.segment: _by(gate, each.metrics.get(gate.metric)) for each in segments if each.rows >= least}
    return {segment: by for segment, by in found.items() if by is not None}


def _by(gate: MetricBound | SliceBound, estimate: Estimate | None) -> float | None:
    low, high = bounded_ends(estimate, judge=gate.judge)
    if low is None or high is None:
        return None
    below = -math.inf if gate.at_least is None else gate.at_least - low
    above = -math.inf if gate.at_most is None else high - gate.at_most
    return max(below, above)


def _beyond_gap(gate: TrainTestGap, report: EvaluationReport) -> dict[str, float]:
    learnt = report.training.metrics.get(gate.metric) if report.training else None
    tested = report.overall.metrics.get(gate.metric)
    gap = gap_between(learnt, tested, metric=gate.metric) if learnt and tested else None
    if gap is None:
        return {}
    value, _, upper = gap
    return {OVERALL: (upper if gate.judge == "interval" else value) - gate.at_most}
