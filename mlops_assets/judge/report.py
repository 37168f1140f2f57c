"""The report on a model: every metric with its interval, overall and for each declared slice.

Values come from ``metrics.py``, intervals from ``intervals.py``, segments from ``slices.py``. Whether the
report is good enough is decided in ``gates.py``; comparing two models belongs in ``significance.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import TypeAdapter

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.slices import AnySlice, Membership
from mlops_assets.judge.bootstrap import resampled_gaps
from mlops_assets.judge.calibration import calibration_bounds
from mlops_assets.judge.discovery import WeakSegment
from mlops_assets.judge.estimate import Estimate, estimate_of, share_shortfalls, shortfalls
from mlops_assets.judge.fairness import FairnessReport
from mlops_assets.judge.influences import average_precision_influence, delong_influences, influences
from mlops_assets.judge.intervals import CONFIDENCE, Bounds, area_bounds, loss_bounds, share_bounds
from mlops_assets.judge.judged_rows import judged_rows
from mlops_assets.judge.metrics import Grouped, average_precision, higher_is_better, roc_auc
from mlops_assets.judge.significance import COMPARED

SCHEMA = 1
OF_SCORES = (*COMPARED, "expected_calibration_error")
ROWS_AT_ONCE = 5_000_000  # rows times slices held in memory together; more are resampled again, with the same weights


@dataclass(frozen=True, kw_only=True)
class SegmentReport:
    """All figures of one segment (``carrier=OO``) of one slice (``carrier``); ``overall`` is both for all
    rows. ``limits`` are the numbers that a segment named by its place (``age 1 of 4``) held this time.
    """

    slice: str
    segment: str
    rows: int
    positives: int
    metrics: Mapping[str, Estimate]
    limits: str = ""


@dataclass(frozen=True, kw_only=True)
class Discovered:
    """A weak segment that was discovered, with all figures on the half of the test rows that confirmed it.

    ``since`` is the version that it was first discovered for; one of the previous version is told again whether or
    not it is still weak.
    """

    weak: WeakSegment
    figures: SegmentReport
    since: str


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """How a model did on the rows it was judged by. ``units`` counts the independent clusters, ``None`` if
    rows are.

    ``baselines`` are the same overall figures of what nearly nothing reaches, by name; ``training`` are the model's
    own on rows that it was trained on. ``fairness`` has one report per protected slice, ``discovered``
    the weak segments that nobody declared. Only a task of two outcomes has a ``threshold``.
    """

    threshold: float | None
    overall: SegmentReport
    segments: tuple[SegmentReport, ...]
    resamples: int
    seed: int
    units: int | None = None
    baselines: Mapping[str, SegmentReport] = field(default_factory=dict)
    training: SegmentReport | None = None
    fairness: tuple[FairnessReport, ...] = ()
    discovered: tuple[Discovered, ...] = ()
    confidence: float = CONFIDENCE
    schema_version: int = SCHEMA

    def of_slice(self, name: str) -> tuple[SegmentReport, ...]:
        """The segments of that slice, none if it has none; ``overall`` is the one segment of all rows."""
        return tuple(each for each in (self.overall, *self.segments) if each.slice == name)

    def to_json(self) -> bytes:
        return TypeAdapter(EvaluationReport).dump_json(self, indent=1)

    @classmethod
    def from_json(cls, text: bytes | str) -> EvaluationReport:
        """Raises EvaluationError when the text is no report of a schema known here."""
        try:
            report = TypeAdapter(EvaluationReport).validate_json(text)
        except ValueError as error:
            raise EvaluationError(f"Not an evaluation report: {error}") from error
        if report.schema_version != SCHEMA:
            raise EvaluationError(f"Evaluation report of schema {report.schema_version}; this code reads {SCHEMA}.")
        return report


def evaluate(
    labels: NDArray[np.generic],
    scores: NDArray[np.generic],
    *,
    slice_columns: pa.Table,
    slices: Sequence[AnySlice],
    threshold: float,
    seed: int,
    clusters: NDArray[np.generic] | None = None,
    weights: NDArray[np.generic] | None = None,
    resamples: int = 200,
) -> EvaluationReport:
    """Judges ``scores`` against ``labels`` (0 or 1), all of shape (rows,), overall and for every segment of
    ``slices``.

    ``clusters`` names the dependent rows (a day, a person); ``threshold`` makes scores decisions. The order
    of rows does not matter: the same rows give the same report to the bit. Raises EvaluationError when there
    is nothing to judge.
    """
    judged = judged_rows(labels, scores, slice_columns=slice_columns, slices=slices, clusters=clusters, weights=weights)
    members = judged.members
    reports = []
    at_once = max(1, ROWS_AT_ONCE // len(judged.order))
    for low in range(0, len(members), at_once):
        some = members[low : low + at_once]
        families = [judged.family(each) for each in some]
        resampled = resampled_gaps(families, resamples=resamples, seed=seed)
        for each, family, gaps in zip(some, families, resampled, strict=True):
            reports += _segment_reports(each, family=family, gaps=gaps, threshold=threshold)
    return EvaluationReport(
        threshold=threshold,
        overall=reports[0],
        segments=tuple(reports[1:]),
        resamples=resamples,
        seed=seed,
        units=None if clusters is None else judged.rows.unit_count,
    )


def weakest(report: EvaluationReport, *, metric: str, count: int) -> tuple[SegmentReport, ...]:
    """The ``count`` segments that are most surely weak: whose interval's better end is worst.

    Segments without enough rows are left out. Raises EvaluationError for a metric without direction.
    """
    higher = higher_is_better(metric)
    if higher is None:
        raise EvaluationError(f"'{metric}' is neither better when higher nor when lower.")
    judged = []
    for segment in report.segments:
        estimate = segment.metrics.get(metric)
        if estimate is not None and estimate.upper is not None and estimate.lower is not None:
            judged.append((estimate.upper if higher else -estimate.lower, segment))
    return tuple(segment for _, segment in sorted(judged, key=lambda each: (each[0], each[1].segment))[:count])


def _segment_reports(members: Membership, *, family: Grouped, gaps: Floats, threshold: float) -> list[SegmentReport]:
    shares = _shares(family, threshold=threshold)
    lacking = {name: shortfalls(family, metric=name) for name in OF_SCORES} | {
        name: share_shortfalls(family, among=among, called=called) for name, (among, _, called) in shares.items()
    }
    calibrated = np.array([each is None for each in lacking["expected_calibration_error"]])
    columns = _figures(family, gaps=gaps, calibrated=calibrated) | {
        name: _of_share(name, family, among, hit) for name, (among, hit, _) in shares.items()
    }
    return [
        SegmentReport(
            slice=members.slice,
            segment=text,
            rows=int(family.counts[i]),
            positives=int(family.positive_counts[i]),
            metrics={
                name: estimate_of(*figures, segment=i, lacking=lacking[name][i]) for name, figures in columns.items()
            },
            limits=members.limits.get(text, ""),
        )
        for i, text in enumerate(members.segments)
    ]


def _figures(family: Grouped, *, gaps: Floats, calibrated: NDArray[np.bool_]) -> dict[str, tuple[Floats, Bounds]]:
    """Value and bounds per segment of every metric of scores; NaN where a segment cannot have them.

    Of the calibration error, whose bounds take the longest, only where they will be told.
    """
    positives = family.positive_counts
    auc, precision = roc_auc(family), average_precision(family)
    ranked = delong_influences(family, components=family.beaten, area=auc)
    precise = influences(family, average_precision_influence(family))
    fewer = np.minimum(positives, family.counts - positives)
    log_losses, squares = (loss[family.order] for loss in family.rows.losses)
    return {
        "roc_auc_score": (auc, area_bounds(auc, moves=ranked, cases=fewer, method="DeLong")),
        "average_precision_score": (
            precision,
            area_bounds(precision, moves=precise, cases=positives, method="Student's t, linearised"),
        ),
        "log_loss": loss_bounds(family, of=log_losses),
        "brier_loss": loss_bounds(family, of=squares),
        "expected_calibration_error": calibration_bounds(family, gaps=gaps, among=calibrated),
    }


def _shares(family: Grouped, *, threshold: float) -> dict[str, tuple[Floats, Floats, str]]:
    """What each metric of decisions is a share of, which of these rows count, and what they are called; of F1, of its
    Jaccard index.
    """
    decided = (family.rows.scores[family.order] >= threshold).astype(np.float64)
    labels, every = family.labels, np.ones(len(family.labels))
    return {
        "positive_rate": (every, labels, "rows"),
        "predicted_positive_rate": (every, decided, "rows"),
        "precision_score": (decided, labels, "predicted positives"),
        "recall_score": (labels, decided, "positives"),
        "f1_score": (np.maximum(labels, decided), labels * decided, "positives, actual or predicted"),
    }


def _of_share(metric: str, family: Grouped, among: Floats, hit: Floats) -> tuple[Floats, Bounds]:
    share, bounds = share_bounds(family, among=among, hit=hit)
    if metric != "f1_score":
        return share, bounds
    lower, upper = _f1(bounds.lower), _f1(bounds.upper)
    return _f1(share), Bounds(lower=lower, upper=upper, method=f"{bounds.method} of the Jaccard index")


def _f1(jaccard: Floats) -> Floats:
    return 2 * jaccard / (1 + jaccard)
