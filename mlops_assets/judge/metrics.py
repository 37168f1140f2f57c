"""Point values of the metrics, for one set of rows or for thousands of segments at once.

Names carry direction: a ``…_score`` is better when higher, a ``…_loss`` or ``…_error`` when lower, a
``…_rate`` is neither. Every function takes sample weights. How sure a value is belongs in ``intervals.py``;
reports are put together in ``report.py``. Inside, a value that cannot be had is NaN; nothing outside this
package ever sees one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.errors import EvaluationError

CALIBRATION_BINS = 10
_SMALLEST = float(np.finfo(np.float64).eps)


def higher_is_better(metric: str) -> bool | None:
    """The direction a metric's name carries, with or without its class; ``None`` for a rate, which has none."""
    name = metric.split("[")[0]
    if name.endswith("_score"):
        return True
    return False if name.endswith(("_loss", "_error")) else None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What is judged: labels of 0 and 1, scores, weights, all float64 of shape (rows,), in ascending order of
    score.

    ``units`` numbers the independent units rows belong to (a day, a person; each row its own when
    ``clustered`` is False).
    """

    labels: Floats
    scores: Floats
    weights: Floats
    units: Ints
    clustered: bool = False

    @cached_property
    def losses(self) -> tuple[Floats, Floats]:
        """Per row: log loss, squared error."""
        sure = np.clip(np.where(self.labels == 1, self.scores, 1 - self.scores), _SMALLEST, 1)
        return -np.log(sure), np.square(self.scores - self.labels)

    @cached_property
    def positive_rate(self) -> float:
        """The weighted share of positives."""
        return float(np.average(self.labels, weights=self.weights))

    @cached_property
    def average_precision(self) -> float:
        """Of all rows together, not a number where none is positive."""
        return float(average_precision(Grouped(self, codes=np.zeros(len(self.labels), dtype=np.int32), segments=1))[0])

    @cached_property
    def unit_count(self) -> int:
        return int(self.units.max()) + 1


def checked_rows(
    labels: NDArray[np.generic],
    scores: NDArray[np.generic],
    *,
    weights: NDArray[np.generic] | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Labels, scores and weights as float64. Raises EvaluationError when they cannot be judged."""
    y, s = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(y) == len(s) == len(w) or len(y) == 0:
        raise EvaluationError(f"Got {len(y)} labels, {len(s)} scores and {len(w)} weights: as many of each are needed.")
    if not bool(((y == 0) | (y == 1)).all()):
        raise EvaluationError("Labels must be 0 or 1: leave out rows without an outcome first.")
    if not bool(((s >= 0) & (s <= 1)).all()):
        raise EvaluationError("Scores must be probabilities from 0 to 1; found NaN or values outside.")
    if not bool((np.isfinite(w) & (w > 0)).all()):
        raise EvaluationError("Weights must be finite and above 0.")
    return y, s, w


class Grouped:
    """Rows sorted by (segment, score), with what every rank metric needs of them; arrays are float64 of shape
    (rows,).

    ``order`` indexes the ``rows`` given. Per row, ``first`` and ``last`` (exclusive) bound the run of equal
    scores it is in; per segment, ``starts`` bounds its rows.
    """

    def __init__(self, rows: Rows, *, codes: NDArray[np.int32], segments: int) -> None:
        self.rows = rows
        self.segments = segments
        self.order = np.argsort(codes, kind="stable")
        self.segment = codes[self.order]
        self.starts = np.searchsorted(self.segment, np.arange(segments + 1))
        self.labels = rows.labels[self.order]
        self.weights = rows.weights[self.order]
        scores = rows.scores[self.order]
        new = np.ones(len(scores), dtype=bool)
        new[1:] = (scores[1:] != scores[:-1]) | (self.segment[1:] != self.segment[:-1])
        run = np.cumsum(new) - 1
        bounds = np.append(np.flatnonzero(new), len(scores))
        self.first, self.last = bounds[run], bounds[run + 1]

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
            return self.sums(chosen).astype(np.int64)
        total, squares = self.sums(self.weights * chosen), self.sums(np.square(self.weights) * chosen)
        return (np.square(total) / np.maximum(squares, _SMALLEST) + 1e-9).astype(np.int64)

    @cached_property
    def positive_counts(self) -> Ints:
        return np.rint(self.sums(self.labels)).astype(np.int64)

    @cached_property
    def mass(self) -> tuple[Floats, Floats]:
        """Weight of negatives and of positives per segment."""
        return self.sums(self.weights * (1 - self.labels)), self.sums(self.weights * self.labels)

    def sums(self, values: Floats) -> Floats:
        """Sum of ``values`` (in this order of rows) per segment."""
        sums: Floats = np.bincount(self.segment, weights=values, minlength=self.segments).astype(np.float64)
        return sums

    def means(self, per_row: Floats) -> Floats:
        """Weighted mean per segment of ``per_row``, which is in the order of ``rows``."""
        with np.errstate(invalid="ignore"):
            return self.sums(self.weights * per_row[self.order]) / self.sums(self.weights)

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
        start = self.starts[self.segment]
        below, tied = self._mass_below(1 - self.labels, start=start)
        of_positives = (below + tied / 2) / self.mass[0][self.segment]
        below, tied = self._mass_below(self.labels, start=start)
        positives = self.mass[1][self.segment]
        return np.where(self.labels == 1, of_positives, (positives - below - tied / 2) / positives)

    def _mass_below(self, chosen: Floats, *, start: Ints) -> tuple[Floats, Floats]:
        total = np.concatenate([[0.0], np.cumsum(self.weights * chosen)])
        at_first = total[self.first]
        return at_first - total[start], total[self.last] - at_first

    @cached_property
    def precision_from(self) -> Floats:
        """Per row: the precision among the rows of its segment that score at least as high."""
        end = self.starts[self.segment + 1]
        positives = np.concatenate([[0.0], np.cumsum(self.weights * self.labels)])
        everything = np.concatenate([[0.0], np.cumsum(self.weights)])
        share: Floats = (positives[end] - positives[self.first]) / (everything[end] - everything[self.first])
        return share

    @cached_property
    def calibration_bin(self) -> Ints:
        """Per row: the number of its equal-mass bin, counted over all segments; equal scores share a bin."""
        start = self.starts[self.segment]
        rank = (self.first - start) * CALIBRATION_BINS // self.counts[self.segment]
        numbered: Ints = self.segment.astype(np.int64) * CALIBRATION_BINS + rank
        return numbered

    @cached_property
    def calibration_counts(self) -> Ints:
        """Rows per segment and bin, shape (segments, bins)."""
        counts = np.bincount(self.calibration_bin, minlength=self.segments * CALIBRATION_BINS)
        return counts.reshape(self.segments, CALIBRATION_BINS)


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
        return sums / grouped.sums(grouped.weights)[:, None]


def roc_auc_score(labels: Floats, scores: Floats, *, weights: Floats | None = None) -> float:
    """As ``roc_auc``, of one set of rows. Raises EvaluationError when there is only one class."""
    return _single(roc_auc(_together(labels, scores, weights=weights)), metric="roc_auc_score")


def average_precision_score(labels: Floats, scores: Floats, *, weights: Floats | None = None) -> float:
    """As ``average_precision``, of one set of rows. Raises EvaluationError when there is no positive."""
    return _single(average_precision(_together(labels, scores, weights=weights)), metric="average_precision_score")


def log_loss(labels: Floats, scores: Floats, *, weights: Floats | None = None) -> float:
    """Mean negative log likelihood in nats; scores are kept a machine epsilon away from 0 and 1."""
    grouped = _together(labels, scores, weights=weights)
    return _single(grouped.means(grouped.rows.losses[0]), metric="log_loss")


def brier_loss(labels: Floats, scores: Floats, *, weights: Floats | None = None) -> float:
    """Mean squared difference between score and label (Brier 1950)."""
    grouped = _together(labels, scores, weights=weights)
    return _single(grouped.means(grouped.rows.losses[1]), metric="brier_loss")


def expected_calibration_error(labels: Floats, scores: Floats, *, weights: Floats | None = None) -> float:
    """Mean absolute difference between mean score and share of positives over 10 bins of equally many rows.

    Naeini et al. 2015 with equal-mass bins (Nixon et al. 2019); equal scores share a bin.
    """
    gaps = calibration_gaps(_together(labels, scores, weights=weights))
    return _single(np.abs(gaps).sum(axis=1), metric="expected_calibration_error")


def _together(labels: Floats, scores: Floats, *, weights: Floats | None) -> Grouped:
    y, s, w = checked_rows(labels, scores, weights=weights)
    order = np.lexsort((w, y, s))
    rows = Rows(labels=y[order], scores=s[order], weights=w[order], units=np.arange(len(y)))
    return Grouped(rows, codes=np.zeros(len(y), dtype=np.int32), segments=1)


def _single(values: Floats, *, metric: str) -> float:
    if not np.isfinite(values[0]):
        raise EvaluationError(f"{metric} needs rows of both classes.")
    return float(values[0])
