"""``history``: what each day made known about every entity, as mergeable sums. A new day costs a day."""

import dagster as dg
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.periods import said_periods
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.lineage import history_lineage
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.graph import read_by_history
from mlops_assets.orchestration.metadata import column_lineage, table_metadata
from mlops_assets.orchestration.partitions import batch_partitions
from mlops_assets.orchestration.resources import LakeResource
from mlops_assets.steps.aggregate import EVERY_VIEW, ONE_ROW, aggregate
from mlops_assets.stores.landing.progress import missing_in_windows

CHECKS = (
    Check(name=ONE_ROW, description="No entity has two rows for one day in one view."),
    Check(name=EVERY_VIEW, description="Each declared view has aggregates for the batch."),
)


def build_history(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that aggregates each batch on its own."""

    @platform_asset(
        use_case,
        name="history",
        stage="features",
        deps=read_by_history(use_case),
        kinds={"lakefs", "duckdb", "parquet"},
        checks=CHECKS,
        partitions_def=batch_partitions(use_case),
        description=(
            "What each batch made known, per entity and day: counts, sums and sums of squares that "
            "add up over any window. "
            f"Views: {', '.join(view.name for view in use_case.history)}. One small file per batch, "
            "so that a new day costs "
            "a day and a corrected one touches one file."
        ),
    )
    def history(context: dg.AssetExecutionContext, lake: LakeResource, duckdb: DuckDBResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        step = aggregate(head, use_case=use_case, batches=run.batches, connect=duckdb.get_connection)
        yield from run.publish(
            step,
            metadata={
                **table_metadata(step.outcome),
                **column_lineage(history_lineage(use_case), use_case=use_case),
                "missing_days": said_periods(missing_in_windows(head, use_case=use_case, batches=run.batches))
                or "none",
            },
        )

    return history
