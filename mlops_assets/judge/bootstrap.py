"""How far the calibration gaps of bins deviate when rows, or whole clusters, are drawn again.

A Poisson bootstrap (Hanley & MacGibbon 2006) whose resamples are shared by all bins and segments: a gap is a weighted
sum over rows, so all of it is one sparse matrix of rows times one matrix of resampled weights. What it is for is in
``calibration.py``; figures whose interval is exact enough without resamples are in ``intervals.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.judge.metrics import CALIBRATION_BINS, Grouped, Rows

_CHUNK = 32768  # units whose resampled weights are in memory at once


def resampled_gaps(families: Sequence[Grouped], *, resamples: int, seed: int) -> tuple[Floats, ...]:
    """How far the signed gap of every bin deviates in each resample: (segments, bins, resamples) for each family.

    Gaps are shares of all rows, as in ``calibration_gaps``. All ``families`` are of the same rows, which are drawn once
    for all of them; the same rows and seed give the same figures.
    """
    rows = families[0].rows
    plans = [_Plan(family) for family in families]
    for members, weights in _resampled_weights(rows, resamples=resamples, seed=seed):
        for plan in plans:
            plan.add(rows=members[0], offsets=members[1], weights=weights)
    return tuple(plan.finish() for plan in plans)


def poisson_weights(generator: np.random.Generator, *, units: int, resamples: int) -> NDArray[np.float32]:
    """How often each unit is drawn in each resample: Poisson(1) by inversion of 16-bit numbers, shape (units,
    resamples).
    """
    drawn = np.frombuffer(generator.bytes(2 * units * resamples), dtype=np.uint16)
    return _POISSON.take(drawn).reshape(units, resamples)


def _poisson_table() -> NDArray[np.float32]:
    factorials = np.cumprod(np.maximum(np.arange(10), 1))
    edges = np.rint(np.cumsum(np.exp(-1) / factorials) * 65536).astype(np.int64)
    return np.searchsorted(edges, np.arange(65536), side="right").astype(np.float32)


_POISSON = _poisson_table()


def _resampled_weights(
    rows: Rows, *, resamples: int, seed: int
) -> Iterator[tuple[tuple[Ints, Ints], NDArray[np.float32]]]:
    """Chunks of units: (their rows, where each unit's rows start) and their weights; the first are all 1."""
    generator = np.random.Generator(np.random.SFC64(seed))
    order = np.argsort(rows.units, kind="stable")
    starts = np.searchsorted(rows.units[order], np.arange(rows.unit_count + 1))
    for low in range(0, rows.unit_count, _CHUNK):
        bounds = starts[low : low + _CHUNK + 1]
        weights = np.ones((len(bounds) - 1, resamples + 1), dtype=np.float32)
        weights[:, 1:] = poisson_weights(generator, units=len(bounds) - 1, resamples=resamples)
        yield (order[bounds[0] : bounds[-1]], bounds - bounds[0]), weights


class _Plan:
    """Where each row of one family is summed: its calibration bin, and its segment."""

    def __init__(self, grouped: Grouped) -> None:
        self.grouped = grouped
        self.bins = grouped.segments * CALIBRATION_BINS
        count = len(grouped.order)
        self.places = np.empty((count, 2), dtype=np.int32)
        self.places[grouped.order] = np.stack([grouped.calibration_bin, grouped.segment + self.bins], axis=1)
        self.values = np.empty((count, 2), dtype=np.float32)
        self.values[grouped.order] = np.stack([_centred_gaps(grouped), grouped.weights], axis=1)
        self.sums: Floats | None = None

    def add(self, *, rows: Ints, offsets: Ints, weights: NDArray[np.float32]) -> None:
        matrix = csc_array(
            (self.values[rows].ravel(), self.places[rows].ravel(), 2 * offsets),
            shape=(self.bins + self.grouped.segments, len(weights)),
        )
        sums = matrix @ weights
        if self.sums is None:
            self.sums = np.zeros(sums.shape)
        self.sums += sums

    def finish(self) -> Floats:
        assert self.sums is not None
        gaps, mass = np.split(self.sums, [self.bins])
        with np.errstate(invalid="ignore", divide="ignore"):
            binned = gaps.reshape(self.grouped.segments, CALIBRATION_BINS, -1) / mass[:, None, :]
        return np.asarray(binned[..., 1:] - binned[..., :1])


def _centred_gaps(grouped: Grouped) -> Floats:
    """Per row, in the order of segments: its weighted gap beyond the mean gap of its calibration bin.

    How many rows a bin has is fixed, so that a resample with more or fewer of them must not look like a larger or
    smaller gap.
    """
    gaps = (grouped.rows.scores - grouped.rows.labels)[grouped.order] * grouped.weights
    mass, total = (np.bincount(grouped.calibration_bin, weights=each) for each in (grouped.weights, gaps))
    return np.asarray(gaps - grouped.weights * total[grouped.calibration_bin] / mass[grouped.calibration_bin])
