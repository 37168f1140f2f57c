"""How far each independent unit moves a figure: what standard errors and paired tests are made of.

A figure that is a smooth function of weighted means is linear near what was found (Hampel 1974; Deville 1999 for
weights), so its variance is a sum of squares over units: rows, or clusters of rows that depend on each other. A unit
that carries much of the weight draws the figure to itself and seems to move it less than it does: each is divided by
the square root of one minus its share (Horn, Horn & Duncan 1975; Bell & McCaffrey 2002 for clusters), which for equal
rows is the usual n - 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.judge.families import Grouped, average_precision
from mlops_assets.judge.recalibration import recalibrated


@dataclass(frozen=True, kw_only=True)
class Influences:
    """How far each unit ``moved`` the figure of its ``segment``, both of shape (units,); ``units`` counts them.

    ``unit`` numbers the units alike for all models on the same rows; those that a figure ``rests`` on are counted even
    where they do not move it.
    """

    moved: Floats
    segment: NDArray[np.signedinteger]
    units: Ints
    unit: Ints
    rests: NDArray[np.bool_]

    @cached_property
    def squares(self) -> Floats:
        """Sum of squares per segment."""
        return np.bincount(self.segment, weights=np.square(self.moved), minlength=len(self.units)).astype(np.float64)

    @property
    def error(self) -> Floats:
        """Standard error per segment."""
        return np.sqrt(self.squares)

    @property
    def freedom(self) -> Floats:
        """Degrees of freedom per segment of the standard error (Satterthwaite 1946).

        Squares that differ much, of heavy tails or of weights, tell less of the variance than units - 1, which is the
        most there can be.
        """
        squares, quartic = self.squares, np.square(np.square(self.moved))
        fourth = np.bincount(self.segment, weights=quartic, minlength=len(self.units))
        with np.errstate(invalid="ignore", divide="ignore"):
            found = 2 * squares**2 / (fourth - squares**2 / self.units)
        most = np.maximum(self.units - 1.0, 1.0)
        return np.where(found >= 1, np.minimum(found, most), np.where(found > 0, 1.0, most))


def influences(grouped: Grouped, *parts: tuple[Floats, Floats]) -> Influences:
    """Of a figure that rests on as many totals as there are ``parts``: how far each row moves it through a total, and
    the share of that total that the row is. All are of shape (rows,), in the order of the segments.
    """
    moved, rests = np.zeros(1), np.zeros(1, dtype=bool)
    segment = grouped.segment
    for influence, share in parts:
        (through, segment), (part, _) = grouped.per_unit(influence), grouped.per_unit(share)
        with np.errstate(invalid="ignore", divide="ignore"):
            moved = moved + through / np.sqrt(1 - part)
        rests = rests | (part > 0)
    unit = np.arange(len(segment)) if grouped.rows.clustered else grouped.rows.units[grouped.order]
    return _counted(moved, segment=segment, segments=grouped.segments, unit=unit, rests=rests)


def together(*weighed: tuple[float | Floats, Influences]) -> Influences:
    """Of a sum of figures of the same rows, each times a factor (or one per segment): the difference of two models, or
    a mean over classes.
    """
    first = weighed[0][1]
    moved, rests = np.zeros(len(first.moved)), np.zeros(len(first.moved), dtype=bool)
    for factor, each in weighed:
        aligned, resting = np.empty_like(moved), np.empty_like(rests)
        aligned[each.unit] = each.moved * (factor if isinstance(factor, float) else factor[each.segment])
        resting[each.unit] = each.rests
        with np.errstate(invalid="ignore"):  # a row that is a whole total moves its figure without end
            moved = moved + aligned[first.unit]
        rests = rests | resting[first.unit]
    return _counted(moved, segment=first.segment, segments=len(first.units), unit=first.unit, rests=rests)


def _counted(
    moved: Floats, *, segment: NDArray[np.signedinteger], segments: int, unit: Ints, rests: NDArray[np.bool_]
) -> Influences:
    counted = rests | (moved != 0)
    units = np.bincount(segment if counted.all() else segment[counted], minlength=segments)
    return Influences(moved=moved, segment=segment, units=units, unit=unit, rests=rests)


def mean_influences(grouped: Grouped, *, of: Floats, among: Floats | None = None) -> tuple[Floats, Influences]:
    """The weighted mean per segment of ``of`` (over the rows ``among`` them, 0 or 1), and what moves it."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if among is None:
            base, total, share = grouped.weights, grouped.weight, grouped.shares
        else:
            base, total = grouped.weights * among, grouped.weight_of(among)
            share = base / grouped.per_row(total)
        mean = grouped.sums(base * of) / total
        return mean, influences(grouped, (share * (of - grouped.per_row(mean)), share))


def delong_influences(grouped: Grouped, *, components: Floats, area: Floats) -> Influences:
    """Of the area under the ROC curve, or of a difference of two.

    ``components`` are the structural components (or their differences), ``area`` their mean: DeLong, DeLong &
    Clarke-Pearson 1988; Obuchowski 1997 for clusters.
    """
    deviation = components - grouped.per_row(area)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [
            grouped.weights * chosen / grouped.per_row(mass)
            for chosen, mass in ((grouped.labels, grouped.mass[1]), (1 - grouped.labels, grouped.mass[0]))
        ]
        return influences(grouped, *((share * deviation, share) for share in shares))


def average_precision_influence(grouped: Grouped) -> tuple[Floats, Floats]:
    """How far each row moves average precision, and its share of the positives, for ``influences``.

    A positive moves it by the precision at its own score; every row moves the precision at all positives that do not
    score higher. Units of clusters are summed later, so that two models on the same rows can be subtracted.
    """
    area = grouped.per_row(average_precision(grouped))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = grouped.weights * grouped.labels / grouped.per_row(grouped.mass[1])
        per_mass = np.nan_to_num(share / grouped.weight_from)  # a segment may have no positive
        at_most, hit_at_most = (_up_to(grouped, each) for each in (per_mass, per_mass * grouped.precision_from))
        own = share * (grouped.precision_from - area)
        return own + grouped.weights * (grouped.labels * at_most - hit_at_most), share


def _up_to(grouped: Grouped, values: Floats) -> Floats:
    """Per row: the sum of ``values`` over the rows of its segment that score at most as high."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(total[grouped.run[1]] - grouped.per_row(total[grouped.starts[:-1]]))


def slope_influence(grouped: Grouped) -> tuple[Floats, tuple[Floats, Floats]]:
    """The calibration slope per segment, how far each row moves it, and its share of what it rests on.

    By its estimating equations (Huber 1967; Stefanski & Boos 2002): a row moves it as far as its outcome is off what
    recalibrated odds say, and as it lies to the side of the segment's other log odds.
    """
    odds = grouped.rows.log_odds[grouped.order]
    fit = recalibrated(odds, grouped.labels, grouped.weights, counts=grouped.counts, start=grouped.rows.recalibrated)
    with np.errstate(invalid="ignore", divide="ignore"):
        intercept, slope = (grouped.per_row(each) for each in fit)
        chance = expit(intercept + slope * odds)
        spread = grouped.weights * chance * (1 - chance)
        beside = odds - grouped.per_row(grouped.tally(spread * odds) / grouped.tally(spread))
        shares = spread * np.square(beside)
        total = grouped.per_row(grouped.tally(shares))
        return fit[1], (grouped.weights * (grouped.labels - chance) * beside / total, shares / total)
