"""Rows as they are judged: checked, in an order that does not depend on how they came, and by segment.

Values of rank metrics per segment, thousands at once, stand here too; every function takes sample weights. Which
metrics there are is in ``metrics.py``. Inside, a value that cannot be had is NaN; nothing outside this package ever
sees one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.slices import AnySlice, Membership, everything, memberships
from mlops_assets.contract.tasks import BINARY, Binary, Multiclass, Task
from mlops_assets.judge.recalibration import RIGHT, log_odds, recalibrated

Number = TypeVar("Number", bound=np.generic)

CALIBRATION_BINS = 10
SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What is judged: labels, scores, weights, all float64 of shape (rows,), in ascending order of score.

    Of classes, labels are places in the task's classes, scores have shape (rows, classes) and rows any order that does
    not depend on how they came. ``units`` numbers the independent units rows belong to (a day, a person); when
    ``clustered`` is False, each row's own number. From ``threshold`` on a row of two outcomes is decided positive;
    ``chosen`` are such decisions made otherwise, 0 or 1.
    """

    labels: Floats
    scores: Floats
    weights: Floats
    units: Ints
    clustered: bool = False
    task: Task = BINARY
    threshold: float = 0.5
    chosen: Floats | None = None

    @cached_property
    def losses(self) -> tuple[Floats, Floats]:
        """Per row: log loss, squared error; of classes the sum of squares over all of them."""
        if isinstance(self.task, Multiclass):
            actual = self.labels[:, None] == np.arange(len(self.task.classes))
            sure = self.scores[np.arange(len(self.labels)), self.labels.astype(np.int64)]
            squares = np.square(self.scores - actual).sum(axis=1)
        else:
            sure, squares = (
                np.where(self.labels == 1, self.scores, 1 - self.scores),
                np.square(self.scores - self.labels),
            )
        return -np.log(np.clip(sure, SMALLEST, 1)), np.asarray(squares, dtype=np.float64)

    @cached_property
    def decided(self) -> Floats:
        """What is decided for each row: 1 or 0, or the place of the most probable class."""
        if self.chosen is not None:
            return self.chosen
        if isinstance(self.task, Multiclass):
            return np.asarray(self.scores.argmax(axis=1), dtype=np.float64)
        return (self.scores >= self.threshold).astype(np.float64)

    @cached_property
    def classes(self) -> tuple[tuple[Rows, Ints], ...]:
        """Each class against the rest, as rows of two outcomes, and where each of them stands here."""
        assert isinstance(self.task, Multiclass)
        return tuple(map(self._against_rest, range(len(self.task.classes))))

    def _against_rest(self, place: int) -> tuple[Rows, Ints]:
        order = np.argsort(self.scores[:, place], kind="stable")
        rows = Rows(
            labels=(self.labels == place).astype(np.float64)[order],
            scores=self.scores[order, place],
            weights=self.weights[order],
            units=self.units[order],
            clustered=self.clustered,
            chosen=(self.decided == place).astype(np.float64)[order],
        )
        return rows, order

    @cached_property
    def positive_rate(self) -> float:
        """The weighted share of positives."""
        return float(np.average(self.labels, weights=self.weights))

    @cached_property
    def average_precision(self) -> float:
        """Of all rows together, not a number where none is positive."""
        return float(average_precision(Grouped(self, codes=np.zeros(len(self.labels), dtype=np.int32), segments=1))[0])

    @cached_property
    def log_odds(self) -> Floats:
        """Of the scores."""
        return log_odds(self.scores)

    @cached_property
    def recalibrated(self) -> Floats:
        """Intercept and slope of all rows together, where those of segments are sought from; of shape (2, 1)."""
        count = np.array([len(self.labels)])
        return recalibrated(self.log_odds, self.labels, self.weights, counts=count, start=RIGHT)

    @cached_property
    def unit_count(self) -> int:
        return int(self.units.max()) + 1


class Grouped:
    """Rows sorted by (segment, score), with what every metric needs of them; arrays are float64 of shape (rows,).

    ``order`` indexes the ``rows`` given; per segment, ``starts`` bounds its rows.
    """

    def __init__(self, rows: Rows, *, codes: NDArray[np.int32], segments: int) -> None:
        self.rows, self.codes, self.segments = rows, codes, segments
        few = codes.astype(np.int16) if segments < np.iinfo(np.int16).max else codes  # sorted by digits, in linear time
        self.order = np.argsort(few, kind="stable")
        self.segment = codes[self.order].astype(np.intp)  # what sums are counted by: other integers are converted anew
        self.starts = np.searchsorted(self.segment, np.arange(segments + 1))
        self.labels = rows.labels[self.order]
        self.weights = rows.weights[self.order]
        self.scores = rows.scores[self.order]

    @cached_property
    def decided(self) -> Floats:
        """What is decided for each row: 1 or 0, or the place of a class."""
        return self.rows.decided[self.order]

    @cached_property
    def losses(self) -> tuple[Floats, Floats]:
        """Per row: log loss, squared error."""
        log_losses, squares = self.rows.losses
        return log_losses[self.order], squares[self.order]

    @cached_property
    def classes(self) -> tuple[Grouped, ...]:
        """Of a task of classes: each class against the rest, as two outcomes; decided is the most probable class."""
        return tuple(
            Grouped(rows, codes=self.codes[order], segments=self.segments) for rows, order in self.rows.classes
        )

    def per_row(self, of_segment: NDArray[Number]) -> NDArray[Number]:
        """For each row what is said of its segment."""
        return np.repeat(of_segment, self.counts)

    @cached_property
    def run(self) -> tuple[Ints, Ints]:
        """Per row: where the run of equal scores it is in begins and (exclusive) ends."""
        new = np.ones(len(self.scores), dtype=bool)
        new[1:] = (self.scores[1:] != self.scores[:-1]) | (self.segment[1:] != self.segment[:-1])
        number = np.cumsum(new) - 1
        bounds = np.append(np.flatnonzero(new), len(self.scores))
        return bounds[number], bounds[number + 1]

    @cached_property
    def counts(self) -> Ints:
        """Rows per segment."""
        return np.diff(self.starts)

    @cached_property
    def weighted(self) -> bool:
        """Whether some rows count for more than others."""
        return bool((self.weights != self.weights[0]).any())

    @cached_property
    def effective_counts(self) -> dict[str, Ints]:
        """``effective`` rows, positives and negatives per segment."""
        chosen = {"rows": np.ones(len(self.labels)), "positives": self.labels, "negatives": 1 - self.labels}
        return {what: self.effective(each) for what, each in chosen.items()}

    def effective(self, chosen: Floats) -> Ints:
        """How many rows of equal weight per segment would tell as much as those ``chosen``, 0 or 1 each (Kish 1965).

        As many as there are where none counts for more; rounded down.
        """
        if not self.weighted:
            return self.tally(chosen).astype(np.int64)
        total, squares = self.sums(self.weights * chosen), self.sums(np.square(self.weights) * chosen)
        return (np.square(total) / np.maximum(squares, SMALLEST) + 1e-9).astype(np.int64)

    @cached_property
    def positive_counts(self) -> Ints:
        return self.tally(self.labels).astype(np.int64)

    @cached_property
    def mass(self) -> tuple[Floats, Floats]:
        """Weight of negatives and of positives per segment."""
        return self.weight_of(1 - self.labels), self.weight_of(self.labels)

    @cached_property
    def weight(self) -> Floats:
        """Of all rows per segment."""
        return self.weight_of(np.ones(len(self.labels)))

    @cached_property
    def shares(self) -> Floats:
        """Of each row in the weight of its segment."""
        return self.weights / self.per_row(self.weight)

    def weight_of(self, chosen: Floats) -> Floats:
        """Of the rows per segment that are ``chosen``, 0 or 1 each."""
        return self.sums(self.weights * chosen) if self.weighted or self.weights[0] != 1 else self.tally(chosen)

    def tally(self, values: Floats) -> Floats:
        """As ``sums``, in the order that is fastest: to the bit the same only of whole numbers."""
        if not self.counts.all():
            return self.sums(values)
        return np.asarray(np.add.reduceat(values, self.starts[:-1]), dtype=np.float64)

    def sums(self, values: Floats) -> Floats:
        """Sum of ``values`` (in this order of rows) per segment."""
        sums: Floats = np.bincount(self.segment, weights=values, minlength=self.segments).astype(np.float64)
        return sums

    def means(self, per_row: Floats) -> Floats:
        """Weighted mean per segment of ``per_row``, which is in the order of ``rows``."""
        with np.errstate(invalid="ignore"):
            return self.sums(self.weights * per_row[self.order]) / self.weight

    @cached_property
    def unit_pairs(self) -> tuple[Ints, Ints]:
        """Which (segment, unit) pair each row is in, and the segment of each pair."""
        keys = self.segment.astype(np.int64) * self.rows.unit_count + self.rows.units[self.order]
        pairs, inverse = np.unique(keys, return_inverse=True)
        return inverse, pairs // self.rows.unit_count

    def per_unit(self, values: Floats) -> tuple[Floats, NDArray[np.signedinteger]]:
        """``values`` summed over the rows of each (segment, unit) pair, and the segment of each pair."""
        if not self.rows.clustered:
            return values, self.segment
        inverse, segment = self.unit_pairs
        return np.bincount(inverse, weights=values).astype(np.float64), segment

    @cached_property
    def unit_counts(self) -> Ints:
        """Independent units per segment."""
        return np.bincount(self.unit_pairs[1], minlength=self.segments) if self.rows.clustered else self.counts

    @cached_property
    def beaten(self) -> Floats:
        """DeLong's structural components: the share of negatives a positive outranks, the share of positives
        that outrank a negative; ties count half.
        """
        below, tied = self._mass_below(1 - self.labels)
        of_positives = (below + tied / 2) / self.per_row(self.mass[0])
        below, tied = self._mass_below(self.labels)
        positives = self.per_row(self.mass[1])
        return np.where(self.labels == 1, of_positives, (positives - below - tied / 2) / positives)

    def _mass_below(self, chosen: Floats) -> tuple[Floats, Floats]:
        total = np.concatenate([[0.0], np.cumsum(self.weights * chosen)])
        at_first = total[self.run[0]]
        return at_first - self.per_row(total[self.starts[:-1]]), total[self.run[1]] - at_first

    @cached_property
    def precision_from(self) -> Floats:
        """Per row: the precision among the rows of its segment that score at least as high."""
        positives = np.concatenate([[0.0], np.cumsum(self.weights * self.labels)])
        return np.asarray((self.per_row(positives[self.starts[1:]]) - positives[self.run[0]]) / self.weight_from)

    @cached_property
    def weight_from(self) -> Floats:
        """Per row: the weight of the rows of its segment that score at least as high."""
        everything = np.concatenate([[0.0], np.cumsum(self.weights)])
        return np.asarray(self.per_row(everything[self.starts[1:]]) - everything[self.run[0]])

    @cached_property
    def calibration_bin(self) -> Ints:
        """Per row: the number of its equal-mass bin, counted over all segments; equal scores share a bin."""
        start = self.per_row(self.starts[:-1])
        rank = (self.run[0] - start) * CALIBRATION_BINS // self.per_row(self.counts)
        numbered: Ints = self.segment.astype(np.int64) * CALIBRATION_BINS + rank
        return numbered


def roc_auc(grouped: Grouped) -> Floats:
    """Area under the ROC curve per segment: the chance that a positive outranks a negative, ties half (Bamber
    1975).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return grouped.sums(grouped.weights * grouped.labels * grouped.beaten) / grouped.mass[1]


def average_precision(grouped: Grouped) -> Floats:
    """Mean over the positives of the precision at their score, per segment; equal scores enter together."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return grouped.sums(grouped.weights * grouped.labels * grouped.precision_from) / grouped.mass[1]


def calibration_gaps(grouped: Grouped) -> Floats:
    """Shape (segments, bins): mean score minus share of positives in each equal-mass bin, times the bin's
    share of weight.
    """
    difference = (grouped.rows.scores - grouped.rows.labels)[grouped.order] * grouped.weights
    sums = np.bincount(
        grouped.calibration_bin, weights=difference, minlength=grouped.segments * CALIBRATION_BINS
    ).reshape(grouped.segments, CALIBRATION_BINS)
    with np.errstate(invalid="ignore"):
        return sums / grouped.weight[:, None]


@dataclass(frozen=True, kw_only=True)
class JudgedRows:
    """``rows`` in ascending order of score; ``members[0]`` holds them all, then one for each slice, in the order given.

    ``order`` is where each of ``rows`` stood.
    """

    rows: Rows
    members: tuple[Membership, ...]
    order: NDArray[np.int64]

    def family(self, member: Membership) -> Grouped:
        """The rows by their segment of one slice."""
        return Grouped(self.rows, codes=member.codes[self.order], segments=len(member.segments))


def judged_rows(
    labels: NDArray[np.generic],
    *scores: NDArray[np.generic],
    slice_columns: pa.Table,
    slices: Sequence[AnySlice],
    task: Task = BINARY,
    thresholds: Sequence[float] = (0.5, 0.5),
    clusters: NDArray[np.generic] | None = None,
    weights: NDArray[np.generic] | None = None,
) -> tuple[JudgedRows, ...]:
    """The same rows once per model that scored them; ``units`` number them alike in all.

    Raises EvaluationError when there is nothing to judge, or when the arrays do not belong together.
    """
    y, w, sides = _checked(labels, scores, task=task, weights=weights)
    if slice_columns.num_rows != len(y):
        raise EvaluationError(f"{len(y)} labels but {slice_columns.num_rows} rows of slice columns.")
    units = np.arange(len(y)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    members = (everything(len(y)), *memberships(slices, table=slice_columns))
    first, *others = (side.reshape(len(y), -1).T for side in sides)
    ties: list[NDArray[Any]] = [] if clusters is None else [units]
    ties += [w, *(each.codes for each in members[:0:-1]), *(column for other in others for column in other), y]
    shared = _ordered(*ties, *first)
    found = []
    for side, threshold in zip(sides, thresholds, strict=False):
        own = np.argsort(side[shared], kind="stable") if side.ndim == 1 else np.arange(len(y))
        order = shared[own]
        rows = Rows(
            labels=y[order],
            scores=side[order],
            weights=w[order],
            units=own if clusters is None else units[order],
            clustered=clusters is not None,
            task=task,
            threshold=threshold,
        )
        found.append(JudgedRows(rows=rows, members=members, order=order))
    return tuple(found)


def _ordered(*keys: NDArray[Any]) -> Ints:
    """As ``np.lexsort``, but that only ties in the last key are looked at by the others."""
    last = keys[-1]
    order = np.argsort(last, kind="stable")
    again = last[order][1:] == last[order][:-1]
    tied = np.append(again, False) | np.append(False, again)
    rows = order[tied]
    order[tied] = rows[np.lexsort(tuple(key[rows] for key in keys))]
    return order


def _checked(
    labels: NDArray[np.generic],
    scores: Sequence[NDArray[np.generic]],
    *,
    task: Task,
    weights: NDArray[np.generic] | None,
) -> tuple[Floats, Floats, list[Floats]]:
    """Labels, weights and every model's scores as float64. Raises EvaluationError when they cannot be judged."""
    y = np.asarray(labels, dtype=np.float64)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(y) == 0 or len(w) != len(y):
        raise EvaluationError(f"Got {len(y)} labels and {len(w)} weights: as many of each are needed.")
    if isinstance(task, Binary) and not bool(((y == 0) | (y == 1)).all()):
        raise EvaluationError("Labels must be 0 or 1: leave out rows without an outcome first.")
    if isinstance(task, Multiclass) and not bool(np.isin(y, np.arange(len(task.classes))).all()):
        raise EvaluationError(f"Labels must be places in the classes, 0 to {len(task.classes) - 1}.")
    if not bool(np.isfinite(y).all()):
        raise EvaluationError("Labels must be finite numbers: leave out rows without an outcome first.")
    if not bool((np.isfinite(w) & (w > 0)).all()):
        raise EvaluationError("Weights must be finite and above 0.")
    return y, w, [_checked_scores(each, rows=len(y), task=task) for each in scores]


def _checked_scores(scores: NDArray[np.generic], *, rows: int, task: Task) -> Floats:
    s = np.asarray(scores, dtype=np.float64)
    shape = (rows, len(task.classes)) if isinstance(task, Multiclass) else (rows,)
    if s.shape != shape or not bool(np.isfinite(s).all()):
        raise EvaluationError(f"Scores must be finite numbers of shape {shape} for {rows} labels, found {s.shape}.")
    if isinstance(task, Binary) and not bool(((s >= 0) & (s <= 1)).all()):
        raise EvaluationError("Scores must be probabilities from 0 to 1; found values outside.")
    return s
