"""One figure with its interval, and when there are rows enough for one.

How values and intervals are found is in ``metrics.py`` and ``intervals.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.judge.intervals import Bounds
from mlops_assets.judge.metrics import Grouped, Rows

# What an interval needs to hold what it promises: found by simulation (test_coverage.py).
ENOUGH_OF_NUMBERS = {"rows": 30, "units": 10}
ENOUGH_OF_CLASSES = {"rows": 50, "rows of the class": 40, "units": 10}
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
TOO_FEW = "not enough rows"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One figure with its 95 % interval and the method that gave it.

    Where rows do not suffice, ``value``, ``lower`` and ``upper`` are ``None`` and ``shortfall`` says what was
    found and needed.
    """

    value: float | None
    lower: float | None
    upper: float | None
    method: str
    shortfall: str | None = None


def estimate_of(value: Floats, bounds: Bounds, *, segment: int, lacking: str | None) -> Estimate:
    """The figure of one segment as it is told; a value or bound that is not finite is a shortfall too."""
    found = (float(value[segment]), float(bounds.lower[segment]), float(bounds.upper[segment]))
    if lacking is None and not all(np.isfinite(found)):
        lacking = "no row to compute it from"
    if lacking is not None:
        return missing(lacking)
    return Estimate(value=found[0], lower=found[1], upper=found[2], method=bounds.method)


def missing(shortfall: str) -> Estimate:
    """The figure that cannot be told, and why."""
    return Estimate(value=None, lower=None, upper=None, method=TOO_FEW, shortfall=shortfall)


def shortfalls(family: Grouped, *, metric: str, paired: bool = False) -> list[str | None]:
    """What each segment lacks for an interval of a figure of scores that can be trusted, or ``None``; or of a
    ``paired`` difference, for which the order of one model's scores decides nothing.
    """
    if metric == "roc_auc_score":
        return _shortfalls(family, have=family.effective_counts, need=AREA)
    calibration = metric == "expected_calibration_error"
    need, rarer = (CALIBRATION, RARER_OF_CALIBRATION) if calibration else (OUTCOMES, RARER)
    if metric == "average_precision_score" and not paired and _hardly_ordered(family.rows):
        rarer = RARER_HARDLY_ORDERED
    rate = min(family.rows.positive_rate, 1 - family.rows.positive_rate)
    rows = math.ceil(rarer / rate - 1e-9) if rate > 0 else 0  # no rows would do, and what is lacking is an outcome
    return _shortfalls(family, have=family.effective_counts, need=need | {"rows": max(need["rows"], rows)})


def _hardly_ordered(rows: Rows) -> bool:
    return 0 < rows.positive_rate < RARE and rows.average_precision < HARDLY_ORDERED * rows.positive_rate


def share_shortfalls(family: Grouped, *, among: Floats, called: str) -> list[str | None]:
    """The same for a share of the rows ``among`` (0 or 1, in the order of the segments), which are ``called`` that."""
    need = {called if what == "rows" else what: least for what, least in ENOUGH_OF_SHARES.items()}
    return _shortfalls(family, have={called: family.effective(among)}, need=need)


def _shortfalls(family: Grouped, *, have: Mapping[str, Ints], need: Mapping[str, int]) -> list[str | None]:
    counted = {**have, "units": family.unit_counts}
    return [
        first_lacking({what: int(counts[i]) for what, counts in counted.items()}, need=need, weighted=family.weighted)
        for i in range(family.segments)
    ]


def first_lacking(have: Mapping[str, int], *, need: Mapping[str, int], weighted: bool) -> str | None:
    """What there is too little of, in the order of ``need``, and how much it needs; ``None`` if there is enough.

    Rows of unequal weight count for as many equal ones as tell as much.
    """
    short = next((what for what, least in need.items() if have[what] < least), None)
    if short is None:
        return None
    effective = "effective " if weighted and short != "units" else ""
    return f"{have[short]} {effective}{short}, needs {need[short]}"
