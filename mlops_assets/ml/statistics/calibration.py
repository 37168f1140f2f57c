"""The interval of the expected calibration error: a test turned round, because its estimate is no usual one.

It is a sum of absolute values: the noise of each bin adds to it (Roelofs et al. 2022), by how much depends on how the
true error is spread over the bins, and a true error of 0 is the end of what it can be, which nothing can miss from
above. Its noise is known from the resamples of ``bootstrap.py``; all other intervals are in ``intervals.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from mlops_assets.ml.statistics.intervals import CONFIDENCE, Bounds
from mlops_assets.ml.statistics.metrics import CALIBRATION_BINS, Floats, Grouped, Ints, calibration_gaps

_HALVINGS = 12  # of the range in which an end of an interval is looked for
_FARTHEST = -8.0  # where the search for the upper end begins, in standard errors of a gap, all of them at once
_NEAR = 2.0  # standard errors of a gap within which the test counts it for more than its size
_MORE = 3.0  # how much more: with this, what noise adds depends least on how errors are spread over the bins
_DRAWS = 400  # of noise
_LEAST = 1e-9  # in place of no noise at all


def calibration_bounds(grouped: Grouped, *, gaps: Floats) -> tuple[Floats, Bounds]:
    """Expected calibration error per segment and its bounds from how resampled ``gaps`` deviate.

    Bounds are the smallest and the largest true error under which what was found is no surprise at the level of 5 %.
    How a true error is spread over the bins is not known: tried is a spread that is likely given what was found.
    The plain estimate is always within.
    """
    found, units = np.nan_to_num(calibration_gaps(grouped)), grouped.unit_counts
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        covariance = _covariance(grouped, found=found, gaps=gaps)
        test = _Test.of(found, covariance=covariance, units=units, resamples=gaps.shape[2])
        lower = test.error(test.edge(test.all_gone(), end="too much"))
        upper = test.error(test.edge(np.full(len(found), _FARTHEST), end="too little"))
    value = np.abs(found).sum(axis=1)
    lower, upper = np.minimum(lower, value), np.maximum(upper, value)
    return value, Bounds(lower=lower, upper=upper, method="Poisson bootstrap, test inverted")


def _covariance(grouped: Grouped, *, found: Floats, gaps: Floats) -> Floats:
    """Of the gaps of bins, shape (segments, bins, bins), by resamples and what those cannot know of rare outcomes.

    Where both tell of no noise, as in a bin of one row, the gap itself is taken for it. Bins have nothing in common
    unless rows depend on each other.
    """
    held = np.minimum(grouped.calibration_counts, grouped.unit_counts[:, None])
    few = np.sqrt(held / np.maximum(held - 1, 1))[:, :, None]
    centred = np.nan_to_num(few * (gaps - gaps.mean(axis=2, keepdims=True)))
    covariance = centred @ centred.transpose(0, 2, 1) / (gaps.shape[2] - 1)
    own = np.arange(CALIBRATION_BINS)
    covariance[:, own, own] += _unseen_variance(grouped)
    covariance[:, own, own] = np.where(covariance[:, own, own] > 0, covariance[:, own, own], np.square(found))
    if not grouped.rows.clustered:
        covariance = covariance * np.eye(CALIBRATION_BINS)
    return np.asarray(np.nan_to_num(covariance), dtype=np.float64)


def _unseen_variance(grouped: Grouped) -> Floats:
    """What the variance of each gap lacks where hardly a row of the bin, or hardly none, is positive: (segments, bins).

    Rows that are all negative stay so when they are drawn again. With half a row more of each outcome (Jeffreys' prior;
    Brown, Cai & DasGupta 2001) a share of 0 is uncertain too.
    """
    bins = grouped.segments * CALIBRATION_BINS
    mass, positive, squares = (
        np.bincount(grouped.calibration_bin, weights=each, minlength=bins).reshape(-1, CALIBRATION_BINS)
        for each in (grouped.weights, grouped.weights * grouped.labels, np.square(grouped.weights))
    )
    share, rows = positive / mass, np.square(mass) / squares
    smoothed = (share * rows + 0.5) / (rows + 1)
    lacking = np.maximum(smoothed * (1 - smoothed) - share * (1 - share), 0) * squares
    return np.nan_to_num(lacking / np.square(grouped.sums(grouped.weights))[:, None])


@dataclass(frozen=True, kw_only=True)
class _Test:
    """Is what was ``found`` in the bins of each segment a surprise under a true error?

    True errors are tried as a ``shift`` per segment: by how many standard errors gaps are brought nearer to 0 (none
    beyond it). At 0 the true error is what was found, with a negative shift it is larger: then the likeliest of all
    gaps that sum up to the same error.
    """

    found: Floats
    noise: NDArray[np.float32]
    spread: Floats
    away: Floats
    freedom: Floats

    @classmethod
    def of(cls, found: Floats, *, covariance: Floats, units: Ints, resamples: int) -> _Test:
        """With normal noise of that covariance: resamples of few units are not normal, because they share weights."""
        known = _without_chance(covariance, chance=1 / np.maximum(units - 1, 1) + 1 / resamples)
        sizes, axes = np.linalg.eigh(known)
        spread = np.sqrt(np.diagonal(known, axis1=1, axis2=2))
        return cls(
            found=found,
            noise=(axes * np.sqrt(np.maximum(sizes, 0))[:, None, :] @ _normal()).astype(np.float32),
            spread=np.maximum(spread, _LEAST),
            away=_away(found, covariance=known, axis=axes[:, :, -1]),
            freedom=np.maximum(units - 1.0, 1.0),
        )

    def error(self, shift: Floats) -> Floats:
        """The true error that the shift stands for."""
        return np.asarray(np.abs(self._shifted(shift)).sum(axis=1), dtype=np.float64)

    def all_gone(self) -> Floats:
        """The smallest shift that leaves no gap."""
        return np.asarray(np.max(np.abs(self.found) / self._step(), axis=1) * (1 + 1e-9), dtype=np.float64)

    def edge(self, outside: Floats, *, end: Literal["too little", "too much"]) -> Floats:
        """The farthest shift from 0 toward ``outside`` under which what was found is not a surprise at that end."""
        inside = np.where(self.surprises(outside, end=end), 0.0, outside)
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2
            out = self.surprises(middle, end=end)
            inside, outside = np.where(out, inside, middle), np.where(out, middle, outside)
        return inside

    def surprises(self, shift: Floats, *, end: Literal["too little", "too much"]) -> NDArray[np.bool_]:
        """Whether what was found is that surprise; quantiles are Student's, corrected for skew (Cornish & Fisher)."""
        gaps = self._shifted(shift)[:, :, None].astype(np.float32)
        shown = self._statistic(gaps + self.noise)
        mean, deviation = shown.mean(axis=1), shown.std(axis=1)
        skew = (((shown - mean[:, None]) / deviation[:, None]) ** 3).mean(axis=1)
        tails = accepted((mean - self._least) / deviation)
        limit = stdtrit(self.freedom, tails[0 if end == "too little" else 1])
        limit += skew * (np.square(np.clip(limit, -3, 3)) - 1) / 6
        surprise = (self._seen - mean) / deviation
        return np.asarray(surprise < limit if end == "too little" else surprise > limit)

    @cached_property
    def _seen(self) -> Floats:
        return self._statistic(self.found[:, :, None])[:, 0]

    @cached_property
    def _least(self) -> Floats:
        """The mean of what no true error at all would show."""
        return np.asarray(self._statistic(self.noise).mean(axis=1), dtype=np.float64)

    def _shifted(self, shift: Floats) -> Floats:
        nearer = np.copysign(np.maximum(np.abs(self.found) - shift[:, None] * self._step(), 0), self.found)
        return np.where(shift[:, None] < 0, self.found - shift[:, None] * self.away, nearer)

    def _step(self) -> Floats:
        """How far a shift of 1 brings each gap nearer to 0: halfway between what is likeliest, which leaves true errors
        in the bins of the largest gaps alone, and all gaps shrinking alike, as of an error that all bins share.
        """
        squares, sizes = np.square(self.spread), np.abs(self.found)
        typical = np.sqrt(squares.mean(axis=1, keepdims=True))
        size = np.maximum(np.sqrt(np.square(sizes).mean(axis=1, keepdims=True)), _LEAST)
        likeliest = squares / typical
        alike = sizes / size * np.sqrt(np.square(likeliest).mean(axis=1, keepdims=True))
        return np.asarray((likeliest + alike) / 2, dtype=np.float64)

    def _statistic(self, gaps: NDArray[np.floating]) -> Floats:
        """What is tested, per column of ``gaps``: like the sum of their sizes, but steeper where noise hides them."""
        width = (_NEAR * self.spread[:, :, None]).astype(np.float32)
        size = np.abs(gaps)
        near = np.minimum(size, width)
        return np.asarray((size + _MORE * near * (1 - near / (2 * width))).sum(axis=1), dtype=np.float64)


def _without_chance(covariance: Floats, *, chance: Floats) -> Floats:
    """``covariance`` with the correlations of bins shrunk toward their mean (Ledoit & Wolf 2004), by as much of their
    spread as is ``chance``: the mean square of a correlation that is none.
    """
    spread = np.maximum(np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), _LEAST)
    apart = 1 - np.eye(CALIBRATION_BINS)
    correlation = covariance / spread[:, :, None] / spread[:, None, :]
    mean = np.maximum((correlation * apart).sum(axis=(1, 2)) / apart.sum(), 0)[:, None, None]
    seen = (np.square(correlation - mean) * apart).sum(axis=(1, 2)) / apart.sum()
    kept = np.maximum(1 - chance / np.maximum(seen, _LEAST), 0)[:, None, None]
    shrunk = np.where(apart, mean + kept * (correlation - mean), 1.0)
    return np.asarray(shrunk * spread[:, :, None] * spread[:, None, :], dtype=np.float64)


def _away(found: Floats, *, covariance: Floats, axis: Floats) -> Floats:
    """In which direction the gaps lie that are the likeliest of all that sum up to more than ``found``.

    Each grows with its own sign; or, if that is likelier, all grow as the noise that they have in common (``axis``).
    """
    common = np.where(axis * np.sum(axis * found, axis=1, keepdims=True) < 0, -1.0, 1.0)
    signs = np.stack([np.where(found < 0, -1.0, 1.0), common])
    moved = np.einsum("sij,csj->csi", covariance, signs)
    reach = np.sqrt(np.maximum((signs * moved).sum(axis=2), _LEAST**2))
    far = np.abs(found).sum(axis=1) + 2 * reach.max(axis=0)
    cost = (far - (signs * found).sum(axis=2)) / reach
    best = np.where((cost[1] < cost[0])[:, None], moved[1], moved[0])
    size = np.sqrt(np.trace(covariance, axis1=1, axis2=2) / CALIBRATION_BINS)
    return np.asarray(best / np.maximum(size, _LEAST)[:, None], dtype=np.float64)


@cache
def _normal() -> Floats:
    """Normal draws, the same for every segment: shape (bins, draws), of mean 0 and covariance 1 exactly."""
    drawn = np.random.default_rng(0).standard_normal((CALIBRATION_BINS, _DRAWS // 2))
    drawn = np.concatenate([drawn, -drawn], axis=1)
    return np.asarray(np.linalg.solve(np.linalg.cholesky(drawn @ drawn.T / _DRAWS), drawn), dtype=np.float64)


def accepted(beyond: Floats) -> tuple[Floats, Floats]:
    """Between which shares of its distribution an estimate is no surprise, ``beyond`` standard errors from its least.

    Feldman & Cousins (Phys. Rev. D 57, 1998) for a mean that cannot be negative: of the 5 % all are above when it is 0,
    half are when it is far from that.
    """
    tried, low, high = _feldman_cousins()
    return np.interp(beyond, tried, low), np.interp(beyond, tried, high)


@cache
def _feldman_cousins() -> tuple[Floats, Floats, Floats]:
    """Means of 0 to 2 standard errors, and the shares of the distribution at both ends of what is accepted of each."""
    mean = np.linspace(0, 2, 101)
    least, most = np.full(101, ndtri(CONFIDENCE)), np.full(101, ndtri((1 + CONFIDENCE) / 2))
    for _ in range(60):
        high = (least + most) / 2
        with np.errstate(divide="ignore"):
            low = np.where(mean < high, -mean / 2 - high**2 / (2 * mean), -high)
        enough = ndtr(high) - ndtr(low) >= CONFIDENCE
        least, most = np.where(enough, least, high), np.where(enough, high, most)
    return mean, np.maximum(ndtr(low), 1e-12), ndtr(high)
