"""The jobs of a use case: what is run together, from a day's files to the package."""

from typing import TypeAlias

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from mlops_assets.ml.source import Cadence
from mlops_assets.ml.use_case import UseCase
from mlops_assets.orchestration.asset_run import asset_key
from mlops_assets.orchestration.partitions import batch_partitions

AssetJob: TypeAlias = UnresolvedAssetJobDefinition
INGEST, REFERENCE, TRAIN, SCORE, WATCH = "ingest", "reference", "train", "score", "watch"


def job_name(use_case: UseCase, job: str) -> str:
    """``flights__ingest``."""
    return f"{use_case.name}__{job}"


def build_jobs(use_case: UseCase) -> list[AssetJob]:
    """Every job of the use case; ``reference`` only if it has sources that are replaced as a whole."""
    arriving = [source.name for source in use_case.sources if source.cadence is not Cadence.STATIC]
    static = [source.name for source in use_case.sources if source.cadence is Cadence.STATIC]
    partitions = batch_partitions(use_case)
    jobs = [
        _job(
            use_case,
            INGEST,
            [*_landed(arriving), *(["history"] if use_case.history else []), "online_store"],
            "Takes a batch's landed files to validated rows, history and the online store.",
            partitions,
        ),
        _job(
            use_case,
            TRAIN,
            ["training_view", "model", "evaluation", "champion", "bento", "online_store"],
            "Trains a challenger on everything there is; if it passes its gates it becomes the champion and is packaged.",
        ),
        _job(use_case, SCORE, ["predictions"], "Scores a batch with the champion.", partitions),
        _job(
            use_case,
            WATCH,
            ["prediction_log", "monitoring"],
            "Collects what the service answered and compares it with what is normal.",
            partitions,
        ),
    ]
    if static:
        description = "Takes reference files, which are replaced as a whole."
        jobs.append(_job(use_case, REFERENCE, _landed(static), description))
    return jobs


def _landed(sources: list[str]) -> list[str]:
    return [f"{stage}_{source}" for source in sources for stage in ("raw", "validated")]


def _job(
    use_case: UseCase,
    job: str,
    assets: list[str],
    description: str,
    partitions_def: dg.PartitionsDefinition | None = None,
) -> AssetJob:
    return dg.define_asset_job(
        job_name(use_case, job),
        selection=dg.AssetSelection.assets(*(asset_key(use_case, name) for name in assets)),
        description=description,
        partitions_def=partitions_def,
        tags={"use_case": use_case.name},
    )
