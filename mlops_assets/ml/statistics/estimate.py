"""One figure with its interval, and when there are rows enough for one.

How values and intervals are found is in ``metrics.py`` and ``intervals.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops_assets.ml.statistics.intervals import Bounds
from mlops_assets.ml.statistics.metrics import Floats, Grouped

# What an interval needs to hold what it promises: found by simulation (test_coverage.py).
ENOUGH = {"rows": 30, "positives": 10, "negatives": 10, "units": 10}
SHARES = ("positive_rate", "predicted_positive_rate", "precision_score", "recall_score", "f1_score")
ENOUGH_FOR_PRECISION = {**ENOUGH, "rows": 100}  # average precision
ENOUGH_FOR_CALIBRATION = {"rows": 200, "positives": 30, "negatives": 30, "units": 25}
ENOUGH_OF_CLASSES = {"rows": 50, "rows of the class": 20, "units": 10}
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


def shortfall(family: Grouped, *, segment: int, metric: str) -> str | None:
    """What the segment lacks for an interval that can be trusted, or ``None``."""
    rows, positives = int(family.counts[segment]), int(family.positive_counts[segment])
    have = {"rows": rows}
    if metric not in SHARES:
        have |= {"positives": positives, "negatives": rows - positives}
    if family.rows.clustered:
        have["units"] = int(family.unit_counts[segment])
    need = {
        "expected_calibration_error": ENOUGH_FOR_CALIBRATION,
        "average_precision_score": ENOUGH_FOR_PRECISION,
    }.get(metric, ENOUGH)
    return next((f"{found} {what}, needs {need[what]}" for what, found in have.items() if found < need[what]), None)
