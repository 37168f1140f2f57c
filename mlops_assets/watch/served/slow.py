"""Slow change: small shifts of the same sign, added up (CUSUM; Page 1954) after what one day leaves to the next is out.

Correlated days ruin a CUSUM (at a correlation of .4 it alarms seven times as often), so residuals are whitened first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops_assets.contract.arrays import Floats

ALLOWANCE = 0.5
"""Deviations a day that are forgiven: a shift of twice as much is found fastest."""
ALLOWANCE_OF_SEGMENTS = 1.0
"""Segments drift against each other with the season: half a deviation would alarm fifteen times in half a year."""
LOOKED_BACK = 28
"""Days that a slow change is looked for in; what is usual is learnt from those before."""
_HIGHEST_CORRELATION = 0.8
_CLIP = 2.0
"""Deviations that one day counts for at most: a wild day is no slow change (a robust CUSUM, Lucas & Crosier 1982)."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The longer of the two sums of one series: ``side`` 1 (up) or -1, how ``high`` it is and of how many ``days``."""

    side: int
    high: float
    days: int


def correlation(residuals: Floats) -> float:
    """Of a day with the day before, of standardised residuals of shape (scopes, days), clipped against incidents and
    corrected for its bias on few days (Kendall 1954).
    """
    clipped = np.clip(residuals, -_CLIP, _CLIP)
    both = np.isfinite(clipped[:, 1:]) & np.isfinite(clipped[:, :-1])
    first, second = np.where(both, clipped[:, :-1], 0), np.where(both, clipped[:, 1:], 0)
    squares = float(np.sqrt(np.square(first).sum() * np.square(second).sum()))
    if not squares:
        return 0.0
    raw = float((first * second).sum()) / squares
    days = both.sum() / max(len(residuals), 1)
    return float(np.clip(raw + (1 + 3 * raw) / max(days, 1), 0.0, _HIGHEST_CORRELATION))


def whitened(residuals: Floats, *, correlation: float) -> Floats:
    """Residuals (scopes, days) less what the day before leads to expect, in their own deviations, clipped; 0 where
    unknown."""
    before = np.concatenate([np.zeros_like(residuals[:, :1]), residuals[:, :-1]], axis=1)
    fresh = (residuals - correlation * np.nan_to_num(before)) / np.sqrt(1 - correlation**2)
    return np.asarray(np.clip(np.nan_to_num(fresh), -_CLIP, _CLIP))


def cusum(fresh: Floats, *, allowance: float = ALLOWANCE) -> tuple[Run, ...]:
    """Of each series of shape (scopes, days) where the higher of its two sums stands on the last day."""
    sides = [_one_sided(side * fresh - allowance) for side in (1, -1)]
    return tuple(
        Run(side=1, high=float(up), days=int(up_days))
        if up >= down
        else Run(side=-1, high=float(down), days=int(down_days))
        for up, down, up_days, down_days in zip(*(each[0] for each in sides), *(each[1] for each in sides), strict=True)
    )


def _one_sided(steps: Floats) -> tuple[Floats, Floats]:
    """How high the sum that never falls below 0 stands at the end, and for how many days it has been above."""
    total = np.concatenate([np.zeros_like(steps[:, :1]), np.cumsum(steps, axis=1)], axis=1)
    return total[:, -1] - total.min(axis=1), np.argmin(total[:, ::-1], axis=1)


def days_between(height: float, *, allowance: float = ALLOWANCE) -> float:
    """How many days there are, on average, between two alarms by chance at that height (Siegmund 1985)."""
    twice = 2 * allowance * (height + 1.166)
    return float((np.exp(min(twice, 700.0)) - twice - 1) / (4 * allowance**2))


def threshold(days: float, *, allowance: float = ALLOWANCE) -> float:
    """How high either sum must be for an alarm by chance once in so many days."""
    twice = 6.0
    for _ in range(50):
        twice = float(np.log(4 * allowance**2 * max(days, 2.0) + twice + 1))
    return twice / (2 * allowance) - 1.166
