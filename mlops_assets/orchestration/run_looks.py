"""How a run ended, read as a look: that it failed and why, or that all is well. What a check has said is left to it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG, WILL_RETRY_TAG

from mlops_assets.contract.alerts import Finding, Look, Urgency
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.check_looks import places_of_run
from mlops_assets.orchestration.partitions import RANGE_START, batch_partitions

TELLING = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
}


def look_at_run(use_case: UseCase, record: dg.RunRecord, *, instance: dg.DagsterInstance) -> Look | None:
    """What a run's end says; ``None`` if it is of another use case, or will be started again."""
    run = record.dagster_run
    name = _name(use_case, run)
    if name is None or run.tags.get(WILL_RETRY_TAG) == "true":
        return None
    batched = batch_partitions(use_case) if run.tags.keys() & {RANGE_START, PARTITION_NAME_TAG} else None
    reason = _reason(run, instance=instance) if run.is_failure else None
    ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
    finding = Finding(
        use_case=use_case.name,
        cause=f"run/{name}",
        urgency=Urgency.PAGE,
        what=reason or "",
        since=ended,
        evidence=f"run {run.run_id}",
        to_do="Open the run in the Dagster UI, mend what it says, and run it again.",
    )
    return Look(
        use_case=use_case.name,
        subject=finding.cause,
        places=places_of_run(run.run_id, batched, instance=instance),
        by=run.run_id,
        findings=(finding,) if reason else (),
    )


def _name(use_case: UseCase, run: dg.DagsterRun) -> str | None:
    """The job, or the assets that were picked in the UI; ``None`` of another use case."""
    if run.job_name.startswith(f"{use_case.name}__"):
        return run.job_name.removeprefix(f"{use_case.name}__")
    ours = [key.path[-1] for key in run.asset_selection or () if key.path[0] == use_case.name]
    return "+".join(sorted(ours)) or None


def _reason(run: dg.DagsterRun, *, instance: dg.DagsterInstance) -> str | None:
    """Why it failed, in the words of the step that did; ``None`` if a blocking check of it has said so."""
    events = [entry.get_dagster_event() for entry in instance.all_logs(run.run_id, of_type=TELLING)]
    of_check = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    verdicts = [event.asset_check_evaluation_data for event in events if event.event_type is of_check]
    if any(verdict.blocking and not verdict.passed for verdict in verdicts):
        return None
    return _words(events) or f"Run {run.run_id[:8]} failed without a reason."


def _words(events: Sequence[dg.DagsterEvent]) -> str | None:
    for event in events:
        if event.is_step_failure:
            failure = event.step_failure_data
            description = failure.user_failure_data.description if failure.user_failure_data else None
            error = failure.error.cause or failure.error if failure.error else None
            return f"{event.step_key} failed: {description or (error.message.strip() if error else 'no reason')}"
    return next((event.message for event in reversed(events) if event.message), None)
