"""What Dagster knows of a use case's trainings: the one that goes on, and when the last retraining began."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from mlops_assets.contract.retraining import TrainingState
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.orchestration.asset_run import REASON
from mlops_assets.orchestration.jobs import TRAIN, job_name
from mlops_assets.orchestration.moments import MOMENT, moment_of
from mlops_assets.stores.predictions.training_state import training_state

STARTED_AS = "mlops/started_as"
RETRAINING = "retraining"


def retraining_tags(reason: str) -> Mapping[str, str]:
    """The tags of a run that retrains for that reason."""
    return {REASON: reason, STARTED_AS: RETRAINING}


def state_of_training(use_case: UseCase, *, lake: Lake, instance: dg.DagsterInstance) -> TrainingState:
    """Everything that decides whether to retrain: from the lake, and from the runs of this deployment."""
    return replace(
        training_state(lake, use_case=use_case),
        running=running_training(use_case, instance=instance),
        last_started=_last_retraining(use_case, instance=instance),
    )


def running_training(use_case: UseCase, *, instance: dg.DagsterInstance) -> str | None:
    """The run that trains now, or waits to; whoever started it."""
    wanted = dg.RunsFilter(job_name=job_name(use_case, TRAIN), statuses=NOT_FINISHED_STATUSES)
    records = instance.get_run_records(wanted, limit=1)
    return records[0].dagster_run.run_id if records else None


def _last_retraining(use_case: UseCase, *, instance: dg.DagsterInstance) -> datetime | None:
    wanted = dg.RunsFilter(job_name=job_name(use_case, TRAIN), tags={STARTED_AS: RETRAINING})
    for record in instance.get_run_records(wanted, limit=1):
        if MOMENT in record.dagster_run.tags:
            return moment_of(record.dagster_run.tags)
        if record.start_time is None:
            return record.create_timestamp
        return datetime.fromtimestamp(record.start_time, UTC)
    return None
