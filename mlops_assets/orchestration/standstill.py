"""What Dagster knows of what stands still: schedules and sensors that somebody switched off, a training that failed."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorStatus

from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.jobs import TRAIN, job_name
from mlops_assets.steps.standstill import Standstill


def dagster_standstills(use_case: UseCase, *, instance: dg.DagsterInstance) -> Iterator[Standstill]:
    """Everything here of one use case."""
    for name in _switched_off(use_case, instance=instance):
        why = f"{name} is switched off: it starts nothing until it is on again, on the UI's automation page."
        yield Standstill(what="automation", why=why)
    if why := _failed_training(use_case, instance=instance):
        yield Standstill(what="training", why=why)


def _switched_off(use_case: UseCase, *, instance: dg.DagsterInstance) -> list[str]:
    """Ours run unless somebody has stopped them."""
    states = instance.all_instigator_state()
    names = {each.instigator_name for each in states if each.status is InstigatorStatus.STOPPED}
    return sorted(name for name in names if name.startswith(f"{use_case.name}__"))


def _failed_training(use_case: UseCase, *, instance: dg.DagsterInstance) -> str:
    """What the last training failed with, unless a gate stopped it: that is a verdict, which the version keeps."""
    records = instance.get_run_records(dg.RunsFilter(job_name=job_name(use_case, TRAIN)), limit=1)
    if not records or records[0].dagster_run.status is not dg.DagsterRunStatus.FAILURE:
        return ""
    run = records[0].dagster_run
    failures = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    reasons = [_reason(event.dagster_event) for event in failures if event.dagster_event]
    said = next((reason for reason in reasons if reason), "it ended without a reason")
    when = datetime.fromtimestamp(records[0].end_time or records[0].create_timestamp.timestamp(), UTC)
    return f"The last training, run {run.run_id[:8]} of {when:%Y-%m-%d %H:%M}, failed: {said}"


def _reason(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    told = event.step_failure_data.user_failure_data
    said = (told.description if told else None) or (error.cause.message if error and error.cause else None)
    return " ".join((said or (error.message if error else "")).split())
