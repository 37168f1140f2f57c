"""``training_view``: history and side data joined point-in-time to labelled examples; the model's matrix."""

import dagster as dg
from dagster_duckdb import DuckDBResource
from pydantic import Field

from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.catalogue import ViewProfile
from mlops_assets.features.lineage import feature_lineage
from mlops_assets.judge.label_shift import SAMPLED_ALIKE
from mlops_assets.judge.leakage import REQUEST_ONLY
from mlops_assets.judge.single_features import HARDLY_TELLS, NOT_TOO_GOOD, WORTH_A_LOOK
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.graph import read_beside_history
from mlops_assets.orchestration.metadata import column_lineage, page_links, table_metadata
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.reports.feature_catalogue import catalogue_page, strongest
from mlops_assets.steps.view import BOTH_OUTCOMES, NOTHING_LATER, ONE_ROW, View, view
from mlops_assets.stores.landing.progress import NOTHING_MISSING
from mlops_assets.stores.models.feature_catalogue import read_catalogue

OUTCOMES = (
    Check(name=BOTH_OUTCOMES, description="There are examples of both outcomes to learn from."),
    Check(name=ONE_ROW, description="Every example is there once."),
    Check(
        name=NOTHING_MISSING,
        description="Of the batches that it is made of none is unfinished, and no day between them is missing.",
        blocking=False,
    ),
)
LEAKAGE = (
    Check(
        name=REQUEST_ONLY,
        description="Request SQL and features taken as they stand read nothing that a request does not have, such as "
        "the label: found by parsing.",
    ),
    Check(
        name=NOT_TOO_GOOD,
        description="No feature alone ranks the label better than the use case finds believable.",
    ),
    Check(
        name=HARDLY_TELLS,
        description=f"No feature alone ranks the label, or a class, surely better than {WORTH_A_LOOK:g} of 1.",
        blocking=False,
    ),
)
SAMPLING = (
    Check(
        name=SAMPLED_ALIKE,
        description="The label's shares, or its mean, do not change for good from some period on, beyond chance and by "
        "much.",
        blocking=False,
    ),
)
AFTERWARDS = (
    Check(
        name=NOTHING_LATER,
        description="The features of one day, computed again with every later batch deleted, are identical to the bit.",
    ),
)


class TrainingViewConfig(dg.Config):
    """Which batches a training view is made of."""

    through: str | None = Field(default=None, description="The last batch to use; all there are by default.")


def build_training_view(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that makes the model's matrix."""

    @platform_asset(
        use_case,
        name="training_view",
        stage="features",
        deps=read_beside_history(use_case),
        kinds={"lakefs", "duckdb", "parquet"},
        checks=OUTCOMES + LEAKAGE + SAMPLING + AFTERWARDS * (use_case.batches.period is not None),
        description=(
            f"Every example with a known outcome ({use_case.title.lower()}), with "
            f"{len(use_case.features)} features as they "
            "were known at the moment of prediction, read from one lakeFS commit."
        ),
    )
    def training_view(
        context: dg.AssetExecutionContext,
        config: TrainingViewConfig,
        lake: LakeResource,
        data: DataResource,
        duckdb: DuckDBResource,
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        step = view(head, use_case=use_case, connect=duckdb.get_connection, through=config.through)
        yield from run.publish(
            step,
            metadata={
                **_metadata(step.outcome, head, use_case=use_case, data=data),
                "read_at_lakefs_commit": head.commit,
            },
        )

    return training_view


def _metadata(made: View, head: Snapshot, *, use_case: UseCase, data: DataResource) -> dict[str, object]:
    origins = feature_lineage(use_case)
    return {
        **table_metadata(made.table, meanings={each.name: each.description for each in use_case.features}),
        **column_lineage({each.name: origins[each.name] for each in use_case.features}, use_case=use_case),
        **made.manifest,
        **_catalogued(head, made.profile, use_case=use_case, data=data),
    }


def _catalogued(
    snapshot: Snapshot, profile: ViewProfile, *, use_case: UseCase, data: DataResource
) -> dict[str, object]:
    """Writes the page of all features and says where, with the most important of them."""
    found = read_catalogue(snapshot, use_case=use_case, profile=profile)
    page = data.reports(use_case) / "features.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(catalogue_page(found), encoding="utf-8")
    return {**page_links("feature_catalogue", page, root=data.root), "features": dg.MetadataValue.md(strongest(found))}
