"""Champion against challenger on the same rows: is the difference real, and is it within what may be lost?

Paired tests only: both models judge the same rows, so what makes a row hard cancels out. How far each unit moves one
model's figure more than the other's is all they are made of (of the area under the ROC curve that is paired DeLong, of
a mean the paired t-test), and how well the standard error itself is known is counted (``influences.py``). Which
difference is allowed is declared in ``gates.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy.special import stdtr

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.slices import OVERALL, AnySlice, Membership
from mlops_assets.contract.tasks import BINARY, Task
from mlops_assets.judge.estimate import NOTHING, TOO_FEW
from mlops_assets.judge.families import Grouped, judged_rows
from mlops_assets.judge.figures import Figure
from mlops_assets.judge.influences import Influences, together
from mlops_assets.judge.intervals import quantile
from mlops_assets.judge.metrics import Metric, higher_is_better, metrics_of


class Verdict(StrEnum):
    """What a paired test says of a challenger."""

    BETTER = "better"
    NOT_WORSE = "not worse within the margin"
    WORSE = "worse"
    NOT_ENOUGH_ROWS = "not enough rows"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One metric of one segment, of both models on the same rows.

    ``gain`` is positive when the challenger is better, whatever the metric's direction; ``lower`` and
    ``upper`` are its 95 % interval, ``error`` its standard error, of ``units`` independent units and known with
    ``freedom`` degrees of freedom (``None``: one fewer than units). Where rows do not suffice all of them are ``None``
    and ``shortfall`` says what was found and needed.
    """

    metric: str
    slice: str
    segment: str
    rows: int
    units: int
    champion: float | None
    challenger: float | None
    gain: float | None
    lower: float | None
    upper: float | None
    error: float | None
    method: str
    shortfall: str | None = None
    freedom: float | None = None

    def p_worse(self, *, margin: float = 0.0) -> float | None:
        """One-sided p-value of the claim that the challenger is worse by more than ``margin``."""
        if self.gain is None or self.error is None:
            return None
        if self.error == 0:
            return 0.0 if self.gain < -margin else 1.0
        freedom = max(self.units - 1, 1) if self.freedom is None else self.freedom
        return float(stdtr(freedom, (self.gain + margin) / self.error))

    def verdict(self, *, margin: float = 0.0) -> Verdict:
        """An interval too wide to rule out a loss beyond ``margin``, nor a gain, is *not enough rows*."""
        if self.gain is None or self.lower is None or self.upper is None:
            return Verdict.NOT_ENOUGH_ROWS
        if self.lower > 0:
            return Verdict.BETTER
        if self.lower >= -margin:
            return Verdict.NOT_WORSE
        return Verdict.WORSE if self.upper < 0 else Verdict.NOT_ENOUGH_ROWS


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A challenger beside an ``opponent``: the champion, or a ``baseline`` when there is no champion yet.

    ``baselines`` are the same challenger beside each baseline, overall only.
    """

    opponent: str
    baseline: bool
    differences: tuple[Difference, ...]
    baselines: tuple[Comparison, ...] = ()

    def of(self, metric: str, *, segment: str = OVERALL) -> Difference | None:
        """The difference of that metric on that segment, ``None`` if it was not compared."""
        found = (each for each in self.differences if each.metric == metric and each.segment == segment)
        return next(found, None)

    def to_json(self) -> bytes:
        return TypeAdapter(Comparison).dump_json(self, indent=1)

    @classmethod
    def from_json(cls, text: bytes | str) -> Comparison:
        """Raises EvaluationError when the text is no comparison."""
        try:
            return TypeAdapter(Comparison).validate_json(text)
        except ValueError as error:
            raise EvaluationError(f"Not a comparison of models: {error}") from error


def compare(
    labels: NDArray[np.generic],
    challenger: NDArray[np.generic],
    *,
    champion: NDArray[np.generic],
    opponent: str,
    slice_columns: pa.Table,
    slices: Sequence[AnySlice],
    task: Task = BINARY,
    thresholds: tuple[float, float] = (0.5, 0.5),
    baseline: bool = False,
    clusters: NDArray[np.generic] | None = None,
    weights: NDArray[np.generic] | None = None,
) -> Comparison:
    """Compares the scores ``challenger`` with ``champion`` on the same rows, overall and per segment of ``slices``, in
    every metric that has a better and a worse.

    Arrays have shape (rows,), scores of classes (rows, classes). ``thresholds`` make the scores of each decisions.
    Raises EvaluationError when there is nothing to compare.
    """
    ours, theirs = judged_rows(
        labels,
        challenger,
        champion,
        slice_columns=slice_columns,
        slices=slices,
        task=task,
        thresholds=thresholds,
        clusters=clusters,
        weights=weights,
    )
    compared = [each for each in metrics_of(task) if each.compared]
    differences: list[Difference] = []
    for member in ours.members:
        new, old = ours.family(member), theirs.family(member)
        for metric in compared:
            differences += _differences(metric, member, challenger=new, champion=old)
    return Comparison(opponent=opponent, baseline=baseline, differences=tuple(differences))


def _differences(metric: Metric, member: Membership, *, challenger: Grouped, champion: Grouped) -> list[Difference]:
    new, old = metric.figure(challenger), metric.figure(champion)
    lacking = [one or other for one, other in zip(new.lacking, old.lacking, strict=True)]
    if new.moves is None or old.moves is None:
        lacking = [each or "a point figure is not compared" for each in lacking]
        gains = errors = free = np.full(len(lacking), np.nan)
    elif metric.ideal is None:
        gains = (new.value - old.value) * (1 if higher_is_better(metric.name) else -1)
        moves = together((1.0, new.moves()), (-1.0, old.moves()))
        errors, free = moves.error, moves.freedom
    else:
        gains, errors, free = _nearer(new, old, of_new=new.moves(), of_old=old.moves(), ideal=metric.ideal)
    t = quantile(free)
    found = []
    for i, segment in enumerate(member.segments):
        short = lacking[i] or (None if np.isfinite(gains[i] + errors[i]) else NOTHING)
        gain, error, known = float(gains[i]), float(errors[i]), short is None
        found.append(
            Difference(
                metric=metric.name,
                slice=member.slice,
                segment=segment,
                rows=int(challenger.counts[i]),
                units=int(challenger.unit_counts[i]),
                champion=float(old.value[i]) if known else None,
                challenger=float(new.value[i]) if known else None,
                gain=gain if known else None,
                lower=gain - float(t[i]) * error if known else None,
                upper=gain + float(t[i]) * error if known else None,
                error=error if known else None,
                method=f"paired {new.method}" if known else TOO_FEW,
                shortfall=short,
                freedom=float(free[i]) if known else None,
            )
        )
    return found


def _nearer(
    new: Figure, old: Figure, *, of_new: Influences, of_old: Influences, ideal: float
) -> tuple[Floats, Floats, Floats]:
    """By how much ``new`` is nearer to the ideal, the standard error, and its degrees of freedom, per segment.

    A distance is no smooth function where a figure may be on either side of its ideal, and which side it is on is
    partly the noise that both share. There the larger error of the figures' difference and of their sum is taken:
    whatever the sides are, the gain is off by no more than one of both is. Models whose difference nothing moves are
    the same, and so is their distance.
    """
    sides = [np.where(each.value < ideal, -1.0, 1.0) for each in (new, old)]
    sure = np.logical_and.reduce(
        [
            np.abs(each.value - ideal) > quantile(moves.freedom) * moves.error
            for each, moves in ((new, of_new), (old, of_old))
        ]
    )
    apart, added = together((1.0, of_new), (-1.0, of_old)), together((1.0, of_new), (1.0, of_old))
    same = sides[0] == sides[1]
    use_apart = (apart.error == 0) | np.where(sure, same, apart.error >= added.error)
    return (
        np.abs(old.value - ideal) - np.abs(new.value - ideal),
        np.where(use_apart, apart.error, added.error),
        np.where(use_apart, apart.freedom, added.freedom),
    )
