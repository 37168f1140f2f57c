"""``raw_<source>``: the landed files as they came, byte for byte, in the lake."""

import dagster as dg

from mlops_assets.contract.source import Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check, log_anomalies
from mlops_assets.orchestration.partitions import source_partitions
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.steps.land import Landed, land, unusual_file_checks
from mlops_assets.watch.validation.batch_sizes import FILE_SIZE_IS_USUAL
from mlops_assets.watch.validation.data_audits import NEW_CONTENT, RAW_CHECKS

DESCRIPTIONS = {
    "file_is_whole": "The file is complete CSV text: UTF-8, no junk, no cut or uneven line.",
    "has_expected_header": "The header names exactly the columns of the schema, in their order.",
    "has_rows": "There is at least one row below the header.",
    NEW_CONTENT: "No other batch of the source has the same bytes.",
    FILE_SIZE_IS_USUAL: "The file has as many bytes as the same weekday's past leads to expect.",
}


def build_raw(use_case: UseCase, source: Source) -> dg.AssetsDefinition:
    """The asset that takes one source's landed files into the lake."""

    @platform_asset(
        use_case,
        name=f"raw_{source.name}",
        stage="data",
        kinds={"lakefs", "csv"},
        checks=[
            *(Check(name=name, description=DESCRIPTIONS[name]) for name in (*RAW_CHECKS, NEW_CONTENT)),
            *(Check(name=name, description=DESCRIPTIONS[name], blocking=False) for name in unusual_file_checks(source)),
        ],
        partitions_def=source_partitions(use_case, source=source),
        description=(
            f"{source.description}\n\nThe landed files as they came, byte for byte. A file that is "
            "not a whole CSV with "
            "the expected header is refused: it stays in the landing zone and on its lakeFS branch, with what is wrong "
            f"in `{use_case.name}/anomalies/{source.name}/`."
        ),
    )
    def raw(context: dg.AssetExecutionContext, lake: LakeResource, data: DataResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        step = land(run.lake.at(), use_case=use_case, source=source, batches=run.batches, zone=data.landing)
        log_anomalies(context, step.outcome.refused.values())
        yield from run.publish(step, metadata=_metadata(step.outcome))

    return raw


def _metadata(landed: Landed) -> dict[str, object]:
    files = list(landed.files.values())
    return {
        "landed_bytes": sum(file.size for file in files),
        "landed_files": len(files),
        "landed_from": str(files[0].path.parent),
    }
