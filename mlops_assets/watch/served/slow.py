"""Slow change: small shifts of the same sign, added up (CUSUM; Page 1954) after what one day leaves to the next is out.

Correlated days ruin a CUSUM (at a correlation of .4 it alarms seven times as often), so residuals are whitened first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops_assets.contract.arrays import Floats

ALLOWANCE = 0.5
"""Deviations a day that are forgiven: a shift of twice as much is found fastest."""
LOOKED_BACK = 28
"""Days that a slow change is looked for in; what is usual is learnt from those before."""
_HIGHEST_CORRELATION = 0.8


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
    clipped = np.clip(residuals, -2.5, 2.5)
    both = np.isfinite(clipped[:, 1:]) & np.isfinite(clipped[:, :-1])
    first, second = np.where(both, clipped[:, :-1], 0), np.where(both, clipped[:, 1:], 0)
    squares = float(np.sqrt(np.square(first).sum() * np.square(second).sum()))
    if not squares:
        return 0.0
    raw = float((first * second).sum()) / squares
    days = both.sum() / max(len(residuals), 1)
    return float(np.clip(raw + (1 + 3 * raw) / max(days, 1), 0.0, _HIGHEST_CORRELATION))


def whitened(residuals: Floats, *, correlation: float) -> Floats:
    """Residuals (scopes, days) less what the day before leads to expect, in their own deviations; 0 where unknown."""
    before = np.concatenate([np.zeros_like(residuals[:, :1]), residuals[:, :-1]], axis=1)
    fresh = (residuals - correlation * np.nan_to_num(before)) / np.sqrt(1 - correlation**2)
    return np.nan_to_num(fresh)


def cusum(fresh: Floats) -> tuple[Run, ...]:
    """Of each series of shape (scopes, days) where its two sums stand on the last day."""
    runs = []
    for side in (1, -1):
        steps = side * fresh - ALLOWANCE
        total = np.concatenate([np.zeros_like(steps[:, :1]), np.cumsum(steps, axis=1)], axis=1)
        lowest = np.minimum.accumulate(total, axis=1)
        begun = total.shape[1] - 1 - np.argmin(total[:, ::-1], axis=1)
        height = total[:, -1] - lowest[:, -1]
        runs.append([Run(side=side, high=float(h), days=int(total.shape[1] - 1 - b)) for h, b in zip(height, begun, strict=True)])
    return tuple(max(pair, key=lambda run: run.high) for pair in zip(*runs, strict=True))


def days_between(height: float) -> float:
    """How many days there are, on average, between two alarms by chance at that height (Siegmund 1985, for k = .5)."""
    level = height + 1.166
    return float(np.exp(min(level, 700.0)) - level - 1)


def threshold(*, days_between: float) -> float:
    """How high either sum may be so that it alarms once in so many days by chance."""
    level = 6.0
    for _ in range(50):
        level = float(np.log(max(days_between, 2.0) + level + 1))
    return level - 1.166
