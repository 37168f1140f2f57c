"""How sure a figure is: 95 % intervals for every metric of every segment at once.

Analytic where that is exact enough (Wilson for shares, DeLong for the area under the ROC curve), else a
Poisson bootstrap (Hanley & MacGibbon 2006) whose resamples are shared by all metrics and segments. Everything
a bootstrap needs is a weighted sum over rows, so all of it is one sparse matrix of rows times one matrix of
resampled weights. Where rows come in dependent clusters, whole clusters are resampled and the analytic
variances are those of cluster sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.special import expit, logit, stdtrit

from mlops_assets.ml.statistics.metrics import CALIBRATION_BINS, Floats, Grouped, Ints, Rows

CONFIDENCE = 0.95
_TAIL = (1 - CONFIDENCE) / 2
_BUCKETS = 100  # groups of positives per segment between which the bootstrap recomputes average precision
_CHUNK = 32768  # units whose resampled weights are in memory at once


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Lower and upper ends per segment, float64 of shape (segments,), and the name of the method that made
    them.
    """

    lower: Floats
    upper: Floats
    method: str


def quantile(units: Ints | Floats, *, confidence: float = CONFIDENCE) -> Floats:
    """The two-sided quantile (of 95 % by default) of Student's t with ``units`` - 1 degrees of freedom."""
    with np.errstate(invalid="ignore"):
        return np.asarray(stdtrit(np.maximum(units - 1, 1), 1 - (1 - confidence) / 2))


def wilson(share: Floats, *, count: Floats, z: Floats | float) -> tuple[Floats, Floats]:
    """Wilson's score interval (1927) of a ``share`` seen in ``count`` (effective) trials; Brown, Cai &
    DasGupta 2001.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        shrink = 1 + np.square(z) / count
        centre = (share + np.square(z) / (2 * count)) / shrink
        half = z * np.sqrt(share * (1 - share) / count + np.square(z) / (4 * np.square(count))) / shrink
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def mean_bounds(grouped: Grouped, *, of: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Bounds]:
    """The weighted mean per segment of ``of`` (in the order of the segments) and its bounds, linearised."""
    mean, influences, segment = mean_influences(grouped, of=of)
    squares = np.bincount(segment, weights=np.square(influences), minlength=grouped.segments)
    half = quantile(grouped.unit_counts, confidence=confidence) * np.sqrt(squares)
    return mean, Bounds(lower=mean - half, upper=mean + half, method="Student's t, linearised")


def mean_influences(grouped: Grouped, *, of: Floats) -> tuple[Floats, Floats, NDArray[np.signedinteger]]:
    """The weighted mean per segment of ``of`` (in the order of the segments), how far each unit moves it, corrected for
    few units, and the segment of each unit. Squares of the latter sum up to the variance.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        total = grouped.sums(grouped.weights)
        mean = grouped.sums(grouped.weights * of) / total
        residual, segment = grouped.per_unit(grouped.weights * (of - mean[grouped.segment]))
        units = grouped.unit_counts
        few = np.sqrt(units / np.maximum(units - 1, 1))
        return mean, residual * (few / total)[segment], segment


def freedom(influences: Floats, *, segment: NDArray[np.signedinteger], units: Ints) -> Floats:
    """Degrees of freedom per segment of a variance that is the sum of squared ``influences`` (Satterthwaite 1946).

    Squares that differ much, of heavy tails or of weights, tell less of the variance than ``units`` - 1, which is the
    most there can be.
    """
    squares, fourth = (np.bincount(segment, weights=influences**power, minlength=len(units)) for power in (2, 4))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = 2 * squares**2 / (fourth - squares**2 / units)
    return np.where(found >= 1, np.minimum(found, units - 1), np.where(found > 0, 1.0, units - 1.0))


def share_bounds(
    grouped: Grouped, *, among: Floats, hit: Floats, confidence: float = CONFIDENCE
) -> tuple[Floats, Bounds]:
    """The weighted share of ``hit`` rows ``among`` others (both 0/1, in the order of the segments) and its
    bounds.

    Weights and clusters enter as the effective number of rows of the linearised variance (Dean & Pagano
    2015). It may exceed the number of rows: cut there (Korn & Graubard 1998), the bounds of a dozen clusters would hold
    the truth 98 times in 100.
    """
    base = grouped.weights * among
    total = grouped.sums(base)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = grouped.sums(base * hit) / total
    rows = grouped.sums(among)
    if not grouped.rows.clustered and bool((grouped.weights == 1).all()):
        lower, upper = wilson(share, count=rows, z=quantile(np.array([np.iinfo(np.int64).max]), confidence=confidence))
        return share, Bounds(lower=lower, upper=upper, method="Wilson")
    with np.errstate(invalid="ignore", divide="ignore"):
        residual, segment = grouped.per_unit(base * (hit - share[grouped.segment]))
        mass, _ = grouped.per_unit(base)
        units = np.bincount(segment, weights=mass > 0, minlength=grouped.segments)
        variance = np.bincount(segment, weights=np.square(residual), minlength=grouped.segments) / np.square(total)
        kish = np.square(total) / np.bincount(segment, weights=np.square(mass), minlength=grouped.segments)
        effective = share * (1 - share) / (variance * units / np.maximum(units - 1, 1))
    effective = np.where(variance > 0, effective, kish)
    lower, upper = wilson(share, count=effective, z=quantile(units.astype(np.int64), confidence=confidence))
    return share, Bounds(lower=lower, upper=upper, method="Wilson, effective rows")


def delong_influences(
    grouped: Grouped, *, components: Floats, area: Floats
) -> tuple[Floats, NDArray[np.signedinteger]]:
    """How far each unit moves the area under the ROC curve, or a difference of two, and the segment of each unit.

    ``components`` are the structural components (or their differences) in the order of the segments, ``area``
    their mean: DeLong, DeLong & Clarke-Pearson 1988; Obuchowski 1997 for clusters.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = grouped.weights * (components - area[grouped.segment])
        positive, segment = grouped.per_unit(deviation * grouped.labels / grouped.mass[1][grouped.segment])
        negative, _ = grouped.per_unit(deviation * (1 - grouped.labels) / grouped.mass[0][grouped.segment])
        of_positives = _small_sample(grouped, chosen=grouped.labels)[segment]
        of_negatives = _small_sample(grouped, chosen=1 - grouped.labels)[segment]
        return positive * of_positives + negative * of_negatives, segment


def delong_error(grouped: Grouped, *, components: Floats, area: Floats) -> Floats:
    """Standard error per segment of the area under the ROC curve: what ``delong_influences`` sum up to."""
    influences, segment = delong_influences(grouped, components=components, area=area)
    return np.sqrt(np.bincount(segment, weights=np.square(influences), minlength=grouped.segments))


def _small_sample(grouped: Grouped, *, chosen: Floats) -> Floats:
    held, segment = grouped.per_unit(chosen)
    units = np.bincount(segment, weights=held > 0, minlength=grouped.segments)
    return np.sqrt(units / (units - 1))


def logit_bounds(
    value: Floats, *, error: Floats, t: Floats, cases: Ints, method: str, bias: Floats | float = 0.0
) -> Bounds:
    """Bounds that are symmetric on the logit scale around ``value`` - ``bias``, for values between 0 and 1.

    A value of exactly 0 or 1 has no spread to measure; its bounds are those of ``cases`` hits out of
    ``cases`` (Clopper & Pearson 1934).
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        centred = np.clip(value - bias, value / 2, (1 + value) / 2)
        centre, half = logit(centred), t * error / (centred * (1 - centred))
        lower, upper = expit(centre - half), expit(centre + half)
        certain = _TAIL ** (1 / cases)
    lower = np.where(value >= 1, certain, np.where(value <= 0, 0.0, lower))
    upper = np.where(value >= 1, 1.0, np.where(value <= 0, 1 - certain, upper))
    return Bounds(lower=np.minimum(lower, value), upper=np.maximum(upper, value), method=method)


def log_bounds(value: Floats, *, error: Floats, t: Floats, method: str) -> Bounds:
    """Bounds that are symmetric on the log scale, for losses above 0."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        factor = np.exp(np.where(value > 0, t * error / value, 0.0))
        return Bounds(lower=value / factor, upper=value * factor, method=method)


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """How far each resample deviates from the rows themselves: float64 of shape (segments, resamples).

    NaN where a resample had no value. ``gaps`` are the signed calibration gaps of bins of a fixed share of rows,
    (segments, bins, resamples).
    """

    average_precision: Floats
    log_loss: Floats
    brier_loss: Floats
    gaps: Floats


def bootstrap(families: Sequence[Grouped], *, resamples: int, seed: int) -> tuple[Resampled, ...]:
    """Resamples once for all ``families`` of segments of the same rows; the same rows and seed give the same
    figures.
    """
    rows = families[0].rows
    plans = [_Plan(family) for family in families]
    per_row = np.stack([rows.weights, rows.weights * (rows.scores - rows.labels), *rows.losses], axis=1)
    per_row[:, 2:] *= rows.weights[:, None]
    for members, weights in _resampled_weights(rows, resamples=resamples, seed=seed):
        for plan in plans:
            plan.add(per_row[members[0]], rows=members[0], offsets=members[1], weights=weights)
    return tuple(plan.finish() for plan in plans)


def poisson_weights(generator: np.random.Generator, *, units: int, resamples: int) -> NDArray[np.float32]:
    """How often each unit is drawn in each resample: Poisson(1) by inversion of 16-bit numbers, shape (units,
    resamples).
    """
    drawn = np.frombuffer(generator.bytes(2 * units * resamples), dtype=np.uint16)
    return _POISSON.take(drawn).reshape(units, resamples)


def _poisson_table() -> NDArray[np.float32]:
    factorials = np.cumprod(np.maximum(np.arange(10), 1))
    edges = np.rint(np.cumsum(np.exp(-1) / factorials) * 65536).astype(np.int64)
    return np.searchsorted(edges, np.arange(65536), side="right").astype(np.float32)


_POISSON = _poisson_table()


def _resampled_weights(
    rows: Rows, *, resamples: int, seed: int
) -> Iterator[tuple[tuple[Ints, Ints], NDArray[np.float32]]]:
    """Chunks of units: (their rows, where each unit's rows start) and their weights; the first are all 1."""
    generator = np.random.Generator(np.random.SFC64(seed))
    order = np.argsort(rows.units, kind="stable")
    starts = np.searchsorted(rows.units[order], np.arange(rows.unit_count + 1))
    for low in range(0, rows.unit_count, _CHUNK):
        bounds = starts[low : low + _CHUNK + 1]
        weights = np.ones((len(bounds) - 1, resamples + 1), dtype=np.float32)
        weights[:, 1:] = poisson_weights(generator, units=len(bounds) - 1, resamples=resamples)
        yield (order[bounds[0] : bounds[-1]], bounds - bounds[0]), weights


class _Plan:
    """Where each row of one family is summed: its score bucket by label, its calibration bin, its segment."""

    def __init__(self, grouped: Grouped) -> None:
        self.grouped = grouped
        sizes = np.minimum(grouped.positive_counts, _BUCKETS)
        self.bucket_starts = np.concatenate([[0], np.cumsum(sizes + 1)])
        bucket = self.bucket_starts[grouped.segment + 1] - 1 - _positives_above(grouped, sizes=sizes)
        buckets, bins = 2 * int(self.bucket_starts[-1]), grouped.segments * CALIBRATION_BINS
        self.ends = np.cumsum([buckets, bins, grouped.segments, grouped.segments])
        self.places = np.empty((len(bucket), 4), dtype=np.int32)
        self.places[grouped.order] = np.stack(
            [
                bucket + grouped.labels.astype(np.int64) * int(self.bucket_starts[-1]),
                grouped.calibration_bin + self.ends[0],
                grouped.segment + self.ends[1],
                grouped.segment + self.ends[2],
            ],
            axis=1,
        )
        self.expected_gap = np.empty(len(bucket))
        self.expected_gap[grouped.order] = _mean_gaps(grouped)
        self.sums: Floats | None = None

    def add(self, values: Floats, *, rows: Ints, offsets: Ints, weights: NDArray[np.float32]) -> None:
        values[:, 1] -= values[:, 0] * self.expected_gap[rows]
        matrix = csc_array(
            (values.astype(np.float32).ravel(), self.places[rows].ravel(), 4 * offsets),
            shape=(int(self.ends[-1]), len(weights)),
        )
        sums = matrix @ weights
        if self.sums is None:
            self.sums = np.zeros(sums.shape)
        self.sums += sums

    def finish(self) -> Resampled:
        assert self.sums is not None
        by_label, gaps, log_losses, squares = np.split(self.sums, self.ends[:-1])
        negatives, positives = np.split(by_label, 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            mass = _segment_sums(negatives + positives, starts=self.bucket_starts)
            binned = gaps.reshape(self.grouped.segments, CALIBRATION_BINS, -1) / mass[:, None, :]
            precision = self._average_precision(negatives + positives, positives=positives)
            return Resampled(
                average_precision=_deviations(precision),
                log_loss=_deviations(log_losses / mass),
                brier_loss=_deviations(squares / mass),
                gaps=_deviations(binned),
            )

    def _average_precision(self, everything: Floats, *, positives: Floats) -> Floats:
        """Per segment and resample, treating the scores of a bucket as equal."""
        starts = self.bucket_starts
        total, hits = _from_top(everything, starts=starts), _from_top(positives, starts=starts)
        precision = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
        return _segment_sums(precision * positives, starts=starts) / _segment_sums(positives, starts=starts)


def _mean_gaps(grouped: Grouped) -> Floats:
    """Per row: mean score minus share of positives in its calibration bin.

    Taken from each row before it is resampled: how many rows a bin has is fixed, so that a resample with more or fewer
    of them must not look like a larger or smaller gap.
    """
    gaps = (grouped.rows.scores - grouped.rows.labels)[grouped.order] * grouped.weights
    mass, total = (np.bincount(grouped.calibration_bin, weights=each) for each in (grouped.weights, gaps))
    return np.asarray(total[grouped.calibration_bin] / mass[grouped.calibration_bin])


def _positives_above(grouped: Grouped, *, sizes: Ints) -> Ints:
    """Per row: how many of the ``sizes`` groups of its segment's positives score higher, as equal as ties
    allow.

    Up to 100 positives each is its own group, so that average precision is recomputed exactly.
    """
    positives = np.concatenate([[0], np.cumsum(grouped.labels)]).astype(np.int64)
    above = positives[grouped.starts[grouped.segment + 1]] - positives[grouped.last]
    groups: Ints = above * sizes[grouped.segment] // np.maximum(grouped.positive_counts, 1)[grouped.segment]
    return groups


def _deviations(resampled: Floats) -> Floats:
    """What the resamples deviate from the rows themselves, which are the first of them."""
    return resampled[..., 1:] - resampled[..., :1]


def standard_error(resampled: Floats, *, units: Ints) -> Floats:
    """Spread over resamples (segments, resamples), corrected for few ``units``.

    NaN unless nine in ten resamples gave a value.
    """
    finite = np.isfinite(resampled)
    count = finite.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(finite, resampled, 0.0).sum(axis=1) / count
        squares = np.square(np.where(finite, resampled - mean[:, None], 0.0)).sum(axis=1)
        error = np.sqrt(squares / (count - 1) * units / (units - 1))
    return np.where(count >= 0.9 * resampled.shape[1], error, np.nan)


def _segment_sums(values: Floats, *, starts: Ints) -> Floats:
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    sums: Floats = total[starts[1:]] - total[starts[:-1]]
    return sums


def _from_top(values: Floats, *, starts: Ints) -> Floats:
    """Per bucket, the sum of ``values`` over the buckets of its segment from itself upward."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    segment = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    sums: Floats = total[starts[segment + 1]] - total[:-1]
    return sums
