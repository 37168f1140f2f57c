"""Champion against challenger on the same rows: is the difference real, and is it within what may be lost?

Paired tests only: both models judge the same rows, so what makes a row hard cancels out. The area under the
ROC curve by paired DeLong, losses by the paired t-test, average precision by how far each row moves one model's more
than the other's. All count how well the standard error itself is known (``influences.py``). Which difference is allowed
is declared in ``gates.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy.special import stdtr

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.slices import OVERALL, AnySlice, Membership, everything, memberships
from mlops_assets.judge.estimate import shortfalls
from mlops_assets.judge.influences import (
    Influences,
    average_precision_influence,
    delong_influences,
    influences,
    mean_influences,
)
from mlops_assets.judge.intervals import quantile
from mlops_assets.judge.metrics import Grouped, Rows, average_precision, checked_rows, higher_is_better, roc_auc

COMPARED = ("roc_auc_score", "average_precision_score", "log_loss", "brier_loss")


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
    baseline: bool = False,
    clusters: NDArray[np.generic] | None = None,
    weights: NDArray[np.generic] | None = None,
) -> Comparison:
    """Compares the scores ``challenger`` with ``champion`` on the same rows, overall and per segment of
    ``slices``.

    All arrays have shape (rows,). Raises EvaluationError when there is nothing to compare.
    """
    y, new, w = checked_rows(labels, challenger, weights=weights)
    _, old, _ = checked_rows(labels, champion)
    units = np.arange(len(y)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    members = (everything(len(y)), *memberships(slices, table=slice_columns))
    keys = () if clusters is None else (units,)
    order = np.lexsort((*keys, w, *(each.codes for each in members[:0:-1]), old, y, new))
    rows = Rows(
        labels=y[order],
        scores=new[order],
        weights=w[order],
        units=np.arange(len(y)) if clusters is None else units[order],
        clustered=clusters is not None,
    )
    codes = [each.codes[order] for each in members]
    sides = [_judged(replace(rows, scores=scores[order]), codes=codes, members=members) for scores in (new, old)]
    differences = (
        difference
        for member, ours, theirs in zip(members, *sides, strict=True)
        for difference in _differences(member, challenger=ours, champion=theirs)
    )
    return Comparison(opponent=opponent, baseline=baseline, differences=tuple(differences))


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """One model on one family of segments; ``position`` is where each grouped row stands among the shared
    rows.
    """

    grouped: Grouped
    position: NDArray[np.int64]

    def values(self) -> dict[str, Floats]:
        log_losses, squares = self.grouped.rows.losses
        return {
            "roc_auc_score": roc_auc(self.grouped),
            "average_precision_score": average_precision(self.grouped),
            "log_loss": self.grouped.means(log_losses),
            "brier_loss": self.grouped.means(squares),
        }

    def per_row(self, metric: str) -> Floats:
        """What a row adds to the metric, or how far it moves it, in the order of the shared rows."""
        found = np.empty(len(self.position))
        if metric == "roc_auc_score":
            found[self.position] = self.grouped.beaten
        elif metric == "average_precision_score":
            found[self.position], _ = average_precision_influence(self.grouped)
        else:
            loss = self.grouped.rows.losses[("log_loss", "brier_loss").index(metric)]
            found[self.position] = loss[self.grouped.order]
        return found


def _judged(rows: Rows, *, codes: Sequence[NDArray[np.int32]], members: Sequence[Membership]) -> list[_Judged]:
    """``rows`` in the shared order."""
    order = np.argsort(rows.scores, kind="stable")
    ascending = Rows(
        labels=rows.labels[order],
        scores=rows.scores[order],
        weights=rows.weights[order],
        units=rows.units[order],
        clustered=rows.clustered,
    )
    families = [
        Grouped(ascending, codes=code[order], segments=len(each.segments))
        for code, each in zip(codes, members, strict=True)
    ]
    return [_Judged(grouped=family, position=order[family.order]) for family in families]


def _differences(member: Membership, *, challenger: _Judged, champion: _Judged) -> list[Difference]:
    family, new, old = challenger.grouped, challenger.values(), champion.values()
    found = []
    for metric in COMPARED:
        gains = (new[metric] - old[metric]) * (1 if higher_is_better(metric) else -1)
        moves, method = _paired(metric, challenger=challenger, champion=champion)
        errors, free = moves.error, moves.freedom
        t, short = quantile(free), shortfalls(family, metric=metric, paired=True)
        for i, segment in enumerate(member.segments):
            lacking = short[i]
            if lacking is None and not np.isfinite(gains[i] + errors[i]):
                lacking = "no row to compute it from"
            gain, error = float(gains[i]), float(errors[i])
            known = lacking is None
            found.append(
                Difference(
                    metric=metric,
                    slice=member.slice,
                    segment=segment,
                    rows=int(family.counts[i]),
                    units=int(family.unit_counts[i]),
                    champion=float(old[metric][i]) if known else None,
                    challenger=float(new[metric][i]) if known else None,
                    gain=gain if known else None,
                    lower=gain - float(t[i]) * error if known else None,
                    upper=gain + float(t[i]) * error if known else None,
                    error=error if known else None,
                    method=method if known else "not enough rows",
                    shortfall=lacking,
                    freedom=float(free[i]) if known else None,
                )
            )
    return found


def _paired(metric: str, *, challenger: _Judged, champion: _Judged) -> tuple[Influences, str]:
    """How far each unit moves the difference per segment, and the name of the method."""
    family = challenger.grouped
    apart = (challenger.per_row(metric) - champion.per_row(metric))[challenger.position]
    if metric == "roc_auc_score":
        area = roc_auc(family) - roc_auc(champion.grouped)
        return delong_influences(family, components=apart, area=area), "paired DeLong"
    if metric == "average_precision_score":
        _, share = average_precision_influence(family)
        return influences(family, (apart, share)), "paired, linearised"
    return mean_influences(family, of=apart)[1], "paired Student's t, linearised"
