"""What Dagster knows of a use case's trainings: the one that goes on, and when the last retraining began."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import PARENT_RUN_ID_TAG

from mlops_assets.contract.retraining import TrainingState
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.orchestration.asset_run import REASON
from mlops_assets.orchestration.jobs import TRAIN, job_name
from mlops_assets.orchestration.moments import MOMENT, moment_of
from mlops_assets.stores.predictions.training_state import training_state

STARTED_AS = "mlops/started_as"
RETRAINING = "retraining"
MOST = 100
"""Retrainings looked back at: more than any plan allows within its period."""


def retraining_tags(reason: str) -> Mapping[str, str]:
    """The tags of a run that retrains for that reason."""
    return {REASON: reason, STARTED_AS: RETRAINING}


def reason_of_retraining(run: dg.DagsterRun) -> str:
    """Why a run retrains; empty of a run that a person started to train."""
    return run.tags.get(REASON, "") if run.tags.get(STARTED_AS) == RETRAINING else ""


def state_of_training(use_case: UseCase, *, lake: Lake, instance: dg.DagsterInstance, folder: Path) -> TrainingState:
    """Everything that decides whether to retrain: from the lake, from the alerts in ``folder`` and from the runs."""
    return replace(
        training_state(lake, use_case=use_case, folder=folder),
        running=running_training(use_case, instance=instance),
        started=tuple(_retrainings(use_case, instance=instance)),
    )


def running_training(use_case: UseCase, *, instance: dg.DagsterInstance) -> str | None:
    """The run that trains now, or waits to; whoever started it."""
    wanted = dg.RunsFilter(job_name=job_name(use_case, TRAIN), statuses=NOT_FINISHED_STATUSES)
    records = instance.get_run_records(wanted, limit=1)
    return records[0].dagster_run.run_id if records else None


def _retrainings(use_case: UseCase, *, instance: dg.DagsterInstance) -> Iterator[datetime]:
    """When the last ones began, the newest first; one that died and was started again began once."""
    wanted = dg.RunsFilter(job_name=job_name(use_case, TRAIN), tags={STARTED_AS: RETRAINING})
    for record in instance.get_run_records(wanted, limit=MOST):
        if PARENT_RUN_ID_TAG in record.dagster_run.tags:
            continue
        yield _begun(record)


def _begun(record: dg.RunRecord) -> datetime:
    """When a run began: of a replay, the moment that it plays."""
    if MOMENT in record.dagster_run.tags:
        return moment_of(record.dagster_run.tags)
    return record.create_timestamp if record.start_time is None else datetime.fromtimestamp(record.start_time, UTC)
