"""``bento``: a version packaged by BentoML and rehearsed, before the champion's pointer may move to it."""

import dagster as dg
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.versions import VersionConfig
from mlops_assets.steps import rehearse
from mlops_assets.steps.package import HOLDS_VERSION, package

STARTED = "The exact Bento, started in a process of its own: "


def build_bento(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that packages a version."""

    @platform_asset(
        use_case,
        name="bento",
        stage="model",
        deps=["evaluation"],
        kinds={"lakefs", "bentoml"},
        checks=_checks(use_case),
        description=(
            f"A version that passed its gates in BentoML's stores, tagged `{use_case.name}:<version>`, with the code "
            "that answers. It is started and asked here, before the champion's pointer moves to it: a restart at any "
            "moment finds the champion's Bento. What is packaged and has passed already is not made again."
        ),
    )
    def bento(
        context: dg.AssetExecutionContext,
        config: VersionConfig,
        lake: LakeResource,
        data: DataResource,
        duckdb: DuckDBResource,
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        step = package(
            run.lake.at(),
            use_case=use_case,
            data_dir=data.root,
            connect=duckdb.get_connection,
            version=config.version,
        )
        built = step.outcome.built
        yield from run.publish(
            step,
            metadata={
                "tag": built.tag,
                "path": dg.MetadataValue.path(str(built.path)),
                "bytes": built.size,
                "built": built.changed,
                "rehearsed": step.outcome.rehearsed,
            },
        )

    return bento


def _checks(use_case: UseCase) -> tuple[Check, ...]:
    budget = use_case.budget
    promises = {
        rehearse.STARTS: "it becomes ready with the code, the model and the libraries that it brings.",
        rehearse.SAME: "it answers up to 200 requests on record with the version's own scores, to the bit.",
        rehearse.FAST: f"the median answer to one row takes at most {budget.milliseconds:g} ms.",
        rehearse.SMALL: f"supervisor and worker need at most {budget.megabytes:g} MB.",
        rehearse.REFUSES: "bodies that are no requests get 4xx, never an answer and never 5xx.",
    }
    holds = Check(name=HOLDS_VERSION, description="The model in the Bento is the version's, file by file, by checksum.")
    return (holds, *(Check(name=name, description=STARTED + promise) for name, promise in promises.items()))
