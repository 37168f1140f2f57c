"""``prediction_log``: what the service answered, collected into the lake exactly once."""

import dagster as dg
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.steps.collect import COLLECTED_ONCE, collect
from mlops_assets.stores.predictions import parity

CHECKS = (
    Check(
        name=COLLECTED_ONCE,
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
        stage="serving",
        deps=["champion", *(["online_store"] if use_case.history or use_case.asof else [])],
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
        step = collect(
            run.lake.at(),
            use_case=use_case,
            log=data.prediction_log(use_case),
            lake=run.lake,
            connect=duckdb.get_connection,
            seed=int(run.context.run.run_id.replace("-", "")[:8], 16),
        )
        batches = step.outcome.batches
        yield from run.publish(
            step,
            metadata={
                "dagster/row_count": sum(batch.rows.num_rows for batch in batches),
                "files_before": step.outcome.files_before,
                "event_days": ", ".join(sorted({batch.day.isoformat() for batch in batches})) or "none",
            },
        )

    return prediction_log
