"""``history``: what each day made known about every entity, as mergeable sums. A new day costs a day."""

import dagster as dg
import pyarrow.compute as pc
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import history_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.history import IDENTITY, daily_aggregates, split_by_batch
from mlops_assets.features.lineage import history_lineage
from mlops_assets.lake.batches import Wanted
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import parquet_bytes, read_parquet
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import column_lineage, table_metadata
from mlops_assets.orchestration.partitions import batch_partitions
from mlops_assets.orchestration.resources import LakeResource
from mlops_assets.stores.features.source_tables import create_source_views
from mlops_assets.stores.landing.arrivals import history_inputs

CHECKS = (
    Check(name="one_row_per_entity_and_day", description="No entity has two rows for one day in one view."),
    Check(name="every_view_has_rows", description="Each declared view has aggregates for the batch."),
)


def build_history(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that aggregates each batch on its own."""

    @platform_asset(
        use_case,
        name="history",
        deps=[f"validated_{source.name}" for source in use_case.sources],
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
        wanted = Wanted.these(run.batches)
        inputs = history_inputs(head, use_case=use_case, wanted=wanted)
        with duckdb.get_connection() as connection:
            create_source_views(connection, head, use_case=use_case, wanted=wanted)
            aggregates = daily_aggregates(connection, views=use_case.history, relations=use_case.relations)
        tables = split_by_batch(aggregates, batches=run.batches)
        yield from run.publish(
            files={
                history_path(use_case.name, batch=batch): parquet_bytes(table, made_from=inputs[batch])
                for batch, table in tables.items()
            },
            audit=lambda staged: [check for batch in tables for check in _audit(staged, use_case, batch)],
            metadata={
                **table_metadata(aggregates),
                **column_lineage(history_lineage(use_case), use_case=use_case),
            },
        )

    return history


def _audit(staged: Snapshot, use_case: UseCase, batch: str) -> tuple[CheckResult, ...]:
    table = read_parquet(staged.local(history_path(use_case.name, batch=batch)))
    distinct = table.select([name for name in IDENTITY if name != "batch"]).group_by(IDENTITY[1:]).aggregate([])
    repeated = table.num_rows - distinct.num_rows
    found = set(pc.unique(table.column("view")).to_pylist()) if table.num_rows else set()
    missing = sorted({view.name for view in use_case.history} - found)
    return (
        CheckResult(
            name="one_row_per_entity_and_day",
            passed=not repeated,
            batch=batch,
            figures={"rows": table.num_rows, "repeated": repeated},
            reasons=(f"{repeated} rows repeat an entity and day of {batch}.",) if repeated else (),
        ),
        CheckResult(
            name="every_view_has_rows",
            passed=not missing,
            batch=batch,
            figures={"views": len(found)},
            reasons=(f"No aggregates of {batch} for {', '.join(missing)}.",) if missing else (),
        ),
    )
