"""Watch: what the service answered on a day against what is normal, and how right it was once outcomes are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import LakeError
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.paths import evaluation_path, monitoring_path, validated_path
from mlops_assets.contract.slices import Slice
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.judge.report import SegmentReport, evaluate
from mlops_assets.lake.batches import EVERY_BATCH, Wanted
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, read_parquet
from mlops_assets.steps.step import Step
from mlops_assets.stores.features.offline import examples_of
from mlops_assets.stores.features.source_tables import create_source_views
from mlops_assets.stores.models.record import PREDICTIONS, ModelRecord
from mlops_assets.stores.models.registry import load_record
from mlops_assets.stores.predictions.collected_files import records_of_day
from mlops_assets.stores.predictions.skew import audit_skew
from mlops_assets.watch.monitoring import (
    Baseline,
    MonitoringReport,
    checks,
    compare,
    learn_baseline,
    losses_of_constant,
    watched_rows,
)

READABLE = "report_is_readable"

Reports = Mapping[str, MonitoringReport]


def watch(head: Snapshot, *, use_case: UseCase, days: Sequence[str], lake: Lake, connect: Connect) -> Step[Reports]:
    """The report of each of ``days``, of the version that gave most of its answers. Features are compared with what
    that version was trained on, at the commit of ``lake`` that its record names.
    """
    reports, skews = {}, []
    for day in days:
        served = _by_main_version(_latest_answers(head, use_case, day=day))
        reports[day] = _report(head, served, use_case=use_case, day=date.fromisoformat(day), connect=connect)
        skews.append(_skew(served, use_case=use_case, day=day, lake=lake, connect=connect))
    return Step(
        files={monitoring_path(use_case.name, batch=day): told.to_json().encode() for day, told in reports.items()},
        audit=lambda staged: [_readable(staged, use_case, day) for day in reports],
        checks=[
            *(v for told in reports.values() for v in checks(told, positive_word=use_case.positive_word)),
            *skews,
        ],
        outcome=reports,
    )


def _latest_answers(head: Snapshot, use_case: UseCase, *, day: str) -> pa.Table:
    """The day's collected records, for each example asked more than once only the last answer."""
    records = records_of_day(head, use_case=use_case.name, event_day=date.fromisoformat(day))
    if not records.num_rows:
        raise LakeError(
            f"Nothing served for {day} was collected yet: serve, then materialise {use_case.name}/prediction_log."
        )
    last = pa.table(
        {"key": pc.coalesce(records["example_id"], records["prediction_id"]), "row": range(records.num_rows)}
    )
    kept = last.group_by("key").aggregate([("row", "max")])["row_max"]
    return records.take(kept.sort())


def _by_main_version(records: pa.Table) -> pa.Table:
    """The answers of the version that gave most of them."""
    counts = records.group_by("model_version").aggregate([("model_version", "count")])
    version = counts.sort_by([("model_version_count", "descending")])["model_version"][0].as_py()
    return records.filter(pc.equal(records["model_version"], version))


def _version(served: pa.Table) -> str:
    version: str = served["model_version"][0].as_py()
    return version


def _report(head: Snapshot, served: pa.Table, *, use_case: UseCase, day: date, connect: Connect) -> MonitoringReport:
    plan = _plan(use_case)
    rows = watched_rows(served, plan=plan)
    report = compare(rows, baseline=_baseline(head, use_case, _version(served)), plan=plan, day=day)
    return replace(report, realised=_realised(head, served, rows, use_case=use_case, day=day, connect=connect))


def _plan(use_case: UseCase) -> MonitoringPlan:
    return replace(use_case.monitoring, slices=use_case.watched_slices)


def _baseline(head: Snapshot, use_case: UseCase, version: str) -> Baseline:
    held_out = read_parquet(head.local(evaluation_path(use_case.name, version=version, name=PREDICTIONS)))
    return learn_baseline(held_out, plan=_plan(use_case), model_version=version)


def _skew(served: pa.Table, *, use_case: UseCase, day: str, lake: Lake, connect: Connect) -> CheckResult:
    """The day's features against those that the version was trained on."""
    with connect() as connection:
        return audit_skew(
            served, use_case=use_case, version=_version(served), batch=day, lake=lake, connection=connection
        )


def _realised(
    head: Snapshot, served: pa.Table, rows: pa.Table, *, use_case: UseCase, day: date, connect: Connect
) -> Mapping[str, object]:
    """How right the answers were, overall and per watched slice; empty until the day's outcomes have landed."""
    labels = known_labels(head, use_case=use_case, days=[day], connect=connect)
    answered = rows.append_column("id", served["example_id"]).append_column("score", served["score"])
    known = answered.join(labels, keys="id", join_type="inner")
    if not known.num_rows:
        return {}
    record = load_record(head, use_case=use_case.name, version=_version(served))
    report = evaluate(
        known["label"].to_numpy(),
        known["score"].to_numpy(),
        slice_columns=known,
        slices=[Slice(name=name, columns=(name,)) for name in _plan(use_case).slices],
        threshold=record.threshold,
    )
    return {
        "answered": served.num_rows,
        "overall": _figures(report.overall),
        "prior": losses_of_constant(known["label"].to_numpy(), score=_prior(record)),
        "segments": [*map(_figures, report.segments)],
    }


def _prior(record: ModelRecord) -> float:
    """The share of positives of the rows that the version learnt from: what one would say without a model."""
    learnt = record.split["train"]
    return learnt.positives / learnt.rows


def known_labels(head: Snapshot, *, use_case: UseCase, days: Iterable[date], connect: Connect) -> pa.Table:
    """``id`` and ``label`` of the examples of these days whose outcomes have landed; of all without a time axis."""
    wanted = EVERY_BATCH
    if isinstance(use_case.batches, DailyBatches):
        landed = [batch for batch in map(date.isoformat, days) if _has_landed(head, use_case, batch=batch)]
        if not landed:
            return pa.table({"id": pa.array([], pa.string()), "label": pa.array([], pa.float64())})
        wanted = Wanted.these(landed)
    with connect() as connection:
        create_source_views(connection, head, use_case=use_case, wanted=wanted)
        outcomes = examples_of(connection, use_case=use_case)
    return outcomes.filter(pc.is_valid(outcomes["label"])).select(["id", "label"])


def _has_landed(head: Snapshot, use_case: UseCase, *, batch: str) -> bool:
    paths = [validated_path(use_case.name, source=source.name, batch=batch) for source in use_case.arriving]
    return all(map(head.exists, paths))


def _figures(segment: SegmentReport) -> dict[str, object]:
    return {
        "segment": segment.segment,
        "rows": segment.rows,
        "positives": segment.positives,
        "metrics": {
            name: {"value": each.value, "lower": each.lower, "upper": each.upper, "shortfall": each.shortfall}
            for name, each in segment.metrics.items()
        },
    }


def _readable(staged: Snapshot, use_case: UseCase, day: str) -> CheckResult:
    told = MonitoringReport.from_json(staged.read(monitoring_path(use_case.name, batch=day)))
    passed = told.day == day and told.rows > 0
    return CheckResult(
        name=READABLE,
        passed=passed,
        batch=day,
        figures={"rows": told.rows, "cells": len(told.cells)},
        reasons=() if passed else (f"The report of {day} speaks of {told.day} with {told.rows} rows.",),
    )
