"""The report on a model: every metric with its interval, overall and for each declared slice.

Which metrics there are is in ``metrics.py``, what a segment is in ``slices.py``. Whether the report is good enough is
decided by ``gate_verdicts.py``; comparing two models belongs in ``significance.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import TypeAdapter

from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.slices import AnySlice, Membership
from mlops_assets.contract.tasks import BINARY, Binary, Task
from mlops_assets.judge.discovery import WeakSegment
from mlops_assets.judge.estimate import Estimate, estimates
from mlops_assets.judge.fairness import FairnessReport
from mlops_assets.judge.families import Grouped, judged_rows
from mlops_assets.judge.intervals import CONFIDENCE
from mlops_assets.judge.metrics import higher_is_better, metrics_of
from mlops_assets.judge.plausibility import Implausible
from mlops_assets.judge.repeated_rows import Repeated

SCHEMA = 1


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
    the weak segments that nobody declared. Only a task of two outcomes has a ``threshold``. ``implausible`` is what of
    it is too good to be true, ``repeated`` how many test rows were learnt from, and ``class_rows`` how many rows each
    class has in each part.
    """

    threshold: float | None
    overall: SegmentReport
    segments: tuple[SegmentReport, ...]
    units: int | None = None
    baselines: Mapping[str, SegmentReport] = field(default_factory=dict)
    training: SegmentReport | None = None
    fairness: tuple[FairnessReport, ...] = ()
    discovered: tuple[Discovered, ...] = ()
    implausible: Implausible | None = None
    repeated: Repeated | None = None
    class_rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
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
    task: Task = BINARY,
    threshold: float = 0.5,
    clusters: NDArray[np.generic] | None = None,
    weights: NDArray[np.generic] | None = None,
) -> EvaluationReport:
    """Judges ``scores`` against ``labels``, of shape (rows,), overall and for every segment of ``slices``; scores of
    classes have shape (rows, classes).

    ``clusters`` names the dependent rows (a day, a person); ``threshold`` makes scores of two outcomes decisions. The
    order of rows does not matter: the same rows give the same report to the bit. Raises EvaluationError when there
    is nothing to judge.
    """
    (judged,) = judged_rows(
        labels,
        scores,
        slice_columns=slice_columns,
        slices=slices,
        task=task,
        thresholds=(threshold,),
        clusters=clusters,
        weights=weights,
    )
    overall, *segments = (
        each for member in judged.members for each in _segment_reports(member, family=judged.family(member))
    )
    return EvaluationReport(
        threshold=threshold if isinstance(task, Binary) else None,
        overall=overall,
        segments=tuple(segments),
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


def _segment_reports(members: Membership, *, family: Grouped) -> list[SegmentReport]:
    task = family.rows.task
    columns: dict[str, list[Estimate]] = {}
    for metric in metrics_of(task):
        figure = metric.figure(family)
        lacking = figure.lacking if figure.alone is None else figure.alone
        columns[metric.name] = estimates(figure.value, figure.bounds() if figure.bounds else None, lacking=lacking)
    positives = family.positive_counts if isinstance(task, Binary) else np.zeros(family.segments)
    return [
        SegmentReport(
            slice=members.slice,
            segment=text,
            rows=int(family.counts[i]),
            positives=int(positives[i]),
            metrics={name: estimates[i] for name, estimates in columns.items()},
            limits=members.limits.get(text, ""),
        )
        for i, text in enumerate(members.segments)
    ]
