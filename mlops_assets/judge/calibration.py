"""The interval of the expected calibration error: a test turned round, because its estimate is no usual one.

It is a sum of absolute values: the noise of each bin adds to it (Roelofs et al. 2022), by how much depends on how the
true error is spread over the bins, and a true error of 0 is the end of what it can be, which nothing can miss from
above. What is known of its noise is in ``gap_noise.py``; all other intervals are in ``intervals.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import qmc

from mlops_assets.contract.arrays import Floats
from mlops_assets.judge.gap_noise import (
    LEAST,
    Bins,
    freedom_of,
    gap_covariance,
    score_covariance,
    without_chance,
)
from mlops_assets.judge.intervals import CONFIDENCE, Bounds
from mlops_assets.judge.metrics import CALIBRATION_BINS, Grouped, calibration_gaps

_HALVINGS = 12  # of the range in which an end of an interval is looked for
_FARTHEST = -8.0  # where the search for the upper end begins, in standard errors of a gap, all of them at once
_NEAR = 1.0  # standard errors of a gap within which the test counts it for more than its size
_MORE = 15.0  # how much more: with this, what noise adds depends little on how errors are spread over the bins
_ALIKE = 0.5  # for the lower end: how far from the likeliest errors to what was found, but smaller
_DRAWS = 512  # of noise


def calibration_bounds(
    grouped: Grouped, *, gaps: Floats, among: NDArray[np.bool_] | None = None
) -> tuple[Floats, Bounds]:
    """Expected calibration error per segment and its bounds from how resampled ``gaps`` deviate.

    Bounds are the smallest and the largest true error under which what was found is no surprise at the level of 5 %.
    How a true error is spread over the bins is not known: tried is a spread that is likely given what was found.
    The plain estimate is always within. Segments that are not ``among`` those asked for have none (not a number).
    """
    found, units, bins = np.nan_to_num(calibration_gaps(grouped)), grouped.unit_counts, Bins.of(grouped)
    resamples, asked = gaps.shape[2], np.flatnonzero(np.ones(len(found), dtype=bool) if among is None else among)
    value, lower, upper = np.abs(found).sum(axis=1), *np.full((2, len(found)), np.nan)
    if len(asked):
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            seen = gap_covariance(grouped, found=found, gaps=gaps, unseen=bins.unseen_variance())
            of_labels = without_chance(seen, chance=1 / np.maximum(units - 1, 1) + 1 / resamples)
            of_scores = score_covariance(bins, found=found, rows=grouped.effective_counts["rows"])
            freedom = freedom_of(of_labels, units=units, resamples=resamples)
            covariance = (of_labels + of_scores)[asked]
            test = _Test.of(found[asked], bins=bins.chosen(asked), covariance=covariance, freedom=freedom[asked])
            lower[asked] = test.error(test.edge(test.all_gone(), end="too much"))
            upper[asked] = test.error(test.edge(np.full(len(asked), _FARTHEST), end="too little"))
    lower, upper = np.minimum(lower, value), np.maximum(upper, value)
    return value, Bounds(lower=lower, upper=upper, method="Poisson bootstrap, test inverted")


@dataclass(frozen=True, kw_only=True)
class _Test:
    """Is what was ``found`` in the bins of each segment a surprise under a true error?

    True errors are tried as a ``shift`` per segment: by how many standard errors gaps are brought nearer to 0 (none
    beyond it). At 0 the true error is what was found, with a negative shift it is larger: then the likeliest of all
    gaps that sum up to the same error.
    """

    found: Floats
    bins: Bins
    noise: NDArray[np.float32]
    spread: Floats
    away: Floats
    freedom: Floats

    @classmethod
    def of(cls, found: Floats, *, bins: Bins, covariance: Floats, freedom: Floats) -> _Test:
        """With normal noise of that covariance: resamples of few units are not normal, because they share weights."""
        sizes, axes = np.linalg.eigh(covariance)
        spread = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        return cls(
            found=found,
            bins=bins,
            noise=(axes * np.sqrt(np.maximum(sizes, 0))[:, None, :] @ _normal()).astype(np.float32),
            spread=np.maximum(spread, LEAST),
            away=_away(found, covariance=covariance, axis=axes[:, :, -1]),
            freedom=freedom,
        )

    def error(self, shift: Floats) -> Floats:
        """The true error that the shift stands for."""
        return np.asarray(np.abs(self._shifted(shift)).sum(axis=1), dtype=np.float64)

    def all_gone(self) -> Floats:
        """The smallest shift that leaves no gap."""
        return np.asarray(np.max(np.abs(self.found) / self._step, axis=1) * (1 + 1e-9), dtype=np.float64)

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
        shown = self._shown(self._shifted(shift))
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
        return np.asarray(self._shown(np.zeros_like(self.found)).mean(axis=1), dtype=np.float64)

    def _shown(self, gaps: Floats) -> Floats:
        """What each draw of noise would show if ``gaps`` are the true ones: shape (segments, draws)."""
        noise = self.noise * self.bins.noise_under(gaps)[:, :, None]
        return self._statistic(gaps[:, :, None].astype(np.float32) + noise)

    def _shifted(self, shift: Floats) -> Floats:
        nearer = np.copysign(np.maximum(np.abs(self.found) - shift[:, None] * self._step, 0), self.found)
        return np.where(shift[:, None] < 0, self.found - shift[:, None] * self.away, nearer)

    @cached_property
    def _step(self) -> Floats:
        """How far a shift of 1 brings each gap nearer to 0.

        The likeliest true errors are in the bins of the largest gaps alone; those of an error that all bins share would
        be smaller alike. What is tried is between both.
        """
        squares, sizes = np.square(self.spread), np.abs(self.found)
        typical = np.sqrt(squares.mean(axis=1, keepdims=True))
        size = np.maximum(np.sqrt(np.square(sizes).mean(axis=1, keepdims=True)), LEAST)
        likeliest = squares / typical
        alike = sizes / size * np.sqrt(np.square(likeliest).mean(axis=1, keepdims=True))
        return np.asarray((1 - _ALIKE) * likeliest + _ALIKE * alike, dtype=np.float64)

    def _statistic(self, gaps: NDArray[np.floating]) -> Floats:
        """What is tested, per column of ``gaps``: like the sum of their sizes, but steeper where noise hides them."""
        width = (_NEAR * self.spread[:, :, None]).astype(np.float32)
        size = np.abs(gaps)
        near = np.minimum(size, width)
        return np.asarray((size + _MORE * near * (1 - near / (2 * width))).sum(axis=1), dtype=np.float64)


def _away(found: Floats, *, covariance: Floats, axis: Floats) -> Floats:
    """In which direction the gaps lie that are the likeliest of all that sum up to more than ``found``.

    Each grows with its own sign; or, if that is likelier, all grow as the noise that they have in common (``axis``).
    """
    common = np.where(axis * np.sum(axis * found, axis=1, keepdims=True) < 0, -1.0, 1.0)
    signs = np.stack([np.where(found < 0, -1.0, 1.0), common])
    moved = np.einsum("sij,csj->csi", covariance, signs)
    reach = np.sqrt(np.maximum((signs * moved).sum(axis=2), LEAST**2))
    far = np.abs(found).sum(axis=1) + 2 * reach.max(axis=0)
    cost = (far - (signs * found).sum(axis=2)) / reach
    best = np.where((cost[1] < cost[0])[:, None], moved[1], moved[0])
    size = np.sqrt(np.trace(covariance, axis1=1, axis2=2) / CALIBRATION_BINS)
    return np.asarray(best / np.maximum(size, LEAST)[:, None], dtype=np.float64)


@cache
def _normal() -> Floats:
    """Normal draws, the same for every segment: shape (bins, draws), of mean 0 and covariance 1 exactly.

    Of a Sobol sequence, scrambled (Owen 1998), because as many random ones are off by several per cent in what they
    show.
    """
    drawn = ndtri(qmc.Sobol(CALIBRATION_BINS, rng=0).random(_DRAWS)).T
    drawn -= drawn.mean(axis=1, keepdims=True)
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
