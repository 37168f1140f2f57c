"""What the lake tells of a use case's training: the champion's age, days that deviate since, data not learnt yet."""

from __future__ import annotations

from mlops_assets.contract.retraining import TrainingState
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.listing import listed_versions
from mlops_assets.stores.models.registry import load_record
from mlops_assets.stores.models.unlearnt import unlearnt_batches
from mlops_assets.stores.predictions.served_days import deviating_days


def training_state(lake: Lake, *, use_case: UseCase) -> TrainingState:
    """What is known without the runs: those are the orchestrator's to add."""
    snapshot = lake.at()
    serving = champion(snapshot, use_case=use_case.name)
    if serving is None:
        return TrainingState(champion=None, trained_at=None)
    record = load_record(snapshot, use_case=use_case.name, version=serving.version)
    versions = [listed.record for listed in listed_versions(snapshot, use_case=use_case.name).versions]
    newest = max(versions, key=lambda each: each.created_at, default=record)
    return TrainingState(
        champion=record.version,
        trained_at=record.created_at,
        deviating=deviating_days(
            snapshot, use_case=use_case, since=record.created_at.timestamp(), version=record.version
        ),
        unlearnt=unlearnt_batches(lake, use_case=use_case, record=newest),
    )
