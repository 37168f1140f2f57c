"""How log odds would have to be bent to be right: the logistic regression of outcomes on them (Cox 1958), by segment.

A slope of 1 is right, below 1 scores are too extreme, above too timid (Van Calster et al. 2019). On plain arrays; how
far rows move a slope is in ``influences.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

Floats = NDArray[np.float64]
_MOST_STEPS, _LONGEST, _NEAR = 60, 1.0, 1e-5
"""Newton's steps; how far one may move log odds (in the root mean square), because from far off it would go beyond what
is sought and never return; and after which one there is no need of another, because its square is what is left.
"""
RIGHT = np.array([[0.0], [1.0]])
"""The intercept and slope of scores that are right."""


def log_odds(scores: Floats) -> Floats:
    """Of scores that are kept a machine epsilon away from 0 and 1."""
    least = np.finfo(np.float64).eps
    return np.asarray(logit(np.clip(scores, least, 1 - least)), dtype=np.float64)


def recalibrated(
    odds: Floats, labels: Floats, weights: Floats, *, counts: NDArray[np.signedinteger], start: Floats
) -> Floats:
    """Intercept and slope of every segment, of shape (2, segments), by Newton's method from ``start``, of shape (2, 1).

    ``counts`` are the rows of each segment, one after the other; those of segments that are done are left out of
    further steps. NaN where there is no row, log odds are all alike, or they separate the outcomes.
    """
    found, live = np.full((2, len(counts)), np.nan), np.flatnonzero(counts)
    at, counts = np.repeat(np.where(np.isfinite(start), start, RIGHT), len(live), axis=1), counts[live]
    mean, square = _moments(odds, weights, counts=counts)
    for _ in range(_MOST_STEPS):
        step = _step(odds, labels, weights, counts=counts, at=at)
        length = np.sqrt(np.square(step[0] + step[1] * mean) + np.square(step[1]) * square)
        with np.errstate(invalid="ignore", divide="ignore"):
            at = at + step * np.minimum(1, _LONGEST / length)
        going = length > _NEAR  # not a number is done too
        found[:, live[~going]] = at[:, ~going]
        if not going.any():
            break
        if not going.all():
            rows = np.repeat(going, counts)
            odds, labels, weights = odds[rows], labels[rows], weights[rows]
            live, at, counts, mean, square = live[going], at[:, going], counts[going], mean[going], square[going]
    return found


def _moments(odds: Floats, weights: Floats, *, counts: NDArray[np.signedinteger]) -> tuple[Floats, Floats]:
    """Mean of the log odds per segment, and mean square around it."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    mass = np.add.reduceat(weights, starts)
    mean = np.add.reduceat(weights * odds, starts) / mass
    around = np.square(odds - np.repeat(mean, counts))
    return np.asarray(mean), np.asarray(np.add.reduceat(weights * around, starts) / mass)


def _step(odds: Floats, labels: Floats, weights: Floats, *, counts: NDArray[np.signedinteger], at: Floats) -> Floats:
    """Newton's step of intercept and slope per segment; NaN where log odds do not differ."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    intercept, steepness = (np.repeat(each, counts) for each in at)
    with np.errstate(over="ignore"):
        chance = 1 / (1 + np.exp(-intercept - steepness * odds))  # in a third of the time of scipy's
    missed = weights * (labels - chance)
    spread = weights * chance * (1 - chance)
    tilted = spread * odds
    mass, first, second, short, slanted = (
        np.add.reduceat(each, starts) for each in (spread, tilted, tilted * odds, missed, missed * odds)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        differ = mass * second - np.square(first)
        differ = np.where(differ > 1e-12 * mass * second, differ, np.nan)
        return np.stack([(second * short - first * slanted) / differ, (mass * slanted - first * short) / differ])
