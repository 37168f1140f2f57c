"""``prediction_log``: what the service answered, collected into the lake exactly once."""

from collections.abc import Sequence

import dagster as dg
import pyarrow as pa
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import parquet_bytes, read_parquet
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.stores.predictions import parity
from mlops_assets.stores.predictions.prediction_log import SCHEMA, LogBatch, pending

CHECKS = (
    Check(
        name="every_record_collected_once",
        description="What was staged holds exactly the records of the log that the lake did not hold yet.",
    ),
    Check(
        name=parity.NAME,
        description="A random sample of the new records, computed again from the lake as of their own moment, has the "
        "same features and scores, to the bit.",
        blocking=False,
    ),
)


def build_prediction_log(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that collects the service's log."""

    @platform_asset(
        use_case,
        name="prediction_log",
        deps=["bento"],
        kinds={"lakefs", "parquet"},
        checks=CHECKS,
        description=(
            "Every answer the service gave: id, time, inputs, features, score and model version. "
            "Where collecting goes on "
            "is read off the lake itself, so that a killed run neither loses nor doubles a record."
        ),
    )
    def prediction_log(
        context: dg.AssetExecutionContext, lake: LakeResource, data: DataResource, duckdb: DuckDBResource
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        held = run.lake.at().paths(f"{use_case.name}/prediction_log/")
        log = data.prediction_log(use_case)
        batches = tuple(pending(log, collected=[info.path for info in held]))
        yield from run.publish(
            files={batch.path: parquet_bytes(batch.rows) for batch in batches},
            audit=lambda staged: [_collected(staged, batches)],
            verdicts=[
                parity.audit_parity(
                    pa.concat_tables([SCHEMA.empty_table(), *(batch.rows for batch in batches)]),
                    use_case=use_case,
                    lake=run.lake,
                    connect=duckdb.get_connection,
                    seed=int(run.context.run.run_id.replace("-", "")[:8], 16),
                )
            ],
            metadata={
                "dagster/row_count": sum(batch.rows.num_rows for batch in batches),
                "files_before": len(held),
                "event_days": ", ".join(sorted({batch.day.isoformat() for batch in batches})) or "none",
            },
        )

    return prediction_log


def _collected(staged: Snapshot, batches: Sequence[LogBatch]) -> CheckResult:
    wrong = [
        batch.path
        for batch in batches
        if read_parquet(staged.local(batch.path), columns=["seq"])["seq"].to_pylist() != batch.rows["seq"].to_pylist()
    ]
    return CheckResult(
        name=CHECKS[0].name,
        passed=not wrong,
        figures={"records": sum(batch.rows.num_rows for batch in batches), "files": len(batches)},
        reasons=(f"These files do not hold the log's records: {', '.join(wrong)}.",) if wrong else (),
    )
