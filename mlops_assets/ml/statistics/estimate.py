"""One figure with its interval, and when there are rows enough for one.

How values and intervals are found is in ``metrics.py`` and ``intervals.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlops_assets.ml.statistics.intervals import Bounds
from mlops_assets.ml.statistics.metrics import AT_RATE, Floats, Grouped, Ints

# What an interval needs to hold what it promises: found by simulation (test_coverage.py).
ENOUGH_OF_NUMBERS = {"rows": 30, "units": 10}
ENOUGH_OF_CLASSES = {"rows": 50, "rows of the class": 40, "units": 10}
ENOUGH_OF_SHARES = {"rows": 50, "units": 10}
AREA = {"rows": 80, "positives": 15, "negatives": 15, "units": 10}
"""Of the area under the ROC curve, which does not move with the share of positives: a segment's own decide."""
OUTCOMES = {"rows": 50} | dict.fromkeys(AT_RATE, 15) | {"positives": 2, "negatives": 2, "units": 10}
"""Of figures that move with the share of positives. Segments to which chance gave many are not like the rest, and
intervals would be too sure of them: so it is rows that decide, by how many of each outcome as many would hold at the
overall rate. What the scores foretell does not decide, or a challenger could keep a segment from being judged.
"""
CALIBRATION = OUTCOMES | {"rows": 200, "units": 25} | dict.fromkeys(AT_RATE, 30)
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


def shortfalls(family: Grouped, *, metric: str) -> list[str | None]:
    """What each segment lacks for an interval of a figure of scores that can be trusted, or ``None``."""
    need = {"roc_auc_score": AREA, "expected_calibration_error": CALIBRATION}.get(metric, OUTCOMES)
    return _shortfalls(family, have=family.effective_counts | family.counts_at_rate, need=need)


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
