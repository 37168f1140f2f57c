"""How right answers were, as verdicts: every metric of evaluation, beside the prior and what was promised at promotion.

The rule, for each metric and segment:

- *worse than the prior*: the gain over the constant prior on the same rows (``judge/significance.py``) has an interval
  wholly below 0;
- else *worse than promised*: the whole interval is worse than the evaluation's figure by more than the margin;
- else *as promised*; *cannot be judged* without rows enough, without an interval, and where a metric is neither better
  nor worse for being higher.

An interval holds what chance does to these rows. What a day does to all of its rows together (weather) is in it only if
the rows were clustered by day; whether a day is worse than days usually are is judged in ``cells.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.metrics import BUILT_IN, higher_is_better
from mlops_assets.judge.report import EvaluationReport, SegmentReport
from mlops_assets.judge.significance import Comparison, Difference
from mlops_assets.watch.served.report import Realised

_IDEALS = {metric.name: metric.ideal for metric in BUILT_IN if metric.ideal is not None}


def judge_truth(
    report: EvaluationReport,
    *,
    against_prior: Comparison | None = None,
    promised: EvaluationReport | None = None,
    margins: Mapping[str, float] | None = None,
) -> tuple[Realised, ...]:
    """Every figure of ``report``, of rows whose outcomes are known, overall first.

    ``against_prior`` compares the answers with the constant prior on the same rows, ``promised`` is the version's
    evaluation. ``margins`` say by metric how much worse than promised is still as promised, 0 if nothing.
    """
    promises = {} if promised is None else {each.segment: each for each in (promised.overall, *promised.segments)}
    return tuple(
        _judged(
            name,
            segment,
            estimate,
            gain=against_prior.of(name, segment=segment.segment) if against_prior else None,
            promised=_value(promises.get(segment.segment), name),
            margin=(margins or {}).get(name, 0.0),
        )
        for segment in (report.overall, *report.segments)
        for name, estimate in segment.metrics.items()
    )


def _judged(
    name: str,
    segment: SegmentReport,
    estimate: Estimate,
    *,
    gain: Difference | None,
    promised: float | None,
    margin: float,
) -> Realised:
    told = Realised(
        metric=name,
        scope=segment.segment,
        n=segment.rows,
        value=estimate.value,
        low=estimate.lower,
        high=estimate.upper,
        prior=gain.champion if gain else None,
        promised=promised,
        verdict="cannot be judged",
    )
    if estimate.lower is None or estimate.upper is None:
        return told.model_copy(update={"why": estimate.shortfall or "a figure without an interval"})
    if gain is not None and gain.upper is not None and gain.upper < 0:
        why = f"{gain.upper:.3g} better than the prior at best, {gain.gain:.3g} most likely"
        return told.model_copy(update={"verdict": "worse than the prior", "why": why})
    if name not in _IDEALS and higher_is_better(name) is None:
        return told.model_copy(update={"why": "higher is neither better nor worse"})
    if promised is None:
        return told.model_copy(update={"why": "nothing was promised of it"})
    best = _least_loss(name, estimate.lower, estimate.upper)
    if best > _least_loss(name, promised, promised) + margin:
        why = f"{estimate.lower:.3g} to {estimate.upper:.3g}, promised {promised:.3g} with a margin of {margin:.3g}"
        return told.model_copy(update={"verdict": "worse than promised", "why": why})
    return told.model_copy(update={"verdict": "as promised"})


def _least_loss(name: str, low: float, high: float) -> float:
    """How bad an interval's best end is: a loss, a score turned round, or the distance from the ideal."""
    ideal = _IDEALS.get(name)
    if ideal is not None:
        return max(low - ideal, ideal - high, 0.0)
    return -high if higher_is_better(name) else low


def _value(segment: SegmentReport | None, metric: str) -> float | None:
    estimate = segment.metrics.get(metric) if segment else None
    return estimate.value if estimate else None
