"""How differently a model treats the groups of a protected column: rates, their largest gap and smallest ratio.

Rates and what they mean are those of Hardt, Price & Srebro 2016 (true and false positive rate: equalised odds),
Feldman et al. 2015 (selection rate: disparate impact) and Pleiss et al. 2017 (calibration: mean score minus share of
positives). Intervals of rates are Wilson's; those of a difference or ratio of two groups are made of both (Newcombe
1998; Zou & Donner 2008), and the largest of all pairs is corrected for how many there are (Bonferroni). Which gap is
allowed is declared in ``gates.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.slices import AnySlice
from mlops_assets.judge.estimate import Estimate, missing, too_few_among
from mlops_assets.judge.families import Grouped, judged_rows
from mlops_assets.judge.intervals import CONFIDENCE, Bounds, mean_bounds, share_bounds

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "score_bias")
SHARES_SELECTED = tuple(share / 20 for share in range(1, 20))
"""Over which thresholds gaps are shown: those that select 5 %, 10 % … 95 % of all rows."""


@dataclass(frozen=True, kw_only=True)
class Disparity:
    """Two groups that a rate treats most differently. ``score_bias`` has no ratio: it may be 0 or below."""

    gap: Estimate
    ratio: Estimate
    lowest: str | None = None
    highest: str | None = None


@dataclass(frozen=True, kw_only=True)
class AtThreshold:
    """The rates and their disparities if ``threshold`` decided, which selects a share ``selected`` of all rows."""

    threshold: float
    selected: float
    groups: Mapping[str, Mapping[str, Estimate]]
    disparities: Mapping[str, Disparity]


@dataclass(frozen=True, kw_only=True)
class FairnessReport:
    """One protected slice: ``decided`` at the model's own threshold, ``over_thresholds`` from the most selective on."""

    slice: str
    rows: Mapping[str, int]
    decided: AtThreshold
    over_thresholds: tuple[AtThreshold, ...]


def fairness(
    labels: NDArray[np.generic],
    scores: NDArray[np.generic],
    *,
    slice_columns: pa.Table,
    protected: Sequence[AnySlice],
    threshold: float,
    clusters: NDArray[np.generic] | None = None,
    weights: NDArray[np.generic] | None = None,
) -> tuple[FairnessReport, ...]:
    """One report per protected slice; arrays have shape (rows,), labels are 0 or 1."""
    (judged,) = judged_rows(
        labels, scores, slice_columns=slice_columns, slices=protected, clusters=clusters, weights=weights
    )
    ascending = judged.rows.scores
    grid = {share: float(ascending[int((1 - share) * len(ascending))]) for share in SHARES_SELECTED}
    return tuple(
        FairnessReport(
            slice=member.slice,
            rows=dict(zip(member.segments, family.counts.tolist(), strict=True)),
            decided=_at(family, member.segments, threshold=threshold, rates=RATES),
            over_thresholds=tuple(
                _at(family, member.segments, threshold=each, rates=RATES[:3]) for each in dict.fromkeys(grid.values())
            ),
        )
        for member in judged.members[1:]
        for family in (judged.family(member),)
    )


def _at(family: Grouped, groups: Sequence[str], *, threshold: float, rates: Sequence[str]) -> AtThreshold:
    scores = family.scores
    decided = (scores >= threshold).astype(np.float64)
    of_rates = {rate: _RateOfGroups(family, groups, rate=rate, decided=decided, scores=scores) for rate in rates}
    return AtThreshold(
        threshold=threshold,
        selected=float(np.average(decided, weights=family.weights)),
        groups={group: {rate: each.estimate(group) for rate, each in of_rates.items()} for group in groups},
        disparities={rate: each.disparity() for rate, each in of_rates.items()},
    )


class _RateOfGroups:
    """One rate of every group, at the confidence of one figure and at that of all pairs together."""

    def __init__(self, family: Grouped, groups: Sequence[str], *, rate: str, decided: Floats, scores: Floats) -> None:
        self.rate, self.groups = rate, list(groups)
        among, called = {
            "true_positive_rate": (family.labels, "positives"),
            "false_positive_rate": (1 - family.labels, "negatives"),
        }.get(rate, (np.ones(len(decided)), "rows"))
        self.lacking = too_few_among(family, among=among, called=called)
        judged = self.lacking.count(None)
        self.pairs = max(judged * (judged - 1) // 2, 1)

        def bounds(confidence: float) -> tuple[Floats, Bounds]:
            if rate == "score_bias":
                return mean_bounds(family, of=scores - family.labels, confidence=confidence)
            return share_bounds(family, among=among, hit=decided, confidence=confidence)

        self.value, self.alone = bounds(CONFIDENCE)
        _, self.together = bounds(1 - (1 - CONFIDENCE) / self.pairs)

    def estimate(self, group: str) -> Estimate:
        """The rate of one group."""
        i = self.groups.index(group)
        lacking = self.lacking[i]
        if lacking is not None:
            return missing(lacking)
        low, high = float(self.alone.lower[i]), float(self.alone.upper[i])
        return Estimate(value=float(self.value[i]), lower=low, upper=high, method=self.alone.method)

    def disparity(self) -> Disparity:
        """The largest gap and the smallest ratio of all pairs of groups with enough rows."""
        judged = [i for i, lacking in enumerate(self.lacking) if lacking is None]
        if len(judged) < 2:
            lacking = missing(f"{len(judged)} groups with enough rows, needs 2")
            return Disparity(gap=lacking, ratio=lacking)
        lowest, highest = min(judged, key=lambda i: self.value[i]), max(judged, key=lambda i: self.value[i])
        gaps = np.array([self._difference(high, low) for high, low in permutations(judged, 2)])
        gap = gaps.max(axis=0)
        method = "pairs of groups, Bonferroni"
        ratio = missing("a bias of 0 or below has no ratio")
        if self.rate != "score_bias":
            ratios = np.array([self._ratio(low, high) for low, high in permutations(judged, 2)])
            least = ratios.min(axis=0)
            ratio = Estimate(
                value=float(least[0]), lower=float(least[1]), upper=min(float(least[2]), 1.0), method=method
            )
        return Disparity(
            gap=Estimate(value=float(gap[0]), lower=max(float(gap[1]), 0.0), upper=float(gap[2]), method=method),
            ratio=ratio,
            lowest=self.groups[lowest],
            highest=self.groups[highest],
        )

    def _difference(self, one: int, other: int) -> tuple[float, float, float]:
        return difference_bounds(self._of(one), self._of(other))

    def _ratio(self, one: int, other: int) -> tuple[float, float, float]:
        return ratio_bounds(self._of(one), self._of(other))

    def _of(self, i: int) -> tuple[float, float, float]:
        return float(self.value[i]), float(self.together.lower[i]), float(self.together.upper[i])


def difference_bounds(one: Sequence[float], other: Sequence[float]) -> tuple[float, float, float]:
    """``one`` minus ``other``, each (value, lower, upper) on rows of its own, with its interval (Zou & Donner 2008)."""
    (v, low, high), (w, w_low, w_high) = one, other
    return v - w, v - w - float(np.hypot(v - low, w_high - w)), v - w + float(np.hypot(high - v, w - w_low))


def ratio_bounds(one: Sequence[float], other: Sequence[float]) -> tuple[float, float, float]:
    """``one`` divided by ``other``, both 0 or above, by the difference of their logarithms; 1 where both are 0."""
    value = np.inf if other[0] == 0 else one[0] / other[0]
    value = 1.0 if one[0] == other[0] else value
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log(np.maximum(np.array(each), 0.0)) for each in (one, other)]
        _, low, high = difference_bounds(logs[0].tolist(), logs[1].tolist())
    lower = 0.0 if np.isnan(low) else float(np.exp(low))
    upper = np.inf if np.isnan(high) else float(np.exp(high))
    return value, lower, upper
