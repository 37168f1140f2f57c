"""``bento``: the champion packaged by BentoML, ready for `bentoml serve`."""

import json
from pathlib import Path

import dagster as dg

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.paths import bento_path, model_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.serving.packaging import build_bento as package
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.record import RECORD
from mlops_assets.stores.models.registry import load_record

CHECKS = (
    Check(
        name="holds_the_champion",
        description="The model in the Bento is the champion's, file by file, by checksum.",
    ),
)


def build_bento(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that packages the champion."""

    @platform_asset(
        use_case,
        name="bento",
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
        head = run.lake.at()
        serving = champion(head, use_case=use_case.name)
        if serving is None:
            raise dg.Failure(f"{use_case.name} has no champion yet: materialise {use_case.name}/champion.")
        built = package(
            _files(head, use_case=use_case, version=serving.version),
            use_case=use_case.name,
            version=serving.version,
            data_dir=data.root,
            description=use_case.description,
        )
        told = {"tag": built.tag, "checksums": dict(built.checksums), "source": built.source}
        yield from run.publish(
            files={bento_path(use_case.name, version=serving.version): json.dumps(told, indent=1).encode()},
            audit=lambda staged: [_holds_champion(staged, use_case=use_case, version=serving.version)],
            metadata={
                "tag": built.tag,
                "path": dg.MetadataValue.path(str(built.path)),
                "bytes": built.size,
                "built": built.changed,
                "serve": f"make serve USE_CASE={use_case.name}",
            },
            message=f"{use_case.name}: bento {built.tag}",
        )

    return bento


def _files(head: Snapshot, *, use_case: UseCase, version: str) -> dict[str, Path]:
    record = load_record(head, use_case=use_case.name, version=version)
    return {name: head.local(model_path(use_case.name, version=version, name=name)) for name in (*record.files, RECORD)}


def _holds_champion(staged: Snapshot, *, use_case: UseCase, version: str) -> CheckResult:
    try:
        recorded = load_record(staged, use_case=use_case.name, version=version).files
    except RegistryError as error:
        return CheckResult(name=CHECKS[0].name, passed=False, reasons=(str(error),))
    packaged = json.loads(staged.read(bento_path(use_case.name, version=version)))["checksums"]
    differing = sorted(name for name, digest in recorded.items() if packaged.get(name) != digest)
    return CheckResult(
        name=CHECKS[0].name,
        passed=not differing,
        figures={"files": len(recorded)},
        reasons=(f"These files differ from the champion's: {', '.join(differing)}.",) if differing else (),
    )
