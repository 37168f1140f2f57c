"""What a paired comparison on what was served says: is the challenger worse by more than its gates allow?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from mlops_assets.contract.gates import AgainstChampion, Gate, NotWorseThanChampion
from mlops_assets.contract.tasks import Task
from mlops_assets.judge.significance import Comparison, Difference

POWER = 0.8


@dataclass(frozen=True, kw_only=True)
class LiveVerdict:
    """One metric. ``worse`` is shown, ``held`` means that a loss beyond the margin is ruled out; neither: too few rows.

    ``told`` is a sentence with the figures, and from which loss on it would have been seen. Where not even an interval
    can be had it is not ``judged``.
    """

    worse: bool
    held: bool
    told: str
    judged: bool = True


def live_verdicts(
    comparison: Comparison, *, gates: Sequence[Gate], task: Task, level: float
) -> tuple[LiveVerdict, ...]:
    """One for each metric that a gate compares with the champion, else for the task's loss with no margin.

    A metric is worse where its loss is beyond the margin with a one-sided p-value of ``level`` or less.
    """
    return tuple(
        _verdict(comparison.of(gate.metric), metric=gate.metric, margin=gate.margin, level=level)
        for gate in live_gates(gates, task=task)
    )


def live_gates(gates: Sequence[Gate], *, task: Task) -> tuple[NotWorseThanChampion, ...]:
    """What is asked of a challenger on what was served: not to be worse, in every metric that a gate compares."""
    margins = {gate.metric: getattr(gate, "margin", 0.0) for gate in gates if isinstance(gate, AgainstChampion)}
    return tuple(
        NotWorseThanChampion(metric=metric, margin=margin)
        for metric, margin in (margins or {task.by_slice[1]: 0.0}).items()
    )


def _verdict(difference: Difference | None, *, metric: str, margin: float, level: float) -> LiveVerdict:
    if difference is None or difference.gain is None or difference.lower is None or difference.error is None:
        lacking = difference.shortfall if difference else "it is not compared"
        return LiveVerdict(worse=False, held=False, told=f"{metric} cannot be judged: {lacking}", judged=False)
    p = difference.p_worse(margin=margin) or 0.0
    free = difference.freedom if difference.freedom is not None else max(difference.units - 1, 1)
    seen = margin + float(stdtrit(free, 1 - level) + stdtrit(free, POWER)) * difference.error
    return LiveVerdict(
        worse=p <= level,
        held=difference.lower >= -margin,
        told=(
            f"{metric} gained {difference.gain:+.4g} ({difference.lower:+.4g} to {difference.upper:+.4g}) on "
            f"{difference.rows} rows; a loss of {seen:.2g} would most likely be seen, {margin:.4g} is allowed"
        ),
    )
