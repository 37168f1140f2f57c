"""One figure with its interval, and when there are rows enough for one.

How values and intervals are found is in ``figures.py`` and ``intervals.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.tasks import Multiclass, Regression
from mlops_assets.judge.families import Grouped, Rows
from mlops_assets.judge.intervals import Bounds

# What an interval needs to hold what it promises: found by simulation (test_coverage.py).
ENOUGH_OF_NUMBERS = {"rows": 30, "units": 10}
ENOUGH_OF_CLASSES = {"rows": 50, "units": 10}
ENOUGH_TO_COMPARE_CLASSES = {"rows": 30, "units": 10}
"""Of a difference of two models in a loss. Of models that are in truth no better than the constant prior, and far too
sure of themselves, up to 7 in 100 are taken for better from 30 rows, 6 from 50 and 5 from 100; the nominal rate is 2.5.
"""
ENOUGH_OF_SHARES = {"rows": 50, "units": 10}
AREA = {"rows": 80, "positives": 15, "negatives": 15, "units": 10}
"""Of the area under the ROC curve, which does not move with the share of positives: a segment's own decide."""
OUTCOMES = {"rows": 50, "positives": 2, "negatives": 2, "units": 10}
CALIBRATION = {"rows": 200, "positives": 2, "negatives": 2, "units": 25}
RARER, RARER_OF_CALIBRATION, RARER_HARDLY_ORDERED = 15, 30, 200
"""Of figures that move with the share of positives: as many rows as would hold so many of the rarer outcome at the
overall rate. Segments to which chance gave as many are not like the rest, and intervals would be too sure of them; and
what scores foretell does not decide, or a challenger could keep a segment from being judged (docs/adr/0006).
"""
RARE, HARDLY_ORDERED = 1 / 20, 3
"""Where positives are that rare and all rows' average precision is less than so many times their share, a lucky few at
the top make up both the figure and its error, and of fewer rows up to 99 of 100 intervals would hold the truth.
"""
TOO_FEW, NOTHING, POINT = "not enough rows", "no row to compute it from", "point"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One figure with its 95 % interval and the method that gave it; a point figure has no interval.

    Where rows do not suffice, ``value``, ``lower`` and ``upper`` are ``None`` and ``shortfall`` says what was
    found and needed.
    """

    value: float | None
    lower: float | None
    upper: float | None
    method: str
    shortfall: str | None = None


def estimates(value: Floats, bounds: Bounds | None, *, lacking: Sequence[str | None]) -> list[Estimate]:
    """The figures of all segments as they are told; a value or bound that is not finite is a shortfall too."""
    ends = [] if bounds is None else [bounds.lower, bounds.upper]
    known = np.logical_and.reduce([np.isfinite(each) for each in (value, *ends)]).tolist()
    method = POINT if bounds is None else bounds.method
    lower, upper = (each.tolist() for each in ends) if ends else ([None] * len(value), [None] * len(value))
    return [
        Estimate(value=figure, lower=low, upper=high, method=method)
        if short is None and finite
        else missing(short or NOTHING)
        for figure, low, high, short, finite in zip(value.tolist(), lower, upper, lacking, known, strict=True)
    ]


def missing(shortfall: str) -> Estimate:
    """The figure that cannot be told, and why."""
    return Estimate(value=None, lower=None, upper=None, method=TOO_FEW, shortfall=shortfall)


def too_few(family: Grouped, *, need: Mapping[str, int] | None = None) -> list[str | None]:
    """What each segment lacks for an interval that can be trusted, or ``None``: rows by the task, or what ``need``
    asks of rows, positives, negatives and units.
    """
    if isinstance(family.rows.task, Multiclass | Regression):
        enough = ENOUGH_OF_CLASSES if isinstance(family.rows.task, Multiclass) else ENOUGH_OF_NUMBERS
        return _lacking(family, have={"rows": family.effective(np.ones(len(family.labels)))}, need=need or enough)
    return too_few_outcomes(family) if need is None else _lacking(family, have=family.effective_counts, need=need)


def too_few_outcomes(family: Grouped, *, rarer: int = RARER, need: Mapping[str, int] = OUTCOMES) -> list[str | None]:
    """The same of a figure that moves with the share of positives: rows that would hold so many of the ``rarer``
    outcome at the rate of all rows.
    """
    rate = min(family.rows.positive_rate, 1 - family.rows.positive_rate)
    rows = math.ceil(rarer / rate - 1e-9) if rate > 0 else 0  # no rows would do, and what is lacking is an outcome
    return _lacking(family, have=family.effective_counts, need={**need, "rows": max(need["rows"], rows)})


def too_few_in_order(family: Grouped) -> list[str | None]:
    """The same of average precision by itself, where positives are rare and hardly ordered."""
    return too_few_outcomes(family, rarer=RARER_HARDLY_ORDERED if _hardly_ordered(family.rows) else RARER)


def _hardly_ordered(rows: Rows) -> bool:
    return 0 < rows.positive_rate < RARE and rows.average_precision < HARDLY_ORDERED * rows.positive_rate


def too_few_among(family: Grouped, *, among: Floats, called: str) -> list[str | None]:
    """The same for a share of the rows ``among`` (0 or 1, in the order of the segments), which are ``called`` that."""
    need = {called if what == "rows" else what: least for what, least in ENOUGH_OF_SHARES.items()}
    return _lacking(family, have={called: family.effective(among)}, need=need)


def _lacking(family: Grouped, *, have: Mapping[str, Ints], need: Mapping[str, int]) -> list[str | None]:
    """What each segment has too little of, first in the order of ``need``, and how much it needs.

    Rows of unequal weight count for as many equal ones as tell as much.
    """
    counted, told = {**have, "units": family.unit_counts}, _nothing(family.segments)
    for what, least in reversed([*need.items()]):
        effective = "effective " if family.weighted and what != "units" else ""
        for i in np.flatnonzero(counted[what] < least).tolist():
            told[i] = f"{counted[what][i]} {effective}{what}, needs {least}"
    return told


def _nothing(segments: int) -> list[str | None]:
    return [None] * segments
