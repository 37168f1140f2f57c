"""What is usual of figures that move from day to day by more than counting explains, and where an alarm begins.

A figure of n rows varies by ``sampling / n`` and, beside that, from day to day by a variance of its own, which is
pooled over all buckets of the week (a spread for each bucket, of ten weeks, would cost a third of the power). Both the
level of a bucket and that spread are robust: Huber's M-estimators (1964; 1.5 deviations: 96 % as efficient on normal
figures), so that an incident in the trailing weeks moves them little. What is judged is no part of what it is judged
by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit
from scipy.stats import chi2, nbinom

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.watch.profiles.cells import Flags

CLIP = 1.5
HEAVY = 24.0
"""Degrees of freedom at most: normal bounds of one in a thousand were passed 4 to 12 times as often in half a year of
flights, because days of bad weather come in all sizes.
"""
_EXPECTED = float(chi2.cdf(CLIP**2, 3) + CLIP**2 * chi2.sf(CLIP**2, 1))
_SHARED = 10
"""Days that the spread of all scopes counts for beside a scope's own."""
_PASSES, _HALVINGS = 4, 30


@dataclass(frozen=True, kw_only=True)
class Usual:
    """Levels of shape (scopes, buckets), their own variance, and for each scope the variance between days and the
    degrees of freedom that it is known with.
    """

    level: Floats
    error: Floats
    between: Floats
    freedom: Floats

    def without_own(self, y: Floats, *, noise: Floats, bucket: Ints, past: Flags) -> Floats:
        """The level of each figure, of shape (scopes, times), as the others alone would have it: one that may be learnt
        from is part of its level, which makes the past look more like the usual than any new day can. NaN where there
        are no others.
        """
        variance, level = noise + self.between[:, None] + 1e-12, self.level[:, bucket]
        share = np.where(past & np.isfinite(y), np.minimum(self.error[:, bucket] / variance, 1.0), 0.0)
        pull = np.clip(y - level, -CLIP * np.sqrt(variance), CLIP * np.sqrt(variance))
        others = np.where(share > 1 - 1e-9, np.nan, level - share / np.maximum(1 - share, 1e-9) * pull)
        return np.where(share > 0, others, level)


def learn(y: Floats, *, noise: Floats, bucket: Ints, past: Flags) -> Usual:
    """From figures ``y`` of shape (scopes, times) with their sampling variance, NaN where there are none; ``bucket``
    is that of each time, ``past`` says which may be learnt from.
    """
    places = _by_bucket(bucket, past)
    inside = places >= 0
    at = np.where(inside, places, 0)
    figures = np.where(inside, y[:, at], np.nan)
    noises = noise[:, at]
    known = np.isfinite(figures) & np.isfinite(noises)
    figures, noises = np.where(known, figures, 0.0), np.where(known, noises, 1.0)
    between = np.zeros(len(y))
    level = _medians(figures, known)
    freedom = np.maximum(known.sum((1, 2)) - known.any(2).sum(1), 0).astype(np.float64)
    for _ in range(_PASSES):
        between = _between(figures - level[..., None], noises, known=known, freedom=freedom)
        deviation = np.sqrt(noises + between[:, None, None]) + 1e-12
        away = np.abs(figures - level[..., None]) / deviation
        weight = known * np.minimum(1.0, CLIP / np.maximum(away, 1e-9)) / np.square(deviation)
        level = (weight * figures).sum(2) / np.maximum(weight.sum(2), 1e-12)
    exact = (known / np.square(deviation)).sum(2)
    level = np.where(known.any(2), level, np.nan)
    return Usual(
        level=level, error=1 / np.maximum(exact, 1e-12), between=between, freedom=freedom + _SHARED * (len(y) > 1)
    )


def _by_bucket(bucket: Ints, past: Flags) -> Ints:
    """The places of each bucket's past times, of shape (buckets, most times), -1 beyond them."""
    times = np.flatnonzero(past)
    order = times[np.argsort(bucket[times], kind="stable")]
    counts = np.bincount(bucket[order], minlength=int(bucket.max()) + 1)
    places = np.full((len(counts), max(int(counts.max(initial=0)), 1)), -1, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    places[bucket[order], np.arange(len(order)) - starts[bucket[order]]] = order
    return places


def _medians(figures: Floats, known: Flags) -> Floats:
    """Of the known figures of each bucket; 0 where there are none."""
    ordered = np.sort(np.where(known, figures, np.inf), axis=2)
    count = np.maximum(known.sum(2), 1)
    low, high = (np.take_along_axis(ordered, each[..., None], 2)[..., 0] for each in ((count - 1) // 2, count // 2))
    return np.where(known.any(2), (low + high) / 2, 0.0)


def _between(residual: Floats, noise: Floats, *, known: Flags, freedom: Floats) -> Floats:
    """The variance between days of each scope beside ``noise``: the one that clipped squares come out right with.

    A scope's own is drawn to that of all scopes together, by as many days as ``_SHARED``.
    """
    squares = np.square(residual) * known
    count = np.maximum(known.sum((1, 2)), 1)
    low, high = np.zeros(len(squares)), np.full(len(squares), 4 * float(squares.max(initial=0)) + 1e-12)
    for _ in range(_HALVINGS):
        own = (low + high) / 2
        clipped = np.minimum(squares / (noise + own[:, None, None]), CLIP**2).sum((1, 2)) / count
        over = clipped > _EXPECTED * freedom / count
        low, high = np.where(over, own, low), np.where(over, high, own)
    if len(own) == 1 or not freedom.any():
        return np.asarray(own)
    shared = np.average(own, weights=freedom)
    return np.asarray((freedom * own + _SHARED * shared) / (freedom + _SHARED))


def reach(freedom: Floats | float, *, chance: float) -> Floats:
    """How many deviations an alarm is away that comes by chance so often, at either side together."""
    return np.asarray(stdtrit(np.maximum(freedom, 1.0), 1 - chance / 2))


def chance_of(deviations: Floats | float, *, freedom: Floats | float) -> Floats:
    """The p-value, two-sided."""
    return np.asarray(2 * stdtr(np.maximum(freedom, 1.0), -np.abs(deviations)))


@dataclass(frozen=True, kw_only=True)
class CountBounds:
    """The counts that are still usual, and the p-value of what was counted. ``low`` of 0: a drop cannot be seen."""

    low: float
    high: float
    p_value: float


def count_bounds(count: float, *, mean: float, between: float, error: float, chance: float) -> CountBounds:
    """Where a count lies in the negative binomial of that mean whose variance is ``mean + between * mean**2 + error``.

    ``between`` is the relative variance from week to week, ``error`` the variance of the mean itself.
    """
    extra = max(between * mean**2 + error, 1e-9 * mean, 1e-12)
    size = mean**2 / extra
    made = nbinom(size, size / (size + mean))
    p_value = min(1.0, 2 * min(float(made.cdf(count)), float(made.sf(count - 1))))
    return CountBounds(low=float(made.ppf(chance / 2)), high=float(made.isf(chance / 2)), p_value=p_value)
