"""``predictions``: a batch scored by the champion, each row as of its own moment."""

import dagster as dg
import pyarrow as pa
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import table_metadata
from mlops_assets.orchestration.partitions import batch_partitions
from mlops_assets.orchestration.resources import LakeResource
from mlops_assets.steps.score import EVERY_EXAMPLE, score

CHECKS = (
    Check(
        name=EVERY_EXAMPLE,
        description="Each example of the batch has one score: a finite number, from 0 to 1 where it is a probability.",
    ),
)


def build_predictions(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that scores batches."""

    @platform_asset(
        use_case,
        name="predictions",
        stage="serving",
        deps=["champion"],
        kinds={"lakefs", "xgboost", "parquet"},
        checks=CHECKS,
        partitions_def=batch_partitions(use_case),
        description="Every example of a batch, scored by the champion from what was known at the example's own moment.",
    )
    def predictions(context: dg.AssetExecutionContext, lake: LakeResource, duckdb: DuckDBResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        step = score(run.lake.at(), use_case=use_case, batches=run.batches, connect=duckdb.get_connection)
        scored = step.outcome
        rows = pa.concat_tables(scored.batches.values())
        yield from run.publish(step, metadata={**table_metadata(rows), "version": scored.version})

    return predictions
