"""The jobs of a use case: what is run together, from a day's files to the package."""

from typing import TypeAlias

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from mlops_assets.contract.source import Cadence
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import asset_key

AssetJob: TypeAlias = UnresolvedAssetJobDefinition
INGEST, REFERENCE, TUNE, TRAIN, SCORE, WATCH = "ingest", "reference", "tune", "train", "score", "watch"
TRY = "try"
"""Not ``trial``, which is the asset's own operation."""


def job_name(use_case: UseCase, job: str) -> str:
    """``flights__ingest``."""
    return f"{use_case.name}__{job}"


DESCRIPTIONS = {
    INGEST: "Takes a batch's landed files to validated rows, history and the online store.",
    REFERENCE: "Takes reference files, which are replaced as a whole.",
    TUNE: "Searches better hyperparameters inside the training window; the next model is trained with what it finds.",
    TRAIN: "Trains a challenger on everything there is; if it passes its gates it is packaged, rehearsed and promoted.",
    SCORE: "Scores a batch with the champion.",
    TRY: "Takes the trial of a challenger one step further, and rolls back a promotion that had bad outcomes.",
    WATCH: "Collects what the service answered and compares it with what is normal.",
}


def assets_of(use_case: UseCase, job: str) -> list[str]:
    """The assets of one job, in the order in which data flows; none if the use case has no need of it."""
    static = [source.name for source in use_case.sources if source.cadence is Cadence.STATIC]
    arriving = [source.name for source in use_case.sources if source.cadence is not Cadence.STATIC]
    looked_up = ["online_store"] if use_case.history or use_case.asof else []
    return {
        INGEST: [*_landed(arriving), *(["history"] if use_case.history else []), *looked_up],
        REFERENCE: _landed(static),
        TUNE: ["hyperparameters"] if use_case.tuning else [],
        TRAIN: ["training_view", "model", "evaluation", "bento", "champion", *looked_up],
        TRY: ["trial"] if use_case.retrain else [],
        SCORE: ["predictions"],
        WATCH: ["prediction_log", "monitoring"],
    }[job]


def build_jobs(use_case: UseCase) -> list[AssetJob]:
    """Every job of the use case that has assets."""
    return [
        dg.define_asset_job(
            job_name(use_case, job),
            selection=dg.AssetSelection.assets(*(asset_key(use_case, name) for name in assets_of(use_case, job))),
            description=description,
            tags={"use_case": use_case.name},
        )
        for job, description in DESCRIPTIONS.items()
        if assets_of(use_case, job)
    ]


def _landed(sources: list[str]) -> list[str]:
    return [f"{stage}_{source}" for source in sources for stage in ("raw", "validated")]
