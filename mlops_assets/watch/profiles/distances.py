"""How far apart two distributions are, for many pairs at once, from counts alone.

Arrays are (pairs, cells): the counts of a batch and of its reference over the same cells, in the order of their values.
Which distance is too much is decided in ``drift.py``.

Jensen-Shannon: the distance of D. M. Endres and J. E. Schindelin, "A new metric for probability distributions", IEEE
Trans. Inf. Theory 49 (2003), base 2, from 0 to 1. Population stability index: B. Yurdakul, "Statistical properties of
population stability index", Western Michigan University (2018). Wasserstein: the first, as the area between the two
distribution functions (S. S. Vallender, 1974). L-infinity: as in TensorFlow Data Validation, the largest difference
of two shares (E. Breck et al., "Data validation for machine learning", MLSys 2019).
"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc

from mlops_assets.watch.profiles.cells import Flags, Floats

BINS = 10
"""Numbers are binned at the deciles of the reference before shares are compared."""
PER_VALUE = 10
"""Numbers with so many rows for each of their values lie on a grid."""
EXPECTED = 5.0
"""Fewest rows that a bin must lead to expect in the batch; rarer values are pooled."""
FREQUENT = 0.05


def bin_by_reference(found: Floats, *, reference: Floats) -> tuple[Floats, Floats]:
    """Counts of both in ``BINS`` bins that hold equal shares of the reference; a cell is never split."""
    total = np.maximum(reference.sum(axis=1, keepdims=True), 1.0)
    middle = (np.cumsum(reference, axis=1) - reference / 2) / total
    which = np.minimum((middle * BINS).astype(np.int64), BINS - 1) + BINS * np.arange(len(found))[:, None]
    size = BINS * len(found)
    binned = [np.bincount(which.ravel(), weights=each.ravel(), minlength=size) for each in (found, reference)]
    return binned[0].reshape(-1, BINS).astype(np.float64), binned[1].reshape(-1, BINS).astype(np.float64)


def pool_rare(found: Floats, *, reference: Floats) -> tuple[Floats, Floats]:
    """Counts of both where cells too rare to compare are put together, in one more cell at the end.

    A value that is rare in the reference and has ``FREQUENT`` of the rows found, and as many as say something, is not.
    """
    rows = found.sum(axis=1, keepdims=True)
    rare = (shares(reference) * rows < EXPECTED) & (found < np.maximum(FREQUENT * rows, 4 * EXPECTED))
    pooled = [
        np.concatenate([np.where(rare, 0.0, each), np.where(rare, each, 0.0).sum(axis=1, keepdims=True)], axis=1)
        for each in (found, reference)
    ]
    return pooled[0], pooled[1]


def shares(counts: Floats) -> Floats:
    """Counts as shares of their row; 0 where there is nothing."""
    divided: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return divided


def jensen_shannon(found: Floats, *, reference: Floats) -> Floats:
    """Distance from 0 (the same) to 1 (nothing in common)."""
    p, q = shares(found), shares(reference)
    middle = (p + q) / 2
    divergence = (_relative(p, middle) + _relative(q, middle)).sum(axis=1) / (2 * np.log(2))
    distance: Floats = np.sqrt(np.clip(divergence, 0.0, 1.0))
    return distance


def stability_index(found: Floats, *, reference: Floats) -> Floats:
    """Population stability index; half a row is added to every bin that either has, so that none is empty."""
    used = (found + reference) > 0
    p, q = (shares(np.where(used, each + 0.5, 0.0)) for each in (found, reference))
    index: Floats = (_relative(p, q) + _relative(q, p)).sum(axis=1)
    return index


def wasserstein(found: Floats, *, reference: Floats, values: Floats) -> Floats:
    """Mean distance that rows must move, in the unit of ``values``: one per cell, ascending."""
    if len(values) < 2:
        return np.zeros(len(found))
    apart = np.abs(np.cumsum(shares(found) - shares(reference), axis=1))[:, :-1]
    moved: Floats = np.einsum("ij,j->i", apart, np.diff(values))
    return moved


def largest_difference(found: Floats, *, reference: Floats) -> Floats:
    """The largest absolute difference of two shares (L-infinity)."""
    difference: Floats = np.abs(shares(found) - shares(reference)).max(axis=1, initial=0.0)
    return difference


def unseen_share(found: Floats, *, reference: Floats) -> Floats:
    """The share of rows with a value that the reference does not have."""
    unseen: Floats = np.where(reference > 0, 0.0, shares(found)).sum(axis=1)
    return unseen


def outside_share(found: Floats, *, reference: Floats) -> Floats:
    """The share of rows below the least or above the greatest cell of the reference."""
    seen = reference > 0
    below, above = np.cumsum(seen, axis=1) == 0, np.cumsum(seen[:, ::-1], axis=1)[:, ::-1] == 0
    outside: Floats = np.where((below | above) & seen.any(axis=1, keepdims=True), shares(found), 0.0).sum(axis=1)
    return outside


def off_grid_share(found: Floats, *, reference: Floats) -> Floats:
    """The share of rows with a number that the reference lacks, beyond it or between its own; NaN where it has no grid:
    fewer than ``PER_VALUE`` rows for each of its values.
    """
    coarse = reference.sum(axis=1) >= PER_VALUE * (reference > 0).sum(axis=1)
    gridded: Floats = np.where(coarse, unseen_share(found, reference=reference), np.nan)
    return gridded


def homogeneity_p(found: Floats, *, reference: Floats) -> Floats:
    """P-value of Pearson's chi-squared test that both rows of counts come from one distribution."""
    both = found + reference
    used: Flags = both > 0
    total, of_found = both.sum(axis=1, keepdims=True), found.sum(axis=1, keepdims=True)
    expected = both * of_found / np.maximum(total, 1.0)
    spread = np.where(used, expected * (1.0 - of_found / np.maximum(total, 1.0)), 1.0)
    statistic = np.where(used, (found - expected) ** 2 / np.maximum(spread, 1e-12), 0.0).sum(axis=1)
    freedom = used.sum(axis=1) - 1
    p_value: Floats = np.where(freedom > 0, chdtrc(np.maximum(freedom, 1), statistic), 1.0)
    return p_value


def _relative(p: Floats, q: Floats) -> Floats:
    """Terms of the relative entropy, natural logarithm; 0 where ``p`` is 0."""
    both = (p > 0) & (q > 0)
    terms: Floats = np.where(both, p * np.log(np.where(both, p, 1.0) / np.where(both, q, 1.0)), 0.0)
    return terms
