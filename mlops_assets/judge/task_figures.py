"""The metrics of numbers and of several classes: values per segment, and how much each row moves them.

Every metric here is a smooth function of weighted means, so its standard error follows from the influence of single
rows (Hampel 1974; Deville 1999 for weights), summed by unit where rows depend on each other. The difference of two
models on the same rows has the difference of their influences: one engine for intervals and for paired tests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.tasks import Multiclass, Regression
from mlops_assets.judge.influences import Influences
from mlops_assets.judge.intervals import Bounds, log_bounds, logit_bounds, quantile
from mlops_assets.judge.metrics import Grouped, Rows, roc_auc

Scale = Literal["plain", "log", "logit"]
_SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One metric: ``value`` per segment, ``influence`` per row (zero on average within a segment), and the scale on
    which it is nearest to normal. ``flipped`` metrics have their interval made for 1 minus the value. ``cases`` counts
    the rows per segment that a figure of a class rests on, ``None`` where it rests on all.
    """

    value: Floats
    influence: Floats
    scale: Scale
    flipped: bool = False
    cases: Ints | None = None


@dataclass(frozen=True, kw_only=True)
class Segmented:
    """Rows with their weights, segments and independent units (``None`` where each row is one)."""

    weights: Floats
    codes: NDArray[np.int32]
    segments: int
    units: Ints | None = None

    def sums(self, values: Floats) -> Floats:
        """Weighted sum per segment."""
        return np.bincount(self.codes, weights=self.weights * values, minlength=self.segments).astype(np.float64)

    def ratio(self, top: Floats, bottom: Floats, *, scale: Scale) -> Figure:
        """Sum of ``top`` over sum of ``bottom``; a mean where ``bottom`` is 1."""
        with np.errstate(invalid="ignore", divide="ignore"):
            total = self.sums(bottom)
            value = self.sums(top) / total
            influence = self.weights * (top - value[self.codes] * bottom) / total[self.codes]
        return Figure(value=value, influence=influence, scale=scale)

    def influences(self, influence: Floats) -> Influences:
        """How far each unit moves the figure of its segment that rows move by ``influence``."""
        inverse, segment, share = self._pairs
        moved = np.bincount(inverse, weights=influence).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            moved = moved / np.sqrt(1 - share)
        return Influences(moved=moved, segment=segment, units=np.bincount(segment, minlength=self.segments))

    @cached_property
    def _pairs(self) -> tuple[Ints, Ints, Floats]:
        """Which pair of segment and unit each row is in; each pair's segment, and its share of the segment's weight."""
        units = np.arange(len(self.codes)) if self.units is None else self.units
        keys = self.codes.astype(np.int64) * (int(units.max()) + 1) + units
        pairs, inverse = np.unique(keys, return_inverse=True)
        segment = pairs // (int(units.max()) + 1)
        mass = np.bincount(inverse, weights=self.weights).astype(np.float64)
        return inverse, segment, mass / self.sums(np.ones(len(self.codes)))[segment]

    @property
    def weighted(self) -> bool:
        """Whether some rows count for more than others."""
        return bool((self.weights != self.weights[0]).any())

    def counts(self, chosen: Floats | None = None) -> Ints:
        """How many rows of equal weight per segment tell as much as those ``chosen``, rounded down (Kish 1965)."""
        among = np.ones(len(self.codes)) if chosen is None else chosen
        squares = np.bincount(self.codes, weights=np.square(self.weights) * among, minlength=self.segments)
        return (np.square(self.sums(among)) / np.maximum(squares, _SMALLEST) + 1e-9).astype(np.int64)


def figure_bounds(figure: Figure, *, rows: Segmented) -> Bounds:
    """The 95 % interval of every segment, on the metric's own scale."""
    moves = rows.influences(figure.influence)
    error, units = moves.error, moves.units
    t = quantile(moves.freedom)
    value = 1 - figure.value if figure.flipped else figure.value
    method = f"linearised, {figure.scale} scale"
    if figure.scale == "plain":
        bounds = Bounds(lower=value - t * error, upper=value + t * error, method=method)
    elif figure.scale == "log":
        bounds = log_bounds(value, error=error, t=t, method=method)
    else:
        bounds = logit_bounds(value, error=error, t=t, cases=units, method=method)
    return Bounds(lower=1 - bounds.upper, upper=1 - bounds.lower, method=method) if figure.flipped else bounds


def regression_figures(labels: Floats, scores: Floats, *, rows: Segmented, task: Regression) -> dict[str, Figure]:
    """RMSE, MAE, bias, R² and pinball loss (at the task's quantile, the median without one)."""
    error, one = scores - labels, np.ones(len(labels))
    level = 0.5 if task.quantile is None else task.quantile
    square = rows.ratio(np.square(error), one, scale="log")
    mean = rows.ratio(labels, one, scale="plain").value
    spread = rows.ratio(np.square(error), np.square(labels - mean[rows.codes]), scale="log")
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(square.value)
        moved = np.where(root[rows.codes] == 0, 0.0, square.influence / (2 * root[rows.codes]))
    return {
        "root_mean_squared_error": Figure(value=root, influence=moved, scale="log"),
        "mean_absolute_error": rows.ratio(np.abs(error), one, scale="log"),
        "bias": rows.ratio(error, one, scale="plain"),
        "r2_score": Figure(value=1 - spread.value, influence=-spread.influence, scale="log", flipped=True),
        "pinball_loss": rows.ratio(np.maximum(-level * error, (1 - level) * error), one, scale="log"),
    }


def multiclass_figures(labels: Floats, scores: Floats, *, rows: Segmented, task: Multiclass) -> dict[str, Figure]:
    """Log loss, Brier loss and accuracy; one-against-the-rest figures of each class, and their plain mean over classes.

    ``scores`` are probabilities of shape (rows, classes); a row is decided for its most probable class.
    """
    one, decided = np.ones(len(labels)), scores.argmax(axis=1)
    actual = labels[:, None] == np.arange(len(task.classes))
    sure = np.clip(scores[np.arange(len(labels)), labels.astype(np.int64)], _SMALLEST, 1)
    found = {
        "log_loss": rows.ratio(-np.log(sure), one, scale="log"),
        "brier_loss": rows.ratio(np.square(scores - actual).sum(axis=1), one, scale="log"),
        "accuracy_score": rows.ratio((decided == labels).astype(np.float64), one, scale="logit"),
    }
    by_class: dict[str, list[Figure]] = {}
    for place in range(len(task.classes)):
        mine, said = actual[:, place].astype(np.float64), (decided == place).astype(np.float64)
        for name, figure, among in (
            ("roc_auc_score", _one_against_rest(mine, scores[:, place], rows=rows), mine),
            ("precision_score", rows.ratio(mine * said, said, scale="logit"), said),
            ("recall_score", rows.ratio(mine * said, mine, scale="logit"), mine),
            ("f1_score", rows.ratio(2 * mine * said, mine + said, scale="logit"), np.maximum(mine, said)),
        ):
            by_class.setdefault(name, []).append(replace(figure, cases=rows.counts(among)))
    for name, figures in by_class.items():
        found[f"macro_{name}"] = Figure(
            value=np.mean([figure.value for figure in figures], axis=0),
            influence=np.mean([figure.influence for figure in figures], axis=0),
            scale="logit",
            cases=np.min([np.asarray(figure.cases) for figure in figures], axis=0),
        )
        found |= {f"{name}[{word}]": figure for word, figure in zip(task.classes, figures, strict=True)}
    return found


def checked_predictions(
    labels: NDArray[np.generic], scores: NDArray[np.generic], *, task: Multiclass | Regression
) -> tuple[Floats, Floats]:
    """Labels and scores as float64. Raises EvaluationError when they cannot be judged."""
    y, s = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    shape = (len(y), len(task.classes)) if isinstance(task, Multiclass) else (len(y),)
    if len(y) == 0 or s.shape != shape or not (np.isfinite(y).all() and np.isfinite(s).all()):
        raise EvaluationError(f"Scores must be finite numbers of shape {shape} for {len(y)} labels, found {s.shape}.")
    if isinstance(task, Multiclass) and not bool(np.isin(y, np.arange(len(task.classes))).all()):
        raise EvaluationError(f"Labels must be places in the classes, 0 to {len(task.classes) - 1}.")
    return y, s


def _one_against_rest(mine: Floats, scores: Floats, *, rows: Segmented) -> Figure:
    """Area under the ROC curve of one class against all others; influences are DeLong's structural components."""
    order = np.argsort(scores, kind="stable")
    ascending = Rows(labels=mine[order], scores=scores[order], weights=rows.weights[order], units=np.arange(len(mine)))
    grouped = Grouped(ascending, codes=rows.codes[order], segments=rows.segments)
    area = roc_auc(grouped)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = grouped.weights * (grouped.beaten - area[grouped.segment])
        mass = np.where(grouped.labels == 1, grouped.mass[1][grouped.segment], grouped.mass[0][grouped.segment])
        influence = np.empty(len(mine))
        influence[order[grouped.order]] = deviation / mass
    return Figure(value=area, influence=influence, scale="logit")
