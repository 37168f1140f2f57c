"""The noise of the gaps of calibration bins: how large it is, what bins have in common, how well both are known.

From the resamples of ``bootstrap.py``, mended where resamples cannot know: rare outcomes, few units, other scores.
What is concluded from it is in ``calibration.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.judge.metrics import CALIBRATION_BINS, Grouped

LEAST = 1e-9  # in place of no noise at all
_APART = 1 - np.eye(CALIBRATION_BINS)
_BELOW = np.tri(CALIBRATION_BINS, k=-1, dtype=bool)  # is the bin of a row (column) below the other (row)?
_PAIRS = CALIBRATION_BINS * (CALIBRATION_BINS - 1)


@dataclass(frozen=True, kw_only=True)
class Bins:
    """What is known of the rows of each bin; all of shape (segments, bins), not a number where a bin has no row."""

    weight: Floats  # of all rows of the segment
    score: Floats  # mean
    share: Floats  # of positives
    rows: Floats  # of equal weight that would tell as much
    low: Floats  # lowest score
    high: Floats  # highest score

    @classmethod
    def of(cls, grouped: Grouped) -> Bins:
        bins, scores = grouped.segments * CALIBRATION_BINS, grouped.rows.scores[grouped.order]
        mass, positive, scored, squares = (
            np.bincount(grouped.calibration_bin, weights=each, minlength=bins).reshape(-1, CALIBRATION_BINS)
            for each in (
                grouped.weights,
                grouped.weights * grouped.labels,
                grouped.weights * scores,
                np.square(grouped.weights),
            )
        )
        first, last = (
            np.searchsorted(grouped.calibration_bin, np.arange(bins), side=side) for side in ("left", "right")
        )
        reached = [scores[np.clip(each, 0, len(scores) - 1)].reshape(mass.shape) for each in (first, last - 1)]
        with np.errstate(invalid="ignore", divide="ignore"):
            return cls(
                weight=mass / mass.sum(axis=1, keepdims=True),
                score=scored / mass,
                share=positive / mass,
                rows=np.square(mass) / squares,
                low=np.where(mass > 0, reached[0], np.nan),
                high=np.where(mass > 0, reached[1], np.nan),
            )

    def chosen(self, segments: Ints) -> Bins:
        """The bins of those segments alone."""
        return Bins(**{each.name: getattr(self, each.name)[segments] for each in fields(self)})

    @cached_property
    def variance(self) -> Floats:
        """Of one label, by a share with half a row more of each outcome (Jeffreys' prior; Brown, Cai & DasGupta 2001):
        rows that are all negative stay so when they are drawn again, but a share of 0 is uncertain too.
        """
        smoothed = (self.share * self.rows + 0.5) / (self.rows + 1)
        return np.asarray(smoothed * (1 - smoothed))

    def unseen_variance(self) -> Floats:
        """What the resampled variance of each gap lacks where hardly a row, or hardly none, is positive."""
        lacking = np.maximum(self.variance - self.share * (1 - self.share), 0)
        return np.nan_to_num(lacking * np.square(self.weight) / self.rows)

    def noise_under(self, gaps: Floats) -> NDArray[np.float32]:
        """By how much the noise of each bin is larger or smaller if ``gaps`` are the true ones: what is tried also says
        how much labels vary, as in Wilson's interval. No share is rarer than half a row, or than its score says.
        """
        half = 0.5 / (self.rows + 1)
        least, most = np.minimum(half, self.score), 1 - np.minimum(half, 1 - self.score)
        share = np.clip(self.score - gaps / self.weight, least, most)
        ratio = np.sqrt(share * (1 - share) / self.variance)
        return np.where(self.weight > 0, ratio, 1.0).astype(np.float32)


def gap_covariance(grouped: Grouped, *, found: Floats, gaps: Floats, unseen: Floats) -> Floats:
    """Of the gaps of bins, shape (segments, bins, bins), by resamples and what those cannot know of rare outcomes.

    Where both tell of no noise, as in a bin of one row, the gap itself is taken for it. Given their scores, bins have
    nothing in common unless rows depend on each other.
    """
    held = np.minimum(grouped.calibration_counts, grouped.unit_counts[:, None])
    few = np.sqrt(held / np.maximum(held - 1, 1))[:, :, None]
    centred = np.nan_to_num(few * (gaps - gaps.mean(axis=2, keepdims=True)))
    covariance = centred @ centred.transpose(0, 2, 1) / (gaps.shape[2] - 1)
    own = np.arange(CALIBRATION_BINS)
    covariance[:, own, own] += unseen
    covariance[:, own, own] = np.where(covariance[:, own, own] > 0, covariance[:, own, own], np.square(found))
    if not grouped.rows.clustered:
        covariance = covariance * np.eye(CALIBRATION_BINS)
    return np.asarray(np.nan_to_num(covariance), dtype=np.float64)


def score_covariance(bins: Bins, *, found: Floats, rows: Ints) -> Floats:
    """What gaps have in common because other ``rows`` would have other scores, shape (segments, bins, bins).

    A bin holds its share of the rows whatever they score, so its edges move with the empirical quantiles: a row moves
    the mean score of a bin as a winsorised mean, by its own score within it and by the nearer edge elsewhere (Huber
    1981, section 3.3; what moves it within is in ``gap_covariance``). A gap moves with it as far as gaps grow with
    scores (least squares over bins), which is much where a model is far off.
    """
    weight, score, low, high = (np.nan_to_num(each) for each in (bins.weight, bins.score, bins.low, bins.high))
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.nan_to_num(found / bins.weight)
    apart, gap_apart = (each - (weight * each).sum(axis=1, keepdims=True) for each in (score, gap))
    spread = np.maximum((weight * np.square(apart)).sum(axis=1), LEAST**2)
    slope = (weight * apart * gap_apart).sum(axis=1) / spread
    of_row = np.where(_BELOW, low[:, :, None], np.where(_BELOW.T, high[:, :, None], score[:, :, None]))
    of_row -= (of_row @ weight[:, :, None]) * np.ones(CALIBRATION_BINS)
    common = (of_row * weight[:, None, :]) @ of_row.transpose(0, 2, 1)
    return np.asarray(common * np.square(slope)[:, None, None] / np.maximum(rows, 1)[:, None, None])


def without_chance(covariance: Floats, *, chance: Floats) -> Floats:
    """``covariance`` with the correlations of bins shrunk toward their mean (Ledoit & Wolf 2004), by as much of their
    spread as is ``chance``: the mean square of a correlation that is none.
    """
    spread, correlation = _correlations(covariance)
    mean = np.maximum(correlation.sum(axis=(1, 2)) / _PAIRS, -1 / CALIBRATION_BINS)[:, None, None]
    seen = (np.square(correlation - mean) * _APART).sum(axis=(1, 2)) / _PAIRS
    kept = np.maximum(1 - chance / np.maximum(seen, LEAST), 0)[:, None, None]
    shrunk = np.where(_APART, mean + kept * (correlation - mean), 1.0)
    return np.asarray(shrunk * spread[:, :, None] * spread[:, None, :], dtype=np.float64)


def freedom_of(covariance: Floats, *, units: Ints, resamples: int) -> Floats:
    """Degrees of freedom of the size of the noise, shape (segments,).

    Where gaps of bins move together, their sum has one variance from that many ``units``; where they don't, it has one
    of each bin, which are as many more squares. In between it depends on how far the mean correlation is above 0: at
    twice its standard error bins are taken to move together. ``resamples`` are few as well.
    """
    _, correlation = _correlations(covariance)
    of_each = 1 / (1 / np.maximum(units - 1.0, 1.0) + 1 / (resamples - 1))
    by_chance = np.sqrt(2 / (_PAIRS * of_each))
    together = np.clip(correlation.sum(axis=(1, 2)) / _PAIRS / (2 * by_chance), 0, 1)
    return np.asarray(of_each * CALIBRATION_BINS ** (1 - together), dtype=np.float64)


def _correlations(covariance: Floats) -> tuple[Floats, Floats]:
    """The spread of each bin, (segments, bins), and their correlations, (segments, bins, bins), 0 with themselves."""
    spread = np.maximum(np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), LEAST)
    return spread, covariance / spread[:, :, None] / spread[:, None, :] * _APART
