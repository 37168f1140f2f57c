"""``monitoring``: what the service answered on a day against what is normal for that hour of the week."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import evaluation_path, monitoring_path, validated_path
from mlops_assets.contract.slices import Slice
from mlops_assets.contract.source import Cadence
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.features.training_view import labelled_examples
from mlops_assets.judge.report import SegmentReport, evaluate
from mlops_assets.lake.batches import EVERY_BATCH, Wanted
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.partitions import served_days
from mlops_assets.orchestration.resources import LakeResource
from mlops_assets.stores.features.source_tables import create_source_views
from mlops_assets.stores.models.record import PREDICTIONS
from mlops_assets.stores.models.registry import load_record
from mlops_assets.stores.predictions.skew import audit_skew
from mlops_assets.watch.monitoring import Baseline, MonitoringReport, checks, compare, learn_baseline, watched_rows
from mlops_assets.watch.validation.skew import SERVED_AS_TRAINED

NORMAL = Check(
    name="served_share_is_normal",
    description=(
        "No hour's share of predicted positives (no day's, where examples have no time), overall or in a slice, "
        "deviates beyond chance from what is normal for that hour of the week, corrected for the number of them."
    ),
    blocking=False,
)
SKEW = Check(
    name=SERVED_AS_TRAINED,
    description=(
        "No feature of the served requests is distributed otherwise than in the rows that their model was trained on: "
        "an effect over what is usual between those rows and a day, beyond chance, on enough rows."
    ),
    blocking=False,
)
READABLE = Check(name="report_is_readable", description="The published report reads back and names the day.")


def build_monitoring(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that watches a served day."""

    @platform_asset(
        use_case,
        name="monitoring",
        deps=["prediction_log", "evaluation", *(f"validated_{source.name}" for source in use_case.sources)],
        kinds={"lakefs", "json"},
        checks=[NORMAL, SKEW, READABLE],
        partitions_def=served_days(use_case),
        description=(
            "The answers of one day against the model's own held-out predictions, hour by hour against that hour of "
            "the week where examples have a time; and, where outcomes have landed, how right the answers were. A "
            "deviation is a warning."
        ),
    )
    def monitoring(context: dg.AssetExecutionContext, lake: LakeResource, duckdb: DuckDBResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        reports = {day: _watch(head, use_case, day=date.fromisoformat(day), duckdb=duckdb) for day in run.batches}
        yield from run.publish(
            files={monitoring_path(use_case.name, batch=day): told.to_json().encode() for day, told in reports.items()},
            audit=lambda staged: [_readable(staged, use_case, day) for day in reports],
            verdicts=[
                *(v for told in reports.values() for v in checks(told, positive_word=use_case.positive_word)),
                *(_skew(run.lake, use_case, told, duckdb=duckdb) for told in reports.values()),
            ],
            metadata=_metadata(reports),
        )

    return monitoring


def _watch(head: Snapshot, use_case: UseCase, *, day: date, duckdb: DuckDBResource) -> MonitoringReport:
    records = _latest_answers(head, use_case, day=day)
    version = _main_version(records)
    served = records.filter(pc.equal(records["model_version"], version))
    rows = watched_rows(served, plan=use_case.monitoring)
    report = compare(rows, baseline=_baseline(head, use_case, version), plan=use_case.monitoring, day=day)
    return replace(report, realised=_realised(head, use_case, served, rows, day=day, version=version, duckdb=duckdb))


def _latest_answers(head: Snapshot, use_case: UseCase, *, day: date) -> pa.Table:
    """The day's collected records, for each example asked more than once only the last answer."""
    files = head.local_many(f"{use_case.name}/prediction_log/{day.isoformat()}/")
    if not files:
        raise dg.Failure(
            f"Nothing served for {day} was collected yet: serve, then materialise {use_case.name}/prediction_log."
        )
    tables = [read_parquet(path) for path in files.values()]
    records = pa.concat_tables(tables, promote_options="default").sort_by("answered_at")
    last = pa.table(
        {"key": pc.coalesce(records["example_id"], records["prediction_id"]), "row": range(records.num_rows)}
    )
    kept = last.group_by("key").aggregate([("row", "max")])["row_max"]
    return records.take(kept.sort())


def _skew(lake: Lake, use_case: UseCase, told: MonitoringReport, *, duckdb: DuckDBResource) -> CheckResult:
    """The day's features, of the version that gave most of the answers, against what it was trained on."""
    records = _latest_answers(lake.at(), use_case, day=date.fromisoformat(told.day))
    served = records.filter(pc.equal(records["model_version"], told.model_version))
    with duckdb.get_connection() as connection:
        return audit_skew(
            served, use_case=use_case, version=told.model_version, batch=told.day, lake=lake, connection=connection
        )


def _main_version(records: pa.Table) -> str:
    """The version that gave most of the answers."""
    counts = records.group_by("model_version").aggregate([("model_version", "count")])
    version: str = counts.sort_by([("model_version_count", "descending")])["model_version"][0].as_py()
    return version


def _baseline(head: Snapshot, use_case: UseCase, version: str) -> Baseline:
    held_out = read_parquet(head.local(evaluation_path(use_case.name, version=version, name=PREDICTIONS)))
    return learn_baseline(held_out, plan=use_case.monitoring, model_version=version)


def _realised(
    head: Snapshot,
    use_case: UseCase,
    served: pa.Table,
    rows: pa.Table,
    *,
    day: date,
    version: str,
    duckdb: DuckDBResource,
) -> Mapping[str, object]:
    """How right the answers were, overall and per watched slice; empty until the day's outcomes have landed."""
    wanted = _outcomes_of(head, use_case, day=day)
    if wanted is None:
        return {}
    with duckdb.get_connection() as connection:
        create_source_views(connection, head, use_case=use_case, wanted=wanted)
        outcomes = labelled_examples(connection, examples_sql=use_case.examples_sql, relations=use_case.relations)
    labels = outcomes.filter(pc.is_valid(outcomes["label"])).select(["id", "label"])
    answered = rows.append_column("id", served["example_id"]).append_column("score", served["score"])
    known = answered.join(labels, keys="id", join_type="inner")
    if not known.num_rows:
        return {}
    report = evaluate(
        known["label"].to_numpy(),
        known["score"].to_numpy(),
        slice_columns=known,
        slices=[Slice(name=name, columns=(name,)) for name in use_case.monitoring.slices],
        threshold=load_record(head, use_case=use_case.name, version=version).threshold,
        seed=use_case.recipe.seed,
    )
    return {
        "answered": served.num_rows,
        "overall": _figures(report.overall),
        "segments": [*map(_figures, report.segments)],
    }


def _outcomes_of(head: Snapshot, use_case: UseCase, *, day: date) -> Wanted | None:
    """The batches that may hold the day's outcomes: its own once it has landed, any without a time axis."""
    if not isinstance(use_case.batches, DailyBatches):
        return EVERY_BATCH
    batch = day.isoformat()
    arriving = [source.name for source in use_case.sources if source.cadence is not Cadence.STATIC]
    landed = all(head.exists(validated_path(use_case.name, source=name, batch=batch)) for name in arriving)
    return Wanted.these([batch]) if landed else None


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
        name=READABLE.name,
        passed=passed,
        batch=day,
        figures={"rows": told.rows, "cells": len(told.cells)},
        reasons=() if passed else (f"The report of {day} speaks of {told.day} with {told.rows} rows.",),
    )


def _metadata(reports: Mapping[str, MonitoringReport]) -> dict[str, object]:
    table = [
        "| day | hour | scope | answers | share | normal | range | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for told in reports.values():
        for cell in (*told.deviations, *(each for each in told.cells if each.scope == "overall")):
            normal = "" if cell.normal is None else f"{cell.normal:.1%}"
            span = "" if cell.low is None else f"{cell.low:.1%} – {cell.high:.1%}"
            hour = "all day" if cell.hour is None else f"{cell.hour:02d}:00"
            table.append(
                f"| {told.day} | {hour} | {cell.scope} | {cell.rows} | {cell.share:.1%} | {normal} | "
                f"{span} | {cell.verdict} |"
            )
    return {
        "answers": sum(told.rows for told in reports.values()),
        "deviations": sum(len(told.deviations) for told in reports.values()),
        "outcomes_landed": sum(bool(told.realised) for told in reports.values()),
        "hours": dg.MetadataValue.md("\n".join(table)),
    }
