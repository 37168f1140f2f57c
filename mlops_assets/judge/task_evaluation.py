"""Reports and comparisons of models that answer a number or one of several classes, by influence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.slices import AnySlice, Membership, everything, memberships
from mlops_assets.contract.tasks import Multiclass, Regression
from mlops_assets.judge.estimate import (
    ENOUGH_OF_CLASSES,
    ENOUGH_OF_NUMBERS,
    Estimate,
    estimate_of,
    first_lacking,
)
from mlops_assets.judge.intervals import quantile
from mlops_assets.judge.metrics import higher_is_better
from mlops_assets.judge.report import EvaluationReport, SegmentReport
from mlops_assets.judge.significance import Comparison, Difference
from mlops_assets.judge.task_figures import (
    Figure,
    Segmented,
    checked_predictions,
    figure_bounds,
    multiclass_figures,
    regression_figures,
)


def evaluate_task(
    labels: NDArray[np.generic],
    scores: NDArray[np.generic],
    *,
    task: Multiclass | Regression,
    slice_columns: pa.Table,
    slices: Sequence[AnySlice],
    clusters: NDArray[np.generic] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> EvaluationReport:
    """The report on ``scores``: shape (rows,) for numbers, (rows, classes) for classes. There is no threshold in it."""
    y, s = checked_predictions(labels, scores, task=task)
    if slice_columns.num_rows != len(y):
        raise EvaluationError(f"{len(y)} labels but {slice_columns.num_rows} rows of slice columns.")
    need = ENOUGH_OF_CLASSES if isinstance(task, Multiclass) else ENOUGH_OF_NUMBERS
    reports = []
    for member in (everything(len(y)), *memberships(slices, table=slice_columns)):
        rows = _segmented(member, weights=weights, clusters=clusters)
        reports += _reports(member, figures=_figures(y, s, rows=rows, task=task), rows=rows, need=need)
    units = None if clusters is None else len(np.unique(clusters))
    return EvaluationReport(
        threshold=None, overall=reports[0], segments=tuple(reports[1:]), resamples=0, seed=0, units=units
    )


def compare_task(
    labels: NDArray[np.generic],
    challenger: NDArray[np.generic],
    *,
    champion: NDArray[np.generic],
    opponent: str,
    task: Multiclass | Regression,
    slice_columns: pa.Table,
    slices: Sequence[AnySlice],
    baseline: bool = False,
    clusters: NDArray[np.generic] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> Comparison:
    """Both models on the same rows: every metric with a direction, overall and per segment."""
    y, new = checked_predictions(labels, challenger, task=task)
    _, old = checked_predictions(labels, champion, task=task)
    need = ENOUGH_OF_CLASSES if isinstance(task, Multiclass) else ENOUGH_OF_NUMBERS
    found: list[Difference] = []
    for member in (everything(len(y)), *memberships(slices, table=slice_columns)):
        rows = _segmented(member, weights=weights, clusters=clusters)
        ours, theirs = (_figures(y, each, rows=rows, task=task) for each in (new, old))
        for metric, figure in ours.items():
            if higher_is_better(metric) is not None:
                found += _differences(member, metric, ours=figure, theirs=theirs[metric], rows=rows, need=need)
    return Comparison(opponent=opponent, baseline=baseline, differences=tuple(found))


def _segmented(member: Membership, *, weights: Floats | None, clusters: NDArray[np.generic] | None) -> Segmented:
    units = None if clusters is None else np.unique(clusters, return_inverse=True)[1]
    mass = np.ones(len(member.codes)) if weights is None else weights
    return Segmented(weights=mass, codes=member.codes, segments=len(member.segments), units=units)


def _figures(y: Floats, s: Floats, *, rows: Segmented, task: Multiclass | Regression) -> dict[str, Figure]:
    if isinstance(task, Multiclass):
        return multiclass_figures(y, s, rows=rows, task=task)
    return regression_figures(y, s, rows=rows, task=task)


def _reports(
    member: Membership, *, figures: dict[str, Figure], rows: Segmented, need: Mapping[str, int]
) -> list[SegmentReport]:
    counts = np.bincount(rows.codes, minlength=rows.segments)
    bounds = {name: figure_bounds(figure, rows=rows) for name, figure in figures.items()}
    enough, units = rows.counts(), rows.influences(np.zeros(len(rows.codes))).units

    def told(name: str, i: int) -> Estimate:
        have = _counted(enough[i], units[i], figures[name].cases, i)
        return estimate_of(
            figures[name].value, bounds[name], segment=i, lacking=first_lacking(have, need=need, weighted=rows.weighted)
        )

    return [
        SegmentReport(
            slice=member.slice,
            segment=segment,
            rows=int(counts[i]),
            positives=0,
            metrics={name: told(name, i) for name in figures},
            limits=member.limits.get(segment, ""),
        )
        for i, segment in enumerate(member.segments)
    ]


def _differences(
    member: Membership, metric: str, *, ours: Figure, theirs: Figure, rows: Segmented, need: Mapping[str, int]
) -> list[Difference]:
    counts = np.bincount(rows.codes, minlength=rows.segments)
    moves, enough = rows.influences(ours.influence - theirs.influence), rows.counts()
    error, free, units = moves.error, moves.freedom, moves.units
    gain = (ours.value - theirs.value) * (1 if higher_is_better(metric) else -1)
    t, found = quantile(free), []
    for i, segment in enumerate(member.segments):
        lacking = next(
            (
                each
                for each in (
                    first_lacking(_counted(enough[i], units[i], side.cases, i), need=need, weighted=rows.weighted)
                    for side in (ours, theirs)
                )
                if each
            ),
            None,
        )
        if lacking is None and not np.isfinite(gain[i] + error[i]):
            lacking = "no row to compute it from"
        known, half = lacking is None, float(t[i] * error[i])
        found.append(
            Difference(
                metric=metric,
                slice=member.slice,
                segment=segment,
                rows=int(counts[i]),
                units=int(units[i]),
                champion=float(theirs.value[i]) if known else None,
                challenger=float(ours.value[i]) if known else None,
                gain=float(gain[i]) if known else None,
                lower=float(gain[i]) - half if known else None,
                upper=float(gain[i]) + half if known else None,
                error=float(error[i]) if known else None,
                method="paired, linearised" if known else "not enough rows",
                shortfall=lacking,
                freedom=float(free[i]) if known else None,
            )
        )
    return found


def _counted(rows: int, units: int, cases: Ints | None, segment: int) -> dict[str, int]:
    of_class = rows if cases is None else cases[segment]
    return {"rows": int(rows), "rows of the class": int(of_class), "units": int(units)}
