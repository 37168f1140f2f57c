"""The calibration slope: how much steeper outcomes follow the log odds of scores than scores say.

Labels are regressed on the log odds by logistic regression with an intercept (Cox 1958): a slope of 1 is right, below
1 scores are too extreme, above too timid (Van Calster et al. 2019). What moves it follows from its estimating equations
(Huber 1967; Stefanski & Boos 2002), so weights, clusters and paired tests are those of every other figure.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from mlops_assets.contract.arrays import Floats
from mlops_assets.judge.families import SMALLEST, Grouped

_MOST_STEPS, _LONGEST, _NEAR = 40, 4.0, 1e-6
"""Newton's steps; how far one may go, because outcomes that scores nearly separate would send it too far; and after
which one there is no need of another, because its square is what is left.
"""


def recalibration(grouped: Grouped) -> tuple[Floats, tuple[Floats, Floats]]:
    """The slope per segment, and of each row how far it moves it and its share of what it rests on (``influences``).

    NaN where scores are all alike, or separate the outcomes.
    """
    odds = log_odds(grouped.scores)
    whole = np.zeros(len(odds), dtype=grouped.segment.dtype)
    start = _fit(odds, grouped.labels, grouped.weights, segment=whole, start=np.array([[0.0], [1.0]]))
    start = np.where(np.isfinite(start), start, [[0.0], [1.0]]).repeat(grouped.segments, axis=1)
    found = _fit(odds, grouped.labels, grouped.weights, segment=grouped.segment, start=start)
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = expit(found[0][grouped.segment] + found[1][grouped.segment] * odds)
        spread = grouped.weights * chance * (1 - chance)
        middle = grouped.sums(spread * odds) / grouped.sums(spread)
        beside = odds - middle[grouped.segment]
        total = grouped.sums(spread * np.square(beside))[grouped.segment]
        moved = grouped.weights * (grouped.labels - chance) * beside / total
        return found[1], (moved, spread * np.square(beside) / total)


def log_odds(scores: Floats) -> Floats:
    """Of scores that are kept a machine epsilon away from 0 and 1."""
    return np.asarray(logit(np.clip(scores, SMALLEST, 1 - SMALLEST)), dtype=np.float64)


def _fit(odds: Floats, labels: Floats, weights: Floats, *, segment: np.ndarray, start: Floats) -> Floats:
    """Intercept and slope of every segment, of shape (2, segments), by Newton's method from ``start`` on.

    Rows of segments that are done are left out of further steps.
    """
    found, live = start.copy(), np.ones(start.shape[1], dtype=bool)
    for _ in range(_MOST_STEPS):
        step = _step(odds, labels, weights, segment=segment, at=found)
        length = np.abs(step).max(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[:, live] += (step * np.minimum(1, _LONGEST / length))[:, live]
        live &= length > _NEAR  # not a number is done too
        if not live.any():
            break
        rows = live[segment]
        odds, labels, weights, segment = odds[rows], labels[rows], weights[rows], segment[rows]
    found[:, live] = np.nan
    return found


def _step(odds: Floats, labels: Floats, weights: Floats, *, segment: np.ndarray, at: Floats) -> Floats:
    """Newton's step of intercept and slope per segment; NaN without rows, or where log odds do not differ."""

    def sums(values: Floats) -> Floats:
        return np.bincount(segment, weights=values, minlength=at.shape[1]).astype(np.float64)

    chance = expit(at[0][segment] + at[1][segment] * odds)
    missed, spread = weights * (labels - chance), weights * chance * (1 - chance)
    mass, first, second = sums(spread), sums(spread * odds), sums(spread * np.square(odds))
    short, tilted = sums(missed), sums(missed * odds)
    with np.errstate(invalid="ignore", divide="ignore"):
        differ = mass * second - np.square(first)
        differ = np.where(differ > 1e-12 * mass * second, differ, np.nan)
        return np.stack([(second * short - first * tilted) / differ, (mass * tilted - first * short) / differ])
