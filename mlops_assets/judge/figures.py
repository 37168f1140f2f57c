"""The figures of a family of segments: what each metric is, and what its intervals and paired tests are made of.

A figure is a value per segment, how far each unit moves it (``influences.py``) and what its interval needs
(``estimate.py``). From these follow its interval, the paired test of two models, and a mean over classes: one engine
for two outcomes, classes and numbers. Which metrics there are is in ``metrics.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.tasks import Multiclass, Regression
from mlops_assets.judge.estimate import (
    AREA,
    CALIBRATION,
    ENOUGH_TO_COMPARE_CLASSES,
    RARER_OF_CALIBRATION,
    too_few,
    too_few_among,
    too_few_in_order,
    too_few_outcomes,
)
from mlops_assets.judge.families import Grouped, average_precision, calibration_gaps, roc_auc
from mlops_assets.judge.influences import (
    Influences,
    average_precision_influence,
    delong_influences,
    influences,
    mean_influences,
    slope_influence,
    together,
)
from mlops_assets.judge.intervals import (
    Bounds,
    area_bounds,
    log_bounds,
    plain_bounds,
    quantile,
    share_bounds,
    shifted_share_bounds,
)

LINEARISED = "Student's t, linearised"
Scale = Literal["plain", "log"]
Shortfalls = Sequence[str | None]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One metric of every segment of a family: its ``value``, of shape (segments,), and what each segment is
    ``lacking`` to be told, ``None`` for nothing.

    ``moves`` is how far units move it, ``bounds`` its 95 % interval; a point figure has neither. ``alone`` says what it
    lacks to be told by itself, where a difference of two models needs less.
    """

    value: Floats
    lacking: Shortfalls
    moves: Callable[[], Influences] | None = None
    bounds: Callable[[], Bounds] | None = None
    method: str = LINEARISED
    alone: Shortfalls | None = None


def smooth(value: Floats, moves: Influences, *, lacking: Shortfalls, scale: Scale = "plain") -> Figure:
    """A figure that units move so far, with its interval on the scale on which it is nearest to normal."""

    def bounds() -> Bounds:
        on_scale = log_bounds if scale == "log" else plain_bounds
        return on_scale(value, error=moves.error, t=quantile(moves.freedom), method=f"{LINEARISED}, {scale} scale")

    return Figure(value=value, lacking=lacking, moves=lambda: moves, bounds=bounds)


def mean(family: Grouped, *, of: Floats, scale: Scale = "plain", lacking: Shortfalls | None = None) -> Figure:
    """The weighted mean of one number per row, in the order of ``family``.

    Of classes two models are compared on fewer rows than one is told by itself: a small data set has no more.
    """
    value, moves = mean_influences(family, of=of)
    if lacking is None and isinstance(family.rows.task, Multiclass):
        compared = smooth(value, moves, lacking=too_few(family, need=ENOUGH_TO_COMPARE_CLASSES), scale=scale)
        return replace(compared, alone=too_few(family))
    return smooth(value, moves, lacking=too_few(family) if lacking is None else lacking, scale=scale)


def share(family: Grouped, *, hit: Floats, among: Floats | None = None, called: str = "rows") -> Figure:
    """The weighted share of ``hit`` rows ``among`` some that are ``called`` so; all are 0 or 1, in the order of
    ``family``.
    """
    chosen = np.ones(len(family.labels)) if among is None else among
    of = family.tally if not family.weighted else family.weight_of
    with np.errstate(invalid="ignore", divide="ignore"):
        value = of(chosen * hit) / of(chosen)
    return Figure(
        value=value,
        lacking=too_few_among(family, among=chosen, called=called),
        moves=cache(lambda: mean_influences(family, of=hit, among=chosen)[1]),
        bounds=lambda: share_bounds(family, among=chosen, hit=hit)[1],
    )


def macro(figures: Sequence[Figure], *, classes: Sequence[str]) -> Figure:
    """The plain mean of one figure of each of the ``classes``, each of which must have what it needs."""
    value = np.mean([each.value for each in figures], axis=0)
    moves = cache(lambda: together(*((1 / len(figures), each.moves()) for each in figures if each.moves)))

    def bounds() -> Bounds:
        return area_bounds(value, moves=moves(), cases=moves().units, method=LINEARISED)

    named = (
        [f"{word}: {each}" if each else None for each in f.lacking] for word, f in zip(classes, figures, strict=True)
    )
    lacking = [next((each for each in of_segment if each), None) for of_segment in zip(*named, strict=True)]
    return Figure(value=value, lacking=lacking, moves=moves, bounds=bounds)


def area(family: Grouped) -> Figure:
    """The area under the ROC curve, by DeLong."""
    value = roc_auc(family)
    moves = delong_influences(family, components=family.beaten, area=value)
    fewer = np.minimum(family.positive_counts, family.counts - family.positive_counts)
    return Figure(
        value=value,
        lacking=too_few(family, need=AREA),
        moves=lambda: moves,
        bounds=lambda: area_bounds(value, moves=moves, cases=fewer, method="DeLong"),
        method="DeLong",
    )


def precision_over_recall(family: Grouped) -> Figure:
    """Average precision."""
    value, moves = average_precision(family), influences(family, average_precision_influence(family))
    return Figure(
        value=value,
        lacking=too_few(family),
        alone=too_few_in_order(family),
        moves=lambda: moves,
        bounds=lambda: area_bounds(value, moves=moves, cases=family.positive_counts, method=LINEARISED),
    )


def calibration_error(family: Grouped) -> Figure:
    """Mean absolute difference between mean score and share of positives over 10 bins of equally many rows: a point.

    Naeini et al. 2015 with equal-mass bins (Nixon et al. 2019); equal scores share a bin.
    """
    lacking = too_few_outcomes(family, rarer=RARER_OF_CALIBRATION, need=CALIBRATION)
    return Figure(value=np.abs(calibration_gaps(family)).sum(axis=1), lacking=lacking)


def in_the_large(family: Grouped) -> Figure:
    """Mean score minus share of positives.

    Its interval is Wilson's of the share, shifted by the mean score, of as many rows as its own standard error tells.
    """
    value, moves = mean_influences(family, of=family.scores - family.labels)
    return Figure(
        value=value,
        lacking=too_few(family),
        moves=lambda: moves,
        bounds=lambda: shifted_share_bounds(family, value=value, moves=moves),
    )


def slope(family: Grouped) -> Figure:
    """The calibration slope."""
    value, part = slope_influence(family)
    lacking = [
        each or (None if np.isfinite(found) else "scores are all alike, or separate the outcomes")
        for each, found in zip(too_few_outcomes(family, rarer=RARER_OF_CALIBRATION), value, strict=True)
    ]
    return smooth(value, influences(family, part), lacking=lacking)


def f1(family: Grouped) -> Figure:
    """By its Jaccard index, which is a share: hits among the rows that are positive, or decided so."""
    jaccard = share(
        family,
        among=np.maximum(family.labels, family.decided),
        hit=family.labels * family.decided,
        called="positives, actual or predicted",
    )
    index, moves, bounds = jaccard.value, jaccard.moves, jaccard.bounds
    assert moves is not None
    assert bounds is not None

    def of_f1() -> Bounds:
        found = bounds()
        lower, upper = _f1(found.lower), _f1(found.upper)
        return Bounds(lower=lower, upper=upper, method=f"{found.method} of the Jaccard index")

    steepness = 2 / np.square(1 + index)
    return Figure(value=_f1(index), lacking=jaccard.lacking, moves=lambda: together((steepness, moves())), bounds=of_f1)


def _f1(jaccard: Floats) -> Floats:
    return np.asarray(2 * jaccard / (1 + jaccard), dtype=np.float64)


def root_mean_square(family: Grouped) -> Figure:
    """Of the errors of numbers."""
    square, moves = mean_influences(family, of=np.square(family.scores - family.labels))
    root = np.sqrt(square)
    with np.errstate(invalid="ignore", divide="ignore"):
        steepness = np.where(root == 0, 0.0, 1 / (2 * root))
    return smooth(root, together((steepness, moves)), lacking=too_few(family), scale="log")


def explained(family: Grouped) -> Figure:
    """R²: one minus the squared errors over the squares around the mean; its interval is made for the ratio."""
    own = family.shares
    around = family.labels - family.per_row(family.sums(own * family.labels))
    with np.errstate(invalid="ignore", divide="ignore"):
        total = family.sums(family.weights * np.square(around))
        missed = family.sums(family.weights * np.square(family.scores - family.labels)) / total
        left = np.square(family.scores - family.labels) - family.per_row(missed) * np.square(around)
        moves = influences(family, (family.weights * left / family.per_row(total), own))
    ratio = smooth(missed, moves, lacking=too_few(family), scale="log")

    def bounds() -> Bounds:
        assert ratio.bounds is not None
        found = ratio.bounds()
        return Bounds(lower=1 - found.upper, upper=1 - found.lower, method=found.method)

    return Figure(value=1 - missed, lacking=ratio.lacking, moves=lambda: together((-1.0, moves)), bounds=bounds)


def pinball(family: Grouped) -> Figure:
    """Of the task's quantile, the median without one."""
    task, missed = family.rows.task, family.scores - family.labels
    level = task.quantile if isinstance(task, Regression) and task.quantile is not None else 0.5
    return mean(family, of=np.maximum(-level * missed, (1 - level) * missed), scale="log")
