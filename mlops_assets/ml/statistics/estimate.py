"""One figure with its interval, and when there are rows enough for one.

How values and intervals are found is in ``metrics.py`` and ``intervals.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlops_assets.ml.statistics.intervals import Bounds
from mlops_assets.ml.statistics.metrics import Floats, Grouped

# What an interval needs to hold what it promises: found by simulation (test_coverage.py).
ENOUGH = {"rows": 30, "positives": 10, "negatives": 10, "units": 10}
SHARES = {  # what each is a share of
    "positive_rate": "rows",
    "predicted_positive_rate": "rows",
    "precision_score": "predicted positives",
    "recall_score": "positives",
    "f1_score": "positives, actual or predicted",
}
ENOUGH_OF = {  # what needs more
    "roc_auc_score": ENOUGH | {"rows": 50},
    "average_precision_score": ENOUGH | {"rows": 50},
    "expected_calibration_error": {"rows": 200, "positives": 30, "negatives": 30, "units": 25},
}
ENOUGH_OF_CLASSES = {"rows": 50, "rows of the class": 30, "units": 10}
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


def shortfalls(family: Grouped, *, metric: str, among: Floats | None = None) -> list[str | None]:
    """What each segment lacks for an interval that can be trusted, or ``None``. Unequal rows count for less.

    ``among`` are the rows (0 or 1, in the order of the segments) that a share is a share of.
    """
    if among is not None:
        have, need = (
            {SHARES[metric]: family.effective(among)},
            {SHARES[metric]: ENOUGH["rows"], "units": ENOUGH["units"]},
        )
    else:
        have = dict(family.effective_counts)
        need = ENOUGH_OF.get(metric, ENOUGH)
    if family.rows.clustered:
        have["units"] = family.unit_counts
    return [
        first_lacking({what: int(counts[i]) for what, counts in have.items()}, need=need, weighted=family.weighted)
        for i in range(family.segments)
    ]


def first_lacking(have: Mapping[str, int], *, need: Mapping[str, int], weighted: bool) -> str | None:
    """What there is too little of, and how much it needs; ``None`` if there is enough of all."""
    short = next((what for what, found in have.items() if found < need[what]), None)
    if short is None:
        return None
    effective = "effective " if weighted and short != "units" else ""
    return f"{have[short]} {effective}{short}, needs {need[short]}"
