"""``online_store``: what serving looks up, refreshed as a whole from one lake commit."""

import json

import dagster as dg
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.errors import PlatformError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.graph import looked_up
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.steps.refresh import refresh
from mlops_assets.steps.tell_service import tell_champion

CHECKS = (
    Check(name="every_view_has_entities", description="Each history and side view holds at least one entity."),
    Check(
        name="is_fresh",
        description="Every validated day is in the history, and hourly side data is young enough to be used.",
        blocking=False,
    ),
    Check(
        name="online_equals_offline",
        description="For rows drawn at random, what serving looks up equals the point-in-time join, to the bit.",
    ),
)


def build_online_store(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that refreshes the online store of a use case."""

    @platform_asset(
        use_case,
        name="online_store",
        stage="serving",
        deps=looked_up(use_case),
        kinds={"sqlite", "duckdb"},
        checks=CHECKS,
        description=(
            "History rolled up to the day after the last batch, and recent side data, for every entity: what "
            "`bentoml serve` looks up. It is replaced as a whole, so that a reader sees one lake commit's values or "
            "the next one's. If it differs from the offline features it goes back to what it held before."
        ),
    )
    def store(
        context: dg.AssetExecutionContext, lake: LakeResource, data: DataResource, duckdb: DuckDBResource
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        with data.online_store(use_case) as online:
            step = refresh(head, use_case=use_case, online=online, connect=duckdb.get_connection)
        try:  # in case a promotion was killed before it did
            tell_champion(run.lake, use_case=use_case, folder=data.environment)
        except PlatformError as error:
            context.log.warning(f"The service cannot be told who serves: {error}")
        view = step.outcome.view
        yield from run.record(
            step,
            metadata={
                "as_of": view.as_of.isoformat(),
                "lakefs_commit": head.commit,
                "changed": step.outcome.changed,
                "entities": json.dumps({each.name: len(each.entities) for each in (*view.history, *view.side)}),
            },
        )

    return store
