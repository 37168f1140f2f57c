"""Is what the service answered on one day normal? Shares of predicted positives against the same hour of the
week.

Belongs here: the statistics of served predictions, as pure functions of tables. What happens elsewhere:
collecting the prediction log (``stores/``), saying it in the UI (``orchestration/``).

Method. A cell is one hour of one day (or the whole day) within one scope (``overall``, or a slice such as
``carrier=UA``). The positives of a cell are taken as beta-binomial: the share of an hour moves from week to
week more than counting alone explains (weather, holidays), which is what Laney's p' chart corrects for (D.
B. Laney, "Improved control charts for attributes", Quality Engineering 14, 2002). The intraclass correlation
of a scope is the moment estimate of J. C. Kleinman ("Proportions with extraneous variance", JASA 68, 1973),
pooled over the buckets of the week. A served cell is tested two-sided (mid-p) against the beta-binomial
whose variance is that of a new cell plus that of the estimated normal share; the p-values of one day are
corrected together by Benjamini and Hochberg (1995).

Assumptions: the baseline holds held-out predictions of the same model, weeks are exchangeable, days of the baseline
are normal. Held-out predictions without a time axis make one bucket: the share of a day is then judged against the
share of all of them, rows taken as independent. The correction holds for cells that depend positively on each other,
as hours and slices of one day do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.slices import MISSING, OVERALL
from mlops_assets.judge.corrections import discoveries
from mlops_assets.judge.overdispersion import estimate_correlation, judge_count, mean_variance

Verdict = Literal["normal", "deviates", "insufficient data"]
HOURS_OF_WEEK = 168
ANY_DAY = HOURS_OF_WEEK + 7


@dataclass(frozen=True, kw_only=True)
class NormalCell:
    """What one bucket of the week held in the baseline: days seen, rows, sum of squared rows, positives."""

    days: int
    rows: int
    rows_squared: int
    positives: int


@dataclass(frozen=True, kw_only=True)
class NormalScope:
    """One scope's normal week: ``correlation`` and degrees of freedom behind it by granularity, cells by
    bucket.

    A bucket is ``weekday * 24 + hour``, and ``168 + weekday`` for a whole day; Monday is 0. ``ANY_DAY`` is the
    only one where the baseline has no time axis.
    """

    hour_correlation: float
    hour_freedom: int
    day_correlation: float
    day_freedom: int
    cells: Mapping[int, NormalCell]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What is normal for one model version, learnt once from its held-out predictions.

    Without a time axis there are no days: both are None.
    """

    model_version: str
    first_day: str | None
    last_day: str | None
    rows: int
    slices: tuple[str, ...]
    scopes: Mapping[str, NormalScope]

    def to_json(self) -> str:
        """The baseline as JSON text; ``from_json`` reads it back equal."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Baseline:
        """Reads ``to_json``; an ``EvaluationError`` when the text is no baseline."""
        try:
            told = json.loads(text)
            scopes = {name: _scope_from(scope) for name, scope in told.pop("scopes").items()}
            return cls(**{**told, "slices": tuple(told["slices"]), "scopes": scopes})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise EvaluationError(f"This is no monitoring baseline: {error}. Evaluate the model again.") from error


@dataclass(frozen=True, kw_only=True)
class WatchedCell:
    """One judged cell: what was served against what is normal. ``hour`` is None for the whole day.

    ``low`` and ``high`` are the 95 % range a normal cell of that many rows would fall in. Figures are None,
    never NaN, where there is nothing to compare with; ``why`` then says what was missing.
    """

    scope: str
    hour: int | None
    rows: int
    positives: int
    share: float
    normal: float | None
    low: float | None
    high: float | None
    p_value: float | None
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class MonitoringReport:
    """One served day of one model version against its baseline.

    ``realised`` is there once outcomes have landed: the figures of the rows that are known, overall and by slice, and
    under ``prior`` the losses of the training rows' share of positives on the same rows.
    """

    day: str
    model_version: str
    rows: int
    positives: int
    false_discovery_rate: float
    cells: tuple[WatchedCell, ...]
    realised: Mapping[str, object] = field(default_factory=dict)

    @property
    def deviations(self) -> tuple[WatchedCell, ...]:
        """The cells that deviate, the least likely first."""
        found = [cell for cell in self.cells if cell.verdict == "deviates"]
        return tuple(sorted(found, key=lambda cell: (cell.p_value or 0.0, cell.scope)))

    def to_json(self) -> str:
        """The report as JSON text; ``from_json`` reads it back equal."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> MonitoringReport:
        """Reads ``to_json``; an ``EvaluationError`` when the text is no report."""
        try:
            told = json.loads(text)
            return cls(**{**told, "cells": tuple(WatchedCell(**cell) for cell in told["cells"])})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise EvaluationError(f"This is no monitoring report: {error}. Watch the day again.") from error


def learn_baseline(predictions: pa.Table, *, plan: MonitoringPlan, model_version: str) -> Baseline:
    """What is normal, from held-out predictions of some weeks.

    ``predictions`` has ``event_time`` (timestamp, the use case's wall clock; left out where there is no time
    axis), ``predicted_positive`` (bool) and one column per slice of the plan.
    An ``EvaluationError`` when it has no rows.
    """
    if predictions.num_rows == 0:
        raise EvaluationError("No held-out predictions to learn a monitoring baseline from.")
    timed = "event_time" in predictions.column_names
    cells = _count_cells(predictions, slices=plan.slices, timed=timed)
    days = pc.min_max(cells["day"]).as_py() if timed else {"min": None, "max": None}
    scopes = {scope: _learn_scope(cells.filter(pc.equal(cells["scope"], scope))) for scope in _scopes(cells)}
    return Baseline(
        model_version=model_version,
        first_day=days["min"] and days["min"].isoformat(),
        last_day=days["max"] and days["max"].isoformat(),
        rows=predictions.num_rows,
        slices=plan.slices,
        scopes=scopes,
    )


def losses_of_constant(labels: NDArray[np.float64], *, score: float) -> dict[str, float]:
    """The losses of answering every row with the same ``score``, strictly between 0 and 1, by the metrics' names."""
    positive = labels == 1
    return {
        "log_loss": float(-np.mean(np.where(positive, np.log(score), np.log1p(-score)))),
        "brier_loss": float(np.mean(np.square(score - positive))),
    }


def compare(served: pa.Table, *, baseline: Baseline, plan: MonitoringPlan, day: date) -> MonitoringReport:
    """Judges every cell of one served day; ``served`` has the columns of ``learn_baseline``, all rows of
    ``day``.
    """
    cells = _count_cells(served, slices=plan.slices, timed=baseline.first_day is not None)
    strange = [found for found in _day_of(served).unique().to_pylist() if found != day]
    if strange:
        raise EvaluationError(f"Monitoring of {day} was given rows of {strange[0]}: pass one day at a time.")
    judged = [_judge(cell, baseline=baseline, plan=plan) for cell in cells.to_pylist()]
    tested = [cell for cell in judged if cell.p_value is not None]
    p_values = np.array([cell.p_value for cell in tested], dtype=np.float64)
    alarms = discoveries(p_values, rate=plan.false_discovery_rate)
    deviating = {(cell.scope, cell.hour) for cell, alarm in zip(tested, alarms, strict=True) if alarm}
    marked = [replace(cell, verdict="deviates") if (cell.scope, cell.hour) in deviating else cell for cell in judged]
    return MonitoringReport(
        day=day.isoformat(),
        model_version=baseline.model_version,
        rows=served.num_rows,
        positives=int(pc.sum(served["predicted_positive"]).as_py() or 0),
        false_discovery_rate=plan.false_discovery_rate,
        cells=tuple(sorted(marked, key=_reading_order)),
    )


def checks(report: MonitoringReport, *, positive_word: str = "positive") -> tuple[CheckResult, ...]:
    """The report as one WARN verdict; with no cell that can be judged it fails too, saying so."""
    judged = [cell for cell in report.cells if cell.p_value is not None]
    figures: dict[str, Figure] = {
        "rows": report.rows,
        "cells_judged": len(judged),
        "cells_deviating": len(report.deviations),
    }
    if not judged:
        reasons: tuple[str, ...] = (f"insufficient data: none of {report.rows} served rows could be judged.",)
    else:
        reasons = tuple(_sentence(cell, positive_word=positive_word) for cell in report.deviations[:10])
    if report.deviations:
        worst = report.deviations[0]
        figures |= {"worst_share": worst.share, "worst_normal": worst.normal or 0.0, "worst_rows": worst.rows}
    return (
        CheckResult(
            name="served_share_is_normal",
            passed=not reasons,
            severity=Severity.WARN,
            batch=report.day,
            figures=figures,
            reasons=reasons,
        ),
    )


def watched_rows(records: pa.Table, *, plan: MonitoringPlan) -> pa.Table:
    """Collected prediction records as ``compare`` wants them: slices are taken from the JSON text in
    ``inputs``.
    """
    inputs = [json.loads(text) for text in records["inputs"].to_pylist()]
    columns = {
        name: pa.array([None if row.get(name) is None else str(row[name]) for row in inputs], pa.string())
        for name in plan.slices
    }
    kept = records.select(["event_time", "predicted_positive"])
    for name, values in columns.items():
        kept = kept.append_column(name, values)
    return kept


def _count_cells(rows: pa.Table, *, slices: Sequence[str], timed: bool) -> pa.Table:
    """(scope, day, bucket) with rows and positives: every hour and every whole day of every scope."""
    needed = [*(["event_time"] if timed else []), "predicted_positive", *slices]
    missing = [name for name in needed if name not in rows.column_names]
    if missing:
        raise EvaluationError(
            f"Monitoring needs the columns {', '.join(missing)}; found {', '.join(rows.column_names)}."
        )
    parts = []
    for scope in (
        pa.repeat(pa.scalar(OVERALL), rows.num_rows),
        *(_scope_column(rows, name) for name in slices),
    ):
        for day, bucket in _buckets(rows, timed=timed):
            columns = {"scope": scope, "day": day, "bucket": bucket, "positives": rows["predicted_positive"]}
            parts.append(pa.table(columns))
    grouped = pa.concat_tables(parts).group_by(["scope", "day", "bucket"])
    counted = grouped.aggregate([("positives", "sum"), ([], "count_all")])
    named = counted.rename_columns({"positives_sum": "positives", "count_all": "rows"})
    # Sums of floats depend on order, and grouping has none: the same rows have to give the same baseline.
    return named.sort_by([("scope", "ascending"), ("day", "ascending"), ("bucket", "ascending")])


def _buckets(rows: pa.Table, *, timed: bool) -> list[tuple[Any, Any]]:
    """The day and the bucket of every row, by hour and by whole day; one of them all without a time axis."""
    if not timed:
        return [(pa.nulls(rows.num_rows, pa.date32()), pa.repeat(pa.scalar(ANY_DAY, pa.int64()), rows.num_rows))]
    moment = rows["event_time"]
    weekday = pc.cast(pc.day_of_week(moment), pa.int64())
    hour = pc.add(pc.multiply(weekday, 24), pc.hour(moment))
    return [(_day_of(rows), bucket) for bucket in (hour, pc.add(weekday, HOURS_OF_WEEK))]


def _day_of(rows: pa.Table) -> pa.ChunkedArray:
    return pc.cast(rows["event_time"], pa.date32(), safe=False)


def _scope_column(rows: pa.Table, name: str) -> pa.ChunkedArray:
    text = pc.fill_null(pc.cast(rows[name], pa.string()), MISSING)
    return pc.binary_join_element_wise(pa.scalar(name), text, "=")


def _scopes(cells: pa.Table) -> list[str]:
    return sorted(cells["scope"].unique().to_pylist())


def _learn_scope(cells: pa.Table) -> NormalScope:
    bucket = cells["bucket"].to_numpy()
    rows = cells["rows"].to_numpy().astype(np.float64)
    positives = cells["positives"].to_numpy().astype(np.float64)
    hourly = bucket < HOURS_OF_WEEK
    by_hour = estimate_correlation(rows[hourly], positives=positives[hourly], bucket=bucket[hourly])
    by_day = estimate_correlation(rows[~hourly], positives=positives[~hourly], bucket=bucket[~hourly])
    normal = {}
    for number in sorted(set(bucket.tolist())):
        of_bucket = bucket == number
        normal[int(number)] = NormalCell(
            days=int(of_bucket.sum()),
            rows=int(rows[of_bucket].sum()),
            rows_squared=int((rows[of_bucket] ** 2).sum()),
            positives=int(positives[of_bucket].sum()),
        )
    return NormalScope(
        hour_correlation=by_hour[0],
        hour_freedom=by_hour[1],
        day_correlation=by_day[0],
        day_freedom=by_day[1],
        cells=normal,
    )


def _judge(cell: Mapping[str, Any], *, baseline: Baseline, plan: MonitoringPlan) -> WatchedCell:
    rows, positives, bucket = int(cell["rows"]), int(cell["positives"]), int(cell["bucket"])
    hour = bucket % 24 if bucket < HOURS_OF_WEEK else None
    seen = WatchedCell(
        scope=cell["scope"],
        hour=hour,
        rows=rows,
        positives=positives,
        share=positives / rows,
        normal=None,
        low=None,
        high=None,
        p_value=None,
        verdict="insufficient data",
    )
    scope = baseline.scopes.get(cell["scope"])
    normal = scope.cells.get(bucket) if scope else None
    if scope is None or normal is None:
        return replace(seen, why="the baseline has no rows of this hour of the week")
    share = (normal.positives + 0.5) / (normal.rows + 1.0)
    seen = replace(seen, normal=share)
    correlation = scope.day_correlation if hour is None else scope.hour_correlation
    freedom = scope.day_freedom if hour is None else scope.hour_freedom
    if rows < plan.minimum_rows:
        return replace(seen, why=f"{rows} rows, needs {plan.minimum_rows}")
    if bucket != ANY_DAY and (normal.days < plan.minimum_weeks or freedom < plan.minimum_freedom):
        return replace(seen, why=f"{normal.days} weeks in the baseline, needs {plan.minimum_weeks}")
    of_mean = mean_variance(
        np.array([normal.rows], dtype=np.float64),
        rows_squared=np.array([normal.rows_squared], dtype=np.float64),
        correlation=correlation,
    )[0]
    predictive = correlation + float(of_mean) * rows / max(rows - 1, 1)
    judged = judge_count(positives, rows=rows, share=share, correlation=predictive)
    return replace(seen, low=judged.low, high=judged.high, p_value=judged.p_value, verdict="normal")


def _sentence(cell: WatchedCell, *, positive_word: str) -> str:
    when = "whole day" if cell.hour is None else f"{cell.hour:02d}:00"
    return (
        f"{cell.scope}, {when}: {cell.share:.1%} of {cell.rows} rows predicted {positive_word}, "
        f"normal is {cell.normal or 0.0:.1%} ({cell.low or 0.0:.1%} to {cell.high or 0.0:.1%})."
    )


def _reading_order(cell: WatchedCell) -> tuple[bool, str, int]:
    return (cell.scope != OVERALL, cell.scope, -1 if cell.hour is None else cell.hour)


def _scope_from(told: Mapping[str, Any]) -> NormalScope:
    cells = {int(bucket): NormalCell(**cell) for bucket, cell in told["cells"].items()}
    return NormalScope(**{**told, "cells": cells})
