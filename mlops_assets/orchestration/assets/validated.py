"""``validated_<source>``: the rows that hold, typed, with what breaks a rule set aside in quarantine and counted."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg
import pyarrow as pa
from dagster_duckdb import DuckDBResource

from mlops_assets.ml.checks import CheckResult
from mlops_assets.ml.data_audits import StagedBatch, audit_validated, validated_checks
from mlops_assets.ml.paths import profile_path, quarantine_path, raw_path, validated_path
from mlops_assets.ml.profile import CATEGORY, Profile
from mlops_assets.ml.profiling import profile_batches, profiled_segments
from mlops_assets.ml.slices import OVERALL
from mlops_assets.ml.source import Source
from mlops_assets.ml.use_case import UseCase
from mlops_assets.ml.validation import BatchReport, validate
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import table_metadata
from mlops_assets.orchestration.partitions import source_partitions
from mlops_assets.orchestration.resources import LakeResource
from mlops_assets.stores.snapshot import Snapshot
from mlops_assets.stores.tables import parquet_bytes

DESCRIPTIONS = {
    "matches_schema": "Columns, types and every rule of the schema hold for the published rows.",
    "has_rows": "At least one row is left to publish.",
    "rows_belong_to_batch": "Every row says that it is of the day its file is named for.",
    "quarantine_within_limit": "No more rows are set aside than the use case allows.",
    "every_row_accounted_for": "Every row of the landed file is published or in quarantine, exactly once.",
}


def build_validated(use_case: UseCase, source: Source) -> dg.AssetsDefinition:
    """The asset that types and judges one source's rows."""

    @platform_asset(
        use_case,
        name=f"validated_{source.name}",
        deps=[f"raw_{source.name}"],
        kinds={"lakefs", "pandera", "parquet"},
        checks=[Check(name=name, description=DESCRIPTIONS[name]) for name in validated_checks(source)],
        partitions_def=source_partitions(use_case, source=source),
        description=(
            f"{source.description}\n\nThe rows that hold to the schema, typed, each with the row number it had in its "
            f"file. Rows that break a rule go to `{use_case.name}/quarantine/{source.name}/` with the "
            "rule, the value and "
            f"the reason; more than {source.max_quarantined_share:.1%} of a batch refuses it."
        ),
    )
    def validated(context: dg.AssetExecutionContext, lake: LakeResource, duckdb: DuckDBResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        paths = {batch: raw_path(use_case.name, source=source.name, batch=batch) for batch in run.batches}
        landed = {batch: head.local(path) for batch, path in paths.items()}
        checksums = {batch: head.info(path).checksum for batch, path in paths.items()}
        with duckdb.get_connection() as connection:
            reports = validate(landed, source=source, connection=connection)
            profiles = profile_batches(
                {batch: report.valid for batch, report in reports.items()},
                columns=source.columns.names,
                slices=profiled_segments(use_case.slices, columns=source.columns.names),
                connection=connection,
            )
        yield from run.publish(
            files=_files(use_case, source, reports, made_from=checksums) | _profiled(use_case, source, profiles),
            deletes=_emptied(use_case, source, reports),
            audit=lambda staged: _audit(run, staged, source, reports),
            metadata=_metadata(reports) | _figures(profiles),
        )

    return validated


def _files(
    use_case: UseCase, source: Source, reports: Mapping[str, BatchReport], *, made_from: Mapping[str, str]
) -> dict[str, bytes]:
    files = {}
    for batch, report in reports.items():
        rows = parquet_bytes(report.valid, made_from=made_from[batch])
        files[validated_path(use_case.name, source=source.name, batch=batch)] = rows
        if report.quarantined.num_rows:
            path = quarantine_path(use_case.name, source=source.name, batch=batch)
            files[path] = parquet_bytes(report.quarantined)
    return files


def _profiled(use_case: UseCase, source: Source, profiles: Mapping[str, Profile]) -> dict[str, bytes]:
    return {
        profile_path(use_case.name, source=source.name, batch=batch): parquet_bytes(profile.table)
        for batch, profile in profiles.items()
    }


def _emptied(use_case: UseCase, source: Source, reports: Mapping[str, BatchReport]) -> list[str]:
    """Quarantine files of an earlier version of a batch that has none any more."""
    return [
        quarantine_path(use_case.name, source=source.name, batch=batch)
        for batch, report in reports.items()
        if not report.quarantined.num_rows
    ]


def _audit(
    run: AssetRun, staged: Snapshot, source: Source, reports: Mapping[str, BatchReport]
) -> Sequence[CheckResult]:
    name = run.use_case.name
    files = {
        batch: StagedBatch(
            valid=staged.local(validated_path(name, source=source.name, batch=batch)),
            quarantined=_local_if_there(staged, quarantine_path(name, source=source.name, batch=batch)),
            rows_read=report.rows_read,
        )
        for batch, report in reports.items()
    }
    return [check for checks in audit_validated(files, source=source).values() for check in checks]


def _local_if_there(staged: Snapshot, path: str) -> Path | None:
    return staged.local(path) if staged.exists(path) else None


def _metadata(reports: Mapping[str, BatchReport]) -> dict[str, object]:
    valid = [report.valid for report in reports.values()]
    read = sum(report.rows_read for report in reports.values())
    kept = sum(table.num_rows for table in valid)
    return {
        **table_metadata(pa.concat_tables(valid)),
        "rows_read": read,
        "rows_quarantined": sum(report.rows_read - report.valid.num_rows for report in reports.values()),
        "quarantined_share": (read - kept) / read if read else None,
    }


def _figures(profiles: Mapping[str, Profile]) -> dict[str, float]:
    """Mean and missing share of every column, to be plotted over time; only of a run over one batch."""
    if len(profiles) != 1:
        return {}
    found = {}
    for row in next(iter(profiles.values())).table.to_pylist():
        if row["scope"] == OVERALL and row["rows"]:
            found[f"missing_share/{row['column']}"] = row["missing"] / row["rows"]
            if row["kind"] != CATEGORY and row["mean"] is not None:
                found[f"mean/{row['column']}"] = row["mean"]
    return found
