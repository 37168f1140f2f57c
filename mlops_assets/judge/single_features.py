"""How well each feature alone tells the label: better than can be believed, it is taken for leakage.

Of two outcomes that is the area under the ROC curve, whichever way round. Of classes it is that of each class against
the rest, and their mean by how frequent classes are (Provost & Domingos 2001). Of numbers it is the concordance: how
often the row with the larger value of the feature has the larger label (Harrell et al. 1982), which of two outcomes is
the area. All go from 0.5, knowing nothing, to 1. Of normal values that correlate by r the concordance is
1/2 + arcsin(r)/pi (Kruskal 1958): 0.85 is r = 0.89, and 0.95 is r = 0.988.

A feature is above a limit if the lower end of its interval is. Every feature is a look, and of classes every class:
intervals hold for all looks together with 95 % (Bonferroni), so that of many honest features none is suspected by
chance. Fewer rows than ``needed`` could not even show a copy of the label to be above; then the check says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.features import Feature
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.tasks import Multiclass, Regression, Task
from mlops_assets.judge.estimate import AREA
from mlops_assets.judge.families import Grouped, Rows, roc_auc
from mlops_assets.judge.influences import delong_influences
from mlops_assets.judge.intervals import CONFIDENCE, logit_bounds, quantile

NOT_TOO_GOOD = "no_feature_alone_tells_the_label"
HARDLY_TELLS = "no_feature_alone_nearly_tells_the_label"
WORTH_A_LOOK = 0.85
"""From here on a feature is told, above what the use case finds suspicious it is refused."""
MOST_ROWS = 40_000
"""How many rows, evenly spaced, single features are judged on: their interval says what that leaves unsure."""
MOST_ROWS_OF_NUMBERS = 1_500
"""The same of numbers, whose rows are compared in pairs."""
BINS, ROWS_OF_BIN = 64, 30
"""How many groups of about equally many rows a number is cut into at most where it is to tell classes apart, and how
many rows each has at least.
"""
LABEL = "the label"
MEASURES = {Multiclass: "mean ROC AUC of the classes", Regression: "concordance"}


@dataclass(frozen=True, kw_only=True)
class Alone:
    """How well ``feature`` alone tells the label, or ``of`` it one class; ``lower`` holds for all looks together."""

    feature: str
    figure: float
    lower: float
    of: str = LABEL

    def told(self, *, measure: str) -> str:
        """As a sentence without its end."""
        return (
            f"'{self.feature}' alone ranks {self.of} with a {measure} of {self.figure:.4f} (at least {self.lower:.4f}"
        )


@dataclass(frozen=True, kw_only=True)
class _Figure:
    """``value`` with its standard ``error``, known with so much ``freedom``; ``cases`` are the rows that a perfect one
    rests on.
    """

    value: float
    error: float
    freedom: float
    cases: int
    of: str = LABEL

    def lower(self, *, tail: float) -> float:
        """The lower end of the interval that ``tail`` of such are below, symmetrical on the logit scale."""
        t = quantile(np.array([self.freedom]), confidence=1 - 2 * tail)
        value, error, cases = np.array([self.value]), np.array([self.error]), np.array([self.cases])
        return float(logit_bounds(value, error=error, t=t, cases=cases, method="", tail=tail).lower[0])


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What each feature tells alone, the strongest first: of the label as a whole, then of classes, of ``rows`` rows.

    ``cases`` are the rows that a perfect figure rests on, ``tail`` is what is beyond each end of an interval.
    """

    rows: int
    cases: int
    tail: float
    features: tuple[tuple[Alone, ...], ...]

    def described(self, *, limit: float, measure: str) -> dict[str, Figure]:
        """The figures of a check of ``limit``; that not even a copy of the label could be above it: of perfect figures
        the lower end is Clopper and Pearson's of as many hits as cases.
        """
        strongest, needed = self.features[0][0], math.ceil(math.log(self.tail) / math.log(limit))
        short = f"{self.cases} rows of the rarer outcomes, needs {needed}"
        return {
            "limit": limit,
            "rows": self.rows,
            "features": len(self.features),
            "measure": measure,
            "strongest": strongest.feature,
            "strongest_figure": strongest.figure,
            **({} if self.cases >= needed else {"insufficient_data": short}),
        }


def look_at(view: pa.Table, *, labels: Floats, features: Sequence[Feature], task: Task) -> Looks:
    """Every feature of ``view`` alone; ``labels``, one per row, are not all the same."""
    every = max(-(-len(labels) // (MOST_ROWS_OF_NUMBERS if isinstance(task, Regression) else MOST_ROWS)), 1)
    view, labels = view.take(np.arange(0, len(labels), every)), labels[::every]
    found = [(each.name, _figures(view.column(each.name), each, labels=labels, task=task)) for each in features]
    tail = (1 - CONFIDENCE) / 2 / max(sum(len(figures) for _, figures in found), 1)
    looks = [
        tuple(Alone(feature=name, figure=each.value, lower=each.lower(tail=tail), of=each.of) for each in figures)
        for name, figures in found
    ]
    looks.sort(key=lambda figures: (-figures[0].figure, figures[0].feature))
    return Looks(rows=len(labels), cases=found[0][1][0].cases, tail=tail, features=tuple(looks))


def audit_single_features(
    view: pa.Table, *, labels: Floats, features: Sequence[Feature], task: Task, limit: float
) -> tuple[CheckResult, CheckResult]:
    """``NOT_TOO_GOOD``: no feature alone tells the label surely better than ``limit``; and ``HARDLY_TELLS``, which
    warns of every other that is surely above ``WORTH_A_LOOK``, of a single class too.

    ``labels`` are one per row of ``view``; where they are all the same nothing can be judged, and the first fails.
    """
    measure, suspicious = MEASURES.get(type(task), "ROC AUC"), min(WORTH_A_LOOK, limit)
    if len(np.unique(labels)) < 2:
        reason = (
            "The label is the same in every row, so that nothing can be learnt: mend how it is made of its column, or "
            "land rows with another outcome."
        )
        return CheckResult(name=NOT_TOO_GOOD, passed=False, reasons=(reason,)), _warning({}, [], measure=measure)
    looks = look_at(view, labels=labels, features=features, task=task)
    refused = [figures[0] for figures in looks.features if figures[0].lower > limit]
    others = [max(figures, key=lambda each: each.lower) for figures in looks.features if figures[0] not in refused]
    reasons = tuple(
        f"{each.told(measure=measure)}, up to {limit:g} is allowed): is it known at the moment of prediction? "
        "If so, raise suspicious_roc_auc; if not, leave it out."
        for each in refused
    )
    figures = looks.described(limit=limit, measure=measure)
    suspects = [each for each in others if each.lower > suspicious]
    return (
        CheckResult(name=NOT_TOO_GOOD, passed=not refused, figures=figures, reasons=reasons),
        _warning(looks.described(limit=suspicious, measure=measure), suspects, measure=measure),
    )


def _warning(figures: dict[str, Figure], suspects: Sequence[Alone], *, measure: str) -> CheckResult:
    return CheckResult(
        name=HARDLY_TELLS,
        passed=not suspects,
        severity=Severity.WARN,
        figures={**figures, "suspects": len(suspects)},
        reasons=tuple(
            f"{each.told(measure=measure if each.of == LABEL else 'ROC AUC')}): make sure that it is known at the "
            "moment of prediction."
            for each in suspects
        ),
    )


def _figures(column: pa.ChunkedArray, feature: Feature, *, labels: Floats, task: Task) -> list[_Figure]:
    """Of the label as a whole first, then of each class that has rows enough."""
    if isinstance(task, Multiclass):
        return _of_classes(column, feature, labels=labels.astype(np.int64), classes=task.classes)
    if isinstance(task, Regression):
        return [_of_numbers(column, feature, labels=labels)]
    area, values = ranked_by(column, feature=feature, labels=labels)
    return [_of_outcomes(area, values, labels=labels)]


def ranked_by(column: pa.ChunkedArray, *, feature: Feature, labels: Floats) -> tuple[float, Floats]:
    """The area under the ROC curve of one feature alone, at least 0.5, and the values that rank the rows so.

    Missing values rank together, below or above all others, and the order is turned round, as it separates the outcomes
    best. Categories rank by their share of positives among the other half of the rows, so that rare ones do not look
    telling by chance.
    """
    values = _values(column, feature, labels=labels)
    missing, positive = np.isnan(values), labels == 1
    beaten = _pairs_won(values[~missing & positive], over=values[~missing & ~positive])
    positives, negatives = positive.sum(), (~positive).sum()
    lost_positives, lost_negatives = (missing & positive).sum(), (missing & ~positive).sum()
    ties = lost_positives * lost_negatives / 2
    below = (beaten + (positives - lost_positives) * lost_negatives + ties) / (positives * negatives)
    above = (beaten + lost_positives * (negatives - lost_negatives) + ties) / (positives * negatives)
    area, sign, fill = max((below, 1, -np.inf), (1 - below, -1, -np.inf), (above, 1, np.inf), (1 - above, -1, np.inf))
    return float(area), sign * np.where(missing, fill, values)


def _values(column: pa.ChunkedArray, feature: Feature, *, labels: Floats) -> Floats:
    """Numbers as they are, categories by the mean label that they have in the other half of the rows."""
    if feature.kind != "categorical":
        return np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64)
    codes, count = _codes(column)
    means = np.empty(len(codes))
    for half in (0, 1):
        known, seen = codes[1 - half :: 2], labels[1 - half :: 2]
        with np.errstate(invalid="ignore"):
            mean = np.bincount(known, weights=seen, minlength=count) / np.bincount(known, minlength=count)
        means[half::2] = mean[codes[half::2]]
    return means


def _codes(column: pa.ChunkedArray) -> tuple[Ints, int]:
    """A number per value, a missing one included, and how many there are."""
    coded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    return np.asarray(coded.indices, dtype=np.int64), max(len(coded.dictionary), 1)


def _pairs_won(positives: Floats, *, over: Floats) -> float:
    """Pairs in which the positive is larger, ties counted half (Mann & Whitney 1947)."""
    negatives, wanted = np.sort(over), np.sort(positives)
    smaller = np.searchsorted(negatives, wanted, side="left").sum()
    return float(smaller + np.searchsorted(negatives, wanted, side="right").sum()) / 2


def _of_outcomes(area: float, values: Floats, *, labels: Floats) -> _Figure:
    """With DeLong's standard error."""
    order, ones = np.argsort(values, kind="stable"), np.ones(len(values))
    rows = Rows(labels=labels[order], scores=values[order], weights=ones, units=np.arange(len(order)))
    grouped = Grouped(rows, codes=np.zeros(len(order), dtype=np.int32), segments=1)
    moves = delong_influences(grouped, components=grouped.beaten, area=roc_auc(grouped))
    positives = int(labels.sum())
    return _Figure(
        value=area,
        error=float(moves.error[0]),
        freedom=float(moves.freedom[0]),
        cases=min(positives, len(labels) - positives),
    )


def _of_classes(column: pa.ChunkedArray, feature: Feature, *, labels: Ints, classes: Sequence[str]) -> list[_Figure]:
    """Values rank the rows for each class by its share among rows of the same value, or bin, in the other half of the
    rows, so that a class may be told by values in the middle. Areas and DeLong's errors follow from counts alone.
    """
    codes, count = _codes(column) if feature.kind == "categorical" else _binned(column)
    halves = np.arange(len(codes)) % 2
    cells = np.bincount((halves * count + codes) * len(classes) + labels, minlength=2 * count * len(classes))
    counts: Floats = cells.reshape(2 * count, len(classes)).astype(np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.roll(np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0), count, axis=0)
    areas, moved = _areas(counts, shares)
    rows, present = counts.sum(axis=0), counts.sum(axis=0) > 0
    weights = np.where(present, rows, 0) / rows.sum()
    others = rows.sum() - rows

    def figure(weight: Floats, *, cases: float, of: str = LABEL) -> _Figure:
        squares = np.square(moved @ weight)
        error, fourth = math.sqrt(float((counts * squares).sum())), float((counts * np.square(squares)).sum())
        freedom = max(2 * error**4 / fourth, 1.0) if fourth else math.inf  # Satterthwaite 1946
        return _Figure(value=float(areas @ weight), error=error, freedom=freedom, cases=int(cases), of=of)

    single = [
        figure(np.eye(len(classes))[k], cases=min(rows[k], others[k]), of=f"class '{classes[k]}'")
        for k in np.flatnonzero(np.minimum(rows, others) >= AREA["positives"]).tolist()
    ]
    return [figure(weights, cases=others.min()), *single]


def _binned(column: pa.ChunkedArray) -> tuple[Ints, int]:
    """The bin of each number; a missing one has a bin of its own."""
    values = np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64)
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    bins = max(min(BINS, len(known) // ROWS_OF_BIN), 2)
    edges = distinct if len(distinct) <= bins else np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values)), len(edges) + 2


def _areas(counts: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Of each class against the rest the area, and how far a row of each cell and class moves it: of shapes (classes,)
    and (cells, classes, classes). ``counts`` and ``shares`` have shape (cells, classes); a class without rows has 0.
    """
    cells, classes = counts.shape
    areas, moved = np.zeros(classes), np.zeros((cells, classes, classes))
    for k in np.flatnonzero(counts.sum(axis=0) > 0):
        positive, negative = counts[:, k], counts.sum(axis=1) - counts[:, k]
        _, run = np.unique(shares[:, k], return_inverse=True)
        won = _beaten(negative, run)  # the share of the rest that a row of this cell outranks
        lost = 1 - _beaten(positive, run)
        areas[k] = (positive * won).sum() / positive.sum()
        moved[:, :, k] = ((lost - areas[k]) / max(negative.sum(), 1))[:, None]
        moved[:, k, k] = (won - areas[k]) / positive.sum()
    return areas, moved


def _beaten(counts: Floats, run: Ints) -> Floats:
    """Per cell the share of ``counts`` in cells of a lower run, ties counted half."""
    mass = np.bincount(run, weights=counts)
    below = np.cumsum(mass) - mass
    return np.asarray(((below + mass / 2) / max(mass.sum(), 1))[run], dtype=np.float64)


def _of_numbers(column: pa.ChunkedArray, feature: Feature, *, labels: Floats) -> _Figure:
    """The better of both places for missing values, whichever way round."""
    values = _values(column, feature, labels=labels)
    fills = (-np.inf, np.inf) if np.isnan(values).any() else (0.0,)
    found = (concordance(np.where(np.isnan(values), fill, values), labels) for fill in fills)
    return max(found, key=lambda each: each.value)


def concordance(values: Floats, labels: Floats) -> _Figure:
    """The concordance, at least 0.5, of ``values`` with ``labels``, both of shape (rows,); pairs with equal labels say
    nothing, and pairs with equal values half.

    It is a ratio of two means over pairs, and its error that of how far each row moves it (Newson 2006).
    """
    larger = _order(labels)
    agreed = np.einsum("ij,ij->i", _order(values), larger, dtype=np.int32).astype(np.float64)
    compared = np.einsum("ij,ij->i", larger, larger, dtype=np.int32).astype(np.float64)
    tau = agreed.sum() / compared.sum()
    moved = (agreed - tau * compared) / compared.sum()  # of the concordance, which is (tau + 1) / 2
    error = math.sqrt(float(np.square(moved).sum()))
    return _Figure(value=(abs(float(tau)) + 1) / 2, error=error, freedom=len(labels) - 1, cases=len(labels) // 2)


def _order(values: Floats) -> NDArray[np.int8]:
    """1 where the row's value is larger than the column's, -1 where it is smaller; of shape (rows, rows)."""
    places = np.unique(values, return_inverse=True)[1].astype(np.int16)
    return np.subtract(places[:, None] > places, places[:, None] < places, dtype=np.int8)
