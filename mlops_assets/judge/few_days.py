"""What a few days can tell of which model is better, where the rows of a day are right or wrong together.

The engine of ``significance.py`` asks for ten independent units before it tells an interval. After a promotion, or in a
trial, there are three or seven days: each day is one paired observation here, and Student's t says how little they
tell. That is enough to see that something is broken, and the interval says what could not have been seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.slices import OVERALL, Slice
from mlops_assets.contract.tasks import Task
from mlops_assets.judge.estimate import TOO_FEW
from mlops_assets.judge.significance import Comparison, Difference, compare

FEWEST = 3
"""Days below which nothing is said."""
DAY = "day"


def p_above(days: Floats, *, bound: float = 0.0) -> float:
    """One-sided p-value of the claim that the mean behind ``days``, one figure a day, is above ``bound``; 1 for fewer
    than ``FEWEST`` days.
    """
    if len(days) < FEWEST:
        return 1.0
    mean, error = float(days.mean()) - bound, float(days.std(ddof=1) / np.sqrt(len(days)))
    if error == 0:
        return 0.0 if mean > 0 else 1.0
    return float(stdtr(len(days) - 1, -mean / error))


def compare_few_days(
    labels: NDArray[np.generic],
    challenger: NDArray[np.generic],
    *,
    champion: NDArray[np.generic],
    days: NDArray[np.generic],
    by_day: bool,
    clusters: NDArray[np.generic] | None,
    **told: Any,
) -> Comparison:
    """Overall only: ``by_day`` where the rows of a day depend on each other, else as ``compare`` does it."""
    if by_day:
        return compare_by_day(labels, challenger, champion=champion, days=days, **told)
    nothing = pa.table({DAY: pa.array(days).cast(pa.string())})
    return compare(labels, challenger, champion=champion, slice_columns=nothing, slices=(), clusters=clusters, **told)


def compare_by_day(
    labels: NDArray[np.generic],
    challenger: NDArray[np.generic],
    *,
    champion: NDArray[np.generic],
    days: NDArray[np.generic],
    opponent: str,
    task: Task,
    thresholds: tuple[float, float],
    weights: NDArray[np.generic] | None = None,
) -> Comparison:
    """As ``compare``, overall only: the gain of every metric is the mean of its gains of the single days, and the
    interval is that of so few figures (t, one freedom fewer than days). Days that have too few rows for a metric are
    left out of it.
    """
    single = compare(
        labels,
        challenger,
        champion=champion,
        opponent=opponent,
        slice_columns=pa.table({DAY: pa.array(days).cast(pa.string())}),
        slices=(Slice(name=DAY, columns=(DAY,)),),
        task=task,
        thresholds=thresholds,
        weights=weights,
    )
    overall = [each for each in single.differences if each.segment == OVERALL]
    return replace(single, differences=tuple(_over_days(each, single) for each in overall))


def _over_days(overall: Difference, single: Comparison) -> Difference:
    of_days = [e for e in single.differences if e.metric == overall.metric and e.slice == DAY and e.gain is not None]
    gains = np.array([each.gain for each in of_days], dtype=np.float64)
    count = len(gains)
    if count < FEWEST:
        nothing: Any = dict.fromkeys(("champion", "challenger", "gain", "lower", "upper", "error", "freedom"))
        return replace(
            overall, units=count, method=TOO_FEW, shortfall=f"{count} days with enough rows, needs {FEWEST}", **nothing
        )
    gain, error = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(count))
    reach = float(stdtrit(count - 1, 0.975)) * error
    return replace(
        overall,
        units=count,
        champion=float(np.mean([each.champion for each in of_days])),
        challenger=float(np.mean([each.challenger for each in of_days])),
        gain=gain,
        lower=gain - reach,
        upper=gain + reach,
        error=error,
        method="paired t-test of days",
        shortfall=None,
        freedom=float(count - 1),
    )
