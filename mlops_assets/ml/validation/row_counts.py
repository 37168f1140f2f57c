"""Is a batch as long as usual? Judged by the same weekday's past, from profiles alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
from scipy.special import stdtrit

from mlops_assets.ml.anomalies import Anomaly, Cause, Code, anomaly, messages
from mlops_assets.ml.checks import CheckResult, Severity

ROW_COUNT_IS_USUAL = "row_count_is_usual"
WEEKS = 12
"""How many weeks of the same weekday say what is usual."""
LEAST_WEEKS = 6
LEAST_CHANGE = 0.15
"""A batch that is shorter or longer by less is never an anomaly, however regular the past."""
FALSE_ALARM_RATE = 0.002


def judge_row_count(rows: int, *, batch: str, past: Mapping[str, int]) -> CheckResult:
    """``past`` has rows by batch. The bounds are the prediction interval of one more logarithm of a normal past (G. J.
    Hahn, W. Q. Meeker, "Statistical Intervals", 1991, ch. 4), and at least ``LEAST_CHANGE`` away from its centre.
    """
    counts = [past[day] for day in _same_weekday(batch) if past.get(day)]
    if not rows or len(counts) < LEAST_WEEKS:
        lacking = f"insufficient data: {len(counts)} weeks, needs {LEAST_WEEKS}"
        return CheckResult(
            name=ROW_COUNT_IS_USUAL,
            passed=True,
            severity=Severity.WARN,
            batch=batch,
            figures={"rows": rows, "verdict": lacking if rows else "not judged: other checks say why there is no row"},
        )
    low, high = _bounds(counts)
    found = () if low <= rows <= high else (_finding(rows, low=low, high=high, usual=float(np.median(counts))),)
    return CheckResult(
        name=ROW_COUNT_IS_USUAL,
        passed=not found,
        severity=Severity.WARN,
        batch=batch,
        figures={"rows": rows, "low": low, "high": high},
        reasons=messages(found),
        anomalies=found,
    )


def _same_weekday(batch: str) -> list[str]:
    """The days of the same weekday before, nearest first; none if batches are not days."""
    try:
        day = date.fromisoformat(batch)
    except ValueError:
        return []
    return [(day - timedelta(weeks=back)).isoformat() for back in range(1, WEEKS + 1)]


def _bounds(counts: list[int]) -> tuple[float, float]:
    """Of the logarithms the median and the median absolute deviation count, so that one odd week moves no bound."""
    logs = np.log(counts)
    centre = float(np.median(logs))
    deviation = 1.4826 * float(np.median(np.abs(logs - centre)))
    t = -float(stdtrit(len(counts) - 1, FALSE_ALARM_RATE / 2))
    reach = max(t * deviation * math.sqrt(1 + 1 / len(counts)), -math.log1p(-LEAST_CHANGE))
    return math.exp(centre - reach), math.exp(centre + reach)


def _finding(rows: int, *, low: float, high: float, usual: float) -> Anomaly:
    ratio = rows / usual
    doubled = abs(ratio - round(ratio)) < 0.02 and ratio > 1.5
    return anomaly(
        Code.ROW_COUNT,
        f"{rows} rows; the same weekday of the last weeks leads to expect {low:.0f} to {high:.0f}.",
        expected=f"{low:.0f} to {high:.0f} rows",
        found=f"{rows} rows",
        rows=rows,
        cause=Cause.DUPLICATED_ROWS if doubled else Cause.ROWS_MISSING if rows < low else None,
        explanation=f"That is {ratio:.2f} times the usual {usual:.0f}.",
    )
