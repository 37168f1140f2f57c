"""``bento``: the champion packaged by BentoML, ready for `bentoml serve`."""

import dagster as dg

from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.steps.package import HOLDS_CHAMPION, package

CHECKS = (
    Check(
        name=HOLDS_CHAMPION,
        description="The model in the Bento is the champion's, file by file, by checksum.",
    ),
)


def build_bento(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that packages the champion."""

    @platform_asset(
        use_case,
        name="bento",
        stage="serving",
        deps=["champion"],
        kinds={"lakefs", "bentoml"},
        checks=CHECKS,
        description=(
            f"The champion in BentoML's stores, tagged `{use_case.name}:<version>`, with the code that answers. "
            "A version that is packaged already is not packaged again."
        ),
    )
    def bento(context: dg.AssetExecutionContext, lake: LakeResource, data: DataResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        step = package(run.lake.at(), use_case=use_case, data_dir=data.root)
        built = step.outcome
        yield from run.publish(
            step,
            metadata={
                "tag": built.tag,
                "path": dg.MetadataValue.path(str(built.path)),
                "bytes": built.size,
                "built": built.changed,
                "serve": f"make serve USE_CASE={use_case.name}",
            },
        )

    return bento
