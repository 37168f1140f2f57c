"""Counts of positives that vary more than counting explains: the beta-binomial, estimated by moments.

Belongs here: the distribution and its estimate, on plain arrays. What is compared with what stands in
``monitoring.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
LEAST_CORRELATION = 1e-6
MOST_CORRELATION = 0.99


def estimate_correlation(rows: Floats, *, positives: Floats, bucket: NDArray[np.int64]) -> tuple[float, int]:
    """Intraclass correlation of counts that share a mean within a bucket, and the degrees of freedom behind
    it.

    All arrays have one entry per cell (one bucket of one day); every cell has at least one row. Moment
    estimate of J. C. Kleinman, "Proportions with extraneous variance", JASA 68 (1973), pooled over buckets:
    the weighted squares of shares about their bucket's mean are set equal to their expectation. Shares
    estimated from few days understate ``p (1 - p)`` by the variance of the mean; a few fixed-point steps
    take that back. Negative estimates become 0.
    """
    _, member = np.unique(bucket, return_inverse=True)
    total = _summed(member, of=rows)
    share = _summed(member, of=positives) / total
    squares = _summed(member, of=rows * (positives / rows - share[member]) ** 2)
    slack = 1.0 - rows / total[member]
    counting = _summed(member, of=slack)
    clustering = _summed(member, of=slack * (rows - 1.0))
    rows_squared = _summed(member, of=rows**2)
    freedom = int(len(rows) - len(total))
    correlation = 0.0
    for _ in range(20):
        of_mean = mean_variance(total, rows_squared=rows_squared, correlation=correlation)
        spread = share * (1.0 - share) / np.maximum(1.0 - of_mean, 1e-3)
        reach = float(spread @ clustering)
        if freedom < 1 or reach <= 0.0:
            return 0.0, freedom
        correlation = float(np.clip((squares.sum() - spread @ counting) / reach, 0.0, MOST_CORRELATION))
    return correlation, freedom


def mean_variance(total: Floats, *, rows_squared: Floats, correlation: float) -> Floats:
    """Variance of a bucket's pooled share in units of ``p (1 - p)``; ``total`` rows, ``rows_squared`` summed
    by day.
    """
    variance: Floats = (total + (rows_squared - total) * correlation) / total**2
    return variance


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How one count lies within a beta-binomial: two-sided mid-p value, and the central range of shares."""

    p_value: float
    low: float
    high: float


def judge_count(positives: int, *, rows: int, share: float, correlation: float, coverage: float = 0.95) -> Judgement:
    """Where ``positives`` of ``rows`` lie if the normal share is ``share`` (within 0 and 1, both
    excluded).
    """
    precision = 1.0 / float(np.clip(correlation, LEAST_CORRELATION, MOST_CORRELATION)) - 1.0
    alpha, beta = share * precision, (1.0 - share) * precision
    count = np.arange(rows + 1, dtype=np.float64)
    ways = special.gammaln(rows + 1.0) - special.gammaln(count + 1.0) - special.gammaln(rows - count + 1.0)
    mass = np.exp(ways + special.betaln(count + alpha, rows - count + beta) - special.betaln(alpha, beta))
    mass /= mass.sum()
    below = np.cumsum(mass)
    lower = float(below[positives] - mass[positives] / 2.0)
    upper = float(mass[positives + 1 :].sum() + mass[positives] / 2.0)
    edges = np.searchsorted(below, [(1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0])
    low, high = np.minimum(edges, rows) / rows
    return Judgement(p_value=min(1.0, 2.0 * min(lower, upper)), low=float(low), high=float(high))


def _summed(member: NDArray[np.intp], *, of: Floats) -> Floats:
    return np.bincount(member, weights=of).astype(np.float64)
