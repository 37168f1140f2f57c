"""How sure a figure is: its 95 % interval for every segment at once, from how far units move it.

Wilson's for shares, symmetrical on the logit scale for areas and on the log scale for losses; what units move is in
``influences.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaincinv, logit, stdtrit

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.judge.families import Grouped
from mlops_assets.judge.influences import Influences, mean_influences

CONFIDENCE = 0.95
_TAIL = (1 - CONFIDENCE) / 2
_FEW = 3


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Lower and upper ends per segment, float64 of shape (segments,), and the name of the method that made
    them.
    """

    lower: Floats
    upper: Floats
    method: str


def quantile(freedom: Ints | Floats, *, confidence: float = CONFIDENCE) -> Floats:
    """The two-sided quantile (of 95 % by default) of Student's t with that many degrees of freedom, at least 1."""
    with np.errstate(invalid="ignore"):
        return np.asarray(stdtrit(np.maximum(freedom, 1), 1 - (1 - confidence) / 2))


def wilson(share: Floats, *, count: Floats, z: Floats | float) -> tuple[Floats, Floats]:
    """Wilson's score interval (1927) of a ``share`` seen in ``count`` (effective) trials; Brown, Cai &
    DasGupta 2001.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        shrink = 1 + np.square(z) / count
        centre = (share + np.square(z) / (2 * count)) / shrink
        half = z * np.sqrt(share * (1 - share) / count + np.square(z) / (4 * np.square(count))) / shrink
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def count_bounds(hits: Floats, *, count: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Wilson's interval of whole ``hits`` among ``count`` rows, modified where up to three are hits, or are not.

    There Poisson's lower bound is nearer to 0 (Brown, Cai & DasGupta 2001, section 4.1.1): without it a share of which
    a fifth of a hit is to be expected would be held 84 times in 100.
    """
    z = quantile(np.array([np.inf]), confidence=confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        lower, upper = wilson(hits / count, count=count, z=z)
        least, most = (_of_few(each, count=count, confidence=confidence) for each in (hits, count - hits))
    return np.fmin(lower, least), np.fmax(upper, 1 - most)


def _of_few(cases: Floats, *, count: Floats, confidence: float) -> Floats:
    """Poisson's lower bound of the share that one to ``_FEW`` cases are; not a number for none and for more."""
    few = (cases >= 1) & (cases <= _FEW)
    return np.where(few, gammaincinv(np.maximum(cases, 1), 1 - confidence) / count, np.nan)


def mean_bounds(grouped: Grouped, *, of: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Bounds]:
    """The weighted mean per segment of ``of`` (in the order of the segments) and its bounds."""
    mean, moves = mean_influences(grouped, of=of)
    half = quantile(moves.freedom, confidence=confidence) * moves.error
    return mean, Bounds(lower=mean - half, upper=mean + half, method="Student's t, linearised")


def share_bounds(
    grouped: Grouped, *, among: Floats, hit: Floats, confidence: float = CONFIDENCE
) -> tuple[Floats, Bounds]:
    """The weighted share of ``hit`` rows ``among`` others (both 0/1, in the order of the segments) and its
    bounds.

    Weights and clusters enter as the effective number of rows of the linearised variance (Dean & Pagano
    2015). It may exceed the number of rows: cut there (Korn & Graubard 1998), the bounds of a dozen clusters would hold
    the truth 98 times in 100.
    """
    if not grouped.rows.clustered and not grouped.weighted:
        rows, hits = grouped.tally(among), grouped.tally(among * hit)
        lower, upper = count_bounds(hits, count=rows, confidence=confidence)
        with np.errstate(invalid="ignore", divide="ignore"):
            return hits / rows, Bounds(lower=lower, upper=upper, method="Wilson, modified")
    share, moves = mean_influences(grouped, of=hit, among=among)
    with np.errstate(invalid="ignore", divide="ignore"):
        effective = share * (1 - share) / np.square(moves.error)
    effective = np.where(moves.error > 0, effective, _kish(grouped, among=among))
    lower, upper = wilson(share, count=effective, z=quantile(moves.freedom, confidence=confidence))
    return share, Bounds(lower=lower, upper=upper, method="Wilson, effective rows")


def _kish(grouped: Grouped, *, among: Floats) -> Floats:
    """The effective number of units per segment as far as their weights alone tell (Kish 1965)."""
    mass, segment = grouped.per_unit(grouped.weights * among)
    total, squares = (
        np.bincount(segment, weights=mass**power, minlength=grouped.segments).astype(np.float64) for power in (1, 2)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.square(total) / squares)


def logit_bounds(value: Floats, *, error: Floats, t: Floats, cases: Ints, method: str, tail: float = _TAIL) -> Bounds:
    """Bounds that are symmetric on the logit scale, for values between 0 and 1 (Boyd, Eng & Page 2013).

    A value of exactly 0 or 1 has no spread to measure; its bounds are those of ``cases`` hits out of
    ``cases`` (Clopper & Pearson 1934), of which ``tail`` is beyond either end.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        centre, half = logit(value), t * error / (value * (1 - value))
        lower, upper = expit(centre - half), expit(centre + half)
        certain = tail ** (1 / cases)
    lower = np.where(value >= 1, certain, np.where(value <= 0, 0.0, lower))
    upper = np.where(value >= 1, 1.0, np.where(value <= 0, 1 - certain, upper))
    return Bounds(lower=np.minimum(lower, value), upper=np.maximum(upper, value), method=method)


def shifted_share_bounds(grouped: Grouped, *, value: Floats, moves: Influences) -> Bounds:
    """Of mean score minus share of positives, which units move so far: the share's Wilson interval turned round.

    Shares near 0 or 1 have an error that moves with them, which Student's t would not know.
    """
    share = grouped.means(grouped.rows.labels)
    with np.errstate(invalid="ignore", divide="ignore"):
        effective = share * (1 - share) / np.square(moves.error)
    lower, upper = wilson(share, count=effective, z=quantile(moves.freedom))
    lower, upper = (np.where(moves.error > 0, end, share) for end in (lower, upper))
    return Bounds(lower=value + share - upper, upper=value + share - lower, method="Wilson, effective rows")


def area_bounds(value: Floats, *, moves: Influences, cases: Ints, method: str) -> Bounds:
    """Bounds on the logit scale of an area under a curve that units move so far."""
    return logit_bounds(
        value, error=moves.error, t=quantile(moves.freedom), cases=cases, method=f"{method}, logit scale"
    )


def plain_bounds(value: Floats, *, error: Floats, t: Floats, method: str) -> Bounds:
    """Bounds that are symmetric."""
    return Bounds(lower=value - t * error, upper=value + t * error, method=method)


def log_bounds(value: Floats, *, error: Floats, t: Floats, method: str) -> Bounds:
    """Bounds that are symmetric on the log scale, for losses above 0."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        factor = np.exp(np.where(value > 0, t * error / value, 0.0))
        return Bounds(lower=value / factor, upper=value * factor, method=method)
