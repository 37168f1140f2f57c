"""How far batches are from their references, measure by measure: one column in one scope, all batches at once.

The distances are in ``distances.py``; which are too far is decided in ``drift.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from scipy.sparse import csr_array
from scipy.special import ndtr

from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.profiles import distances
from mlops_assets.watch.profiles.cells import Flags, Floats, Ints
from mlops_assets.watch.profiles.profile import CATEGORY
from mlops_assets.watch.profiles.reaches import jensen_shannon_reach, rarest_share, wasserstein_reach
from mlops_assets.watch.profiles.series import ColumnSeries

Sums: TypeAlias = "csr_array[Any, Any]"
"""(batches, batches): 1 where the second is in the reference of the first. Sparse, as dense products start threads."""

_ROUNDING = 1e-6
"""Deviations below this part of the mean are those of a constant."""
_NEARLY_ALL, _MOSTLY = 0.9, 0.8
"""A steady column has one value in this part of the rows of every batch, and in all rows of this part of the batches.
"""


@dataclass(frozen=True, kw_only=True)
class Referred:
    """The batches looked at (``rows`` among all) with their references: ``weights`` sums over these, ``against`` says
    which they are, and ``enough`` which have enough of them."""

    rows: Ints
    weights: Sums
    against: Flags
    enough: Flags

    @classmethod
    def of(cls, against: Flags, *, rows: Ints, enough: Flags) -> Referred:
        return cls(rows=rows, weights=csr_array(against, dtype=np.float64), against=against, enough=enough)

    def sum(self, values: Floats) -> Floats:
        """``values`` by batch, added up over the reference of each batch."""
        total: Floats = np.asarray(self.weights @ values)
        return total


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One measure of one column in one scope for every batch looked at: distance, p-value, and how far it can be at
    all (``reach``); NaN where nothing can be compared. ``rarest`` is the share of the reference's rarest cell.
    """

    scope: str
    column: str
    measure: str
    found: Floats
    p_value: Floats
    reach: Floats
    rarest: Floats
    rows: Floats
    reference_rows: Floats
    against: Flags

    def or_nearer(self, other: Compared) -> Compared:
        """The same, but of the batches that are nearer to their references in ``other`` that."""
        nearer = other.found < self.found

        def picked(name: str) -> Floats:
            chosen: Floats = np.where(nearer, getattr(other, name), getattr(self, name))
            return chosen

        return replace(
            self,
            against=np.where(nearer[:, None], other.against, self.against),
            found=picked("found"),
            p_value=picked("p_value"),
            reach=picked("reach"),
            rarest=picked("rarest"),
            reference_rows=picked("reference_rows"),
        )


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of one series: the comparisons, and ``further`` distances by name that nothing judges."""

    compared: tuple[Compared, ...]
    further: dict[str, Floats]


def measure_series(series: ColumnSeries, *, referred: Referred) -> Measured:
    """Every measure of a series but the gaps between segments."""
    mine = series.only(referred.rows)
    before, missing = referred.sum(series.rows), referred.sum(series.missing)
    reference = referred.sum(series.counts)
    present = (mine.rows - mine.missing > 0) & (before - missing > 0) & referred.enough
    of_category = series.kind == CATEGORY
    binned = (distances.pool_rare if of_category else distances.bin_by_reference)(mine.counts, reference=reference)
    rarest = rarest_share(binned[1])
    whole = np.ones(len(rarest))
    judged = {
        "jensen_shannon": (distances.jensen_shannon(binned[0], reference=binned[1]), jensen_shannon_reach(rarest))
    }
    further = {"stability_index": distances.stability_index(binned[0], reference=binned[1])}
    if of_category:
        complete = referred.sum(series.overlooked) == 0
        unseen = distances.unseen_share(mine.counts, reference=reference)
        judged["unseen_share"] = np.where(complete, unseen, np.nan), whole
        further["largest_difference"] = distances.largest_difference(mine.counts, reference=reference)
    else:
        moments = _moments(series, referred=referred)
        deviation = moments["deviation"]
        moved = distances.wasserstein(mine.counts, reference=reference, values=series.values)
        if series.exact:
            judged["off_grid_share"] = distances.off_grid_share(mine.counts, reference=reference), whole
        judged["outside_share"] = distances.outside_share(mine.counts, reference=reference), whole
        judged["wasserstein"] = (
            np.where(deviation > 0, moved / np.maximum(deviation, 1e-300), moved),
            wasserstein_reach(reference, values=series.values, deviation=deviation),
        )
        further |= {"mean_shift": moments["mean_shift"], "deviation_ratio": moments["deviation_ratio"]}
    p_value = distances.homogeneity_p(binned[0], reference=binned[1])

    def compared(measure: str, found: Floats, reach: Floats, p: Floats, holds: Flags) -> Compared:
        return Compared(
            scope=series.scope,
            column=series.column,
            measure=measure,
            found=np.where(holds, found, np.nan),
            p_value=np.where(holds, p, np.nan),
            reach=reach,
            rarest=rarest,
            rows=mine.rows,
            reference_rows=before,
            against=referred.against,
        )

    told = [compared(measure, *figures, p_value, present) for measure, figures in judged.items()]
    share = missing / np.maximum(before, 1.0)
    counts = [np.stack([part, of - part], axis=1) for part, of in ((mine.missing, mine.rows), (missing, before))]
    told.append(
        compared(
            "missing_share",
            np.abs(mine.missing / np.maximum(mine.rows, 1.0) - share),
            np.maximum(share, 1 - share),
            distances.homogeneity_p(counts[0], reference=counts[1]),
            (mine.rows > 0) & (before > 0) & referred.enough,
        )
    )
    return Measured(
        compared=tuple(told), further={name: np.where(present, values, np.nan) for name, values in further.items()}
    )


def measure_scopes(scopes: Mapping[str, ColumnSeries], *, referred: Referred) -> dict[tuple[str, str], Compared]:
    """Every comparison of a column in all its ``scopes`` with the same references, by scope and measure."""
    compared: list[Compared] = []
    for scope, series in scopes.items():
        compared += measure_series(series, referred=referred).compared
        if scope != OVERALL and series.kind == "number" and OVERALL in scopes:
            gap = measure_gap(series, whole=scopes[OVERALL], referred=referred)
            compared += [gap] if gap else []
    return {(each.scope, each.measure): each for each in compared}


def measure_gap(segment: ColumnSeries, *, whole: ColumnSeries, referred: Referred) -> Compared | None:
    """How far the mean of a segment is from that of the other rows of its batch, beside how far it is in the reference.

    What moves all rows alike, such as a cold day, is not seen by it; one station in another unit is.
    """
    ours, all_rows = segment.rows - segment.missing, whole.rows - whole.missing
    others = all_rows - ours
    if not ((ours > 0) & (others > 0)).any():
        return None
    mean = (all_rows * whole.mean - ours * segment.mean) / np.maximum(others, 1)
    gap = np.where((ours > 0) & (others > 0), segment.mean - mean, 0.0)
    pairs = np.where((ours > 0) & (others > 0), ours, 0.0)
    before = referred.sum(pairs)
    usual = referred.sum(pairs * gap) / np.maximum(before, 1.0)
    deviation = _moments(whole, referred=referred)["deviation"]
    apart = np.abs(gap[referred.rows] - usual)
    own, rest = (each[referred.rows] for each in (ours, others))
    error = deviation * np.sqrt(1 / np.maximum(own, 1) + 1 / np.maximum(rest, 1))
    holds = (pairs[referred.rows] > 0) & (before > 0) & (deviation > 0) & referred.enough
    holds &= 2 * own <= own + rest  # of two segments that part a batch, one has the gap of both
    some = np.where(deviation > 0, deviation, 1.0)
    return Compared(
        scope=segment.scope,
        column=segment.column,
        measure="segment_gap",
        found=np.where(holds, apart / some, np.nan),
        p_value=np.where(holds, 2 * ndtr(-apart / np.maximum(error, 1e-300)), np.nan),
        reach=np.full(len(apart), np.inf),
        rarest=np.zeros(len(apart)),
        rows=segment.rows[referred.rows],
        reference_rows=before,
        against=referred.against,
    )


def _moments(series: ColumnSeries, *, referred: Referred) -> dict[str, Floats]:
    """Mean shift in deviations of the reference, ratio of the deviations, and the reference's deviation."""
    count = series.rows - series.missing
    centre = float(np.average(series.mean, weights=count)) if count.sum() else 0.0
    mean = series.mean - centre
    total = np.maximum(referred.sum(count), 1.0)
    of_reference = referred.sum(count * mean) / total
    squares = referred.sum(series.squares + count * mean**2) - total * of_reference**2
    deviation = np.sqrt(np.maximum(squares, 0.0) / np.maximum(total - 1.0, 1.0))
    deviation = np.where(deviation > _ROUNDING * np.abs(centre), deviation, 0.0)
    own = np.sqrt(series.squares / np.maximum(count - 1.0, 1.0))[referred.rows]
    some = np.where(deviation > 0, deviation, np.nan)
    return {
        "deviation": deviation,
        "mean_shift": (mean[referred.rows] - of_reference) / some,
        "deviation_ratio": own / some,
    }


def steady_batches(series: ColumnSeries, *, chosen: Flags, minimum: int) -> Flags:
    """For each row of ``chosen`` (the references of a batch): whether the column had one and the same value all through
    nearly every one of them, as a distance to UTC has. Such a column is compared with the batch before alone: of a
    level that stays until it steps, weeks of the old one say nothing.
    """
    present = series.counts.sum(axis=1)
    share = series.counts.max(axis=1, initial=0.0) / np.maximum(present, 1.0)
    there = present > 0
    weights = csr_array(chosen, dtype=np.float64)
    batches = np.asarray(weights @ there.astype(np.float64))
    nearly = np.asarray(weights @ (there & (share >= _NEARLY_ALL)).astype(np.float64))
    wholly = np.asarray(weights @ (there & (share == 1.0)).astype(np.float64))
    steady: Flags = (batches >= minimum) & (nearly == batches) & (wholly >= _MOSTLY * batches)
    return steady
