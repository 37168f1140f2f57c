"""How far a batch can be from its reference at all, and how small a change a bound notices: the power of a check.

A check whose bound lies above what can be reached would call everything usual: it cannot judge, and says so.
"""

from __future__ import annotations

import numpy as np

from mlops_assets.watch.profiles import distances
from mlops_assets.watch.profiles.cells import Floats

_HALVINGS = 30


def rarest_share(reference: Floats) -> Floats:
    """The share of the rarest cell that the reference has; 0 where it has one alone, and any other value is new."""
    shares = distances.shares(reference)
    several = (reference > 0).sum(axis=1) > 1
    rarest: Floats = np.where(several, np.where(reference > 0, shares, np.inf).min(axis=1, initial=1.0), 0.0)
    return rarest


def jensen_shannon_reach(rarest: Floats) -> Floats:
    """The distance of a batch whose rows all have the reference's rarest value, ``rarest`` its share."""
    return _moved_to_rarest(np.ones_like(rarest), rarest=rarest)


def wasserstein_reach(reference: Floats, *, values: Floats, deviation: Floats) -> Floats:
    """The same of a batch whose rows all have the reference's least or greatest value, whichever is farther."""
    if len(values) < 2:
        return np.full(len(reference), np.inf)
    seen, share = reference > 0, distances.shares(reference)
    mean = share @ values
    lowest, highest = np.argmax(seen, axis=1), len(values) - 1 - np.argmax(seen[:, ::-1], axis=1)
    farthest = np.maximum(mean - values[lowest], values[highest] - mean)
    reach: Floats = np.where((deviation > 0) & seen.any(axis=1), farthest / np.maximum(deviation, 1e-300), np.inf)
    return reach


def smallest_change(measure: str, *, bound: float, rarest: float) -> float:
    """The smallest change that passes ``bound``: a share of the rows, or deviations for what is measured in those.

    Of the Jensen-Shannon distance it is the share of rows that all get the reference's rarest value.
    """
    if measure != "jensen_shannon":
        return bound
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        distance = float(_moved_to_rarest(np.array([middle]), rarest=np.array([rarest]))[0])
        low, high = (low, middle) if distance > bound else (middle, high)
    return high


def _moved_to_rarest(share: Floats, *, rarest: Floats) -> Floats:
    """The Jensen-Shannon distance when ``share`` of the rows of a batch like its reference get its rarest value."""
    before = np.stack([rarest, 1 - rarest], axis=1)
    now = np.stack([rarest + share * (1 - rarest), (1 - rarest) * (1 - share)], axis=1)
    return distances.jensen_shannon(now, reference=before)
