"""What is usual: the bound of a distance, learnt from how far earlier batches were from their own references.

The bound is the upper prediction limit for one more of them (G. J. Hahn, W. Q. Meeker, "Statistical Intervals", 1991,
ch. 4). It is taken on a scale on which it cannot pass what the measure can reach: the logit of what lies between 0 and
1, the logarithm of all else. One or two odd batches move it not: what lies far from the median, in median absolute
deviations, and beyond the limit that the others give is left out. Where more than a few do, that is what is usual.

How far a batch can be from its reference at all is in ``reaches.py``, the verdict in ``drift.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit, stdtrit

from mlops_assets.contract.drift import BOUNDED, LEAST_EFFECTS
from mlops_assets.watch.profiles.cells import Flags, Floats, Ints

_SMALLEST = 0.5
"""Distances below this part of the least effect count as this, so that a past of zeros has a logarithm."""
_GREATEST = 0.999
_NEARLY_ALL = ("outside_share", "off_grid_share")
"""Shares that are unusual when they are nearly all, whatever they usually are."""
_ODD = 5.0
"""Robust deviations beyond which a batch may be an odd one."""
_FEW = 0.1
"""At most this part of the past, and at least ``_TWO``, are odd ones: weather that comes every week is usual."""
_TWO = 2
_OF_NORMAL = 1.4826, 1.2533
"""What makes a median or mean absolute deviation a standard one."""


def learn_bounds(past: Floats, *, measures: Sequence[str], count: int, rate: float) -> Floats:
    """For each row of ``past``, distances of one comparison (NaN where one does not count): the bound. ``rate`` is that
    of false alarms in all ``count`` comparisons of a batch together.
    """
    bounded = np.array([measure in BOUNDED for measure in measures], dtype=np.bool_)
    least = np.array([LEAST_EFFECTS[measure] for measure in measures])
    scaled = np.maximum(past, least[:, None] * _SMALLEST)
    scaled = np.where(bounded[:, None], logit(np.minimum(scaled, _GREATEST)), np.log(scaled))
    single = rate / max(count, 1)
    limit = _limits(_without_odd(scaled, rate=single), rate=single)
    learnt = np.where(bounded, expit(limit), np.exp(np.minimum(limit, 700.0)))
    bounds: Floats = np.maximum(np.where(np.isin(measures, _NEARLY_ALL), least, learnt), least)
    return bounds


def few_odd(size: Ints) -> Floats:
    """How many batches of so many may be odd ones."""
    few: Floats = np.maximum(_TWO, _FEW * size)
    return few


def _without_odd(scaled: Floats, *, rate: float) -> Floats:
    """The same, NaN where a batch is an odd one: a few of the past that lie beyond what the others lead to expect."""
    known = np.isfinite(scaled)
    size = known.sum(axis=1)
    centre = _median(scaled, size=size)
    apart = np.abs(scaled - centre[:, None])
    median = _OF_NORMAL[0] * _median(apart, size=size)
    mean = _OF_NORMAL[1] * np.where(known, apart, 0.0).sum(axis=1) / np.maximum(size, 1)
    spread = np.where(median > 0, median, mean)
    far: Flags = known & (apart > _ODD * spread[:, None] + 1e-9)
    limit = _limits(np.where(far, np.nan, scaled), rate=rate)
    few = far.sum(axis=1) <= few_odd(size)
    kept: Floats = np.where(few[:, None] & far & (scaled > limit[:, None]), np.nan, scaled)
    return kept


def _limits(scaled: Floats, *, rate: float) -> Floats:
    """The upper prediction limit of one more of a normal sample, row by row."""
    known = np.isfinite(scaled)
    size = known.sum(axis=1).astype(np.float64)
    mean = np.where(known, scaled, 0.0).sum(axis=1) / np.maximum(size, 1)
    squares = np.where(known, (scaled - mean[:, None]) ** 2, 0.0).sum(axis=1)
    deviation = np.sqrt(squares / np.maximum(size - 1, 1))
    reach = -stdtrit(np.maximum(size - 1, 1), rate)
    limit: Floats = mean + reach * deviation * np.sqrt(1 + 1 / np.maximum(size, 1))
    return limit


def _median(values: Floats, *, size: Floats) -> Floats:
    """Row medians without NaN; 0 of a row without any."""
    ordered = np.sort(values, axis=1)  # NaN last
    if not values.shape[1]:
        return np.zeros(len(values))
    middle = np.maximum(size.astype(np.int64) - 1, 0)
    rows = np.arange(len(values))
    found = (ordered[rows, middle // 2] + ordered[rows, (middle + 1) // 2]) / 2
    median: Floats = np.where(size > 0, found, 0.0)
    return median
