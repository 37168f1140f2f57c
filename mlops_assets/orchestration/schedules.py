"""What runs by the clock: scoring what has landed, collecting and watching what was served, retraining when it is
due, trying what came of it.

The clock is UTC throughout, so that no hour is skipped or comes twice. After a downtime a schedule fires once: each
looks at everything that is left to do, not at yesterday only. What decides is read by ``stores/``; here it only becomes
run requests. A run key holds the tick, so that what failed is tried again by the next one.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TypeAlias

import dagster as dg

from mlops_assets.contract.periods import Period
from mlops_assets.contract.retraining import Retrain, why_retrain, why_wait
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import asset_key
from mlops_assets.orchestration.jobs import SCORE, TRAIN, TRY, WATCH, AssetJob, job_name
from mlops_assets.orchestration.partitions import add_batches, add_served_days, contiguous, over_batches
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.retraining import retraining_tags, state_of_training
from mlops_assets.steps.monitoring_page import refresh_page
from mlops_assets.steps.probation import why_no_look
from mlops_assets.stores.models.proposal import proposal
from mlops_assets.stores.models.unlearnt import unscored_batches
from mlops_assets.stores.predictions.served_days import served_days

SCORE_AT, WATCH_AT, RETRAIN_AT, TRY_AT = "30 0 * * *", "5 * * * *", "15 * * * *", "45 * * * *"

Requests: TypeAlias = list[dg.RunRequest] | dg.SkipReason


def build_schedules(use_case: UseCase, *, jobs: Sequence[AssetJob]) -> list[dg.ScheduleDefinition]:
    """The schedules of one use case, each of which starts one of its ``jobs``."""
    by_name = {job.name: job for job in jobs}
    score, watch, train = (by_name[job_name(use_case, job)] for job in (SCORE, WATCH, TRAIN))
    return [
        *([_score_daily(use_case, job=score, period=period)] if (period := use_case.batches.period) else []),
        _watch_hourly(use_case, job=watch),
        *([_retrain(use_case, job=train, plan=use_case.retrain)] if use_case.retrain else []),
        *([_try(use_case, job=by_name[job_name(use_case, TRY)])] if use_case.retrain else []),
    ]


def _score_daily(use_case: UseCase, *, job: AssetJob, period: Period) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{use_case.name}__score_daily",
        job=job,
        cron_schedule=SCORE_AT,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            f"Scores every {period} that has landed and is over, that the champion has not learnt from and that has no "
            "predictions yet."
        ),
    )
    def score_daily(context: dg.ScheduleEvaluationContext, lake: LakeResource) -> Requests:
        tick = _tick(context)
        left = unscored_batches(lake.connect(), use_case=use_case)
        over = [batch for batch in left if period.last_day(batch) < tick.date()]
        if not over:
            return dg.SkipReason(f"Every {period} that has landed and that a champion has not learnt from is scored.")
        return list(_score_requests(use_case, over, tick=tick, instance=context.instance))

    return score_daily


def _score_requests(
    use_case: UseCase, batches: Sequence[str], *, tick: datetime, instance: dg.DagsterInstance
) -> Iterator[dg.RunRequest]:
    """One run for each stretch of batches that one can go over."""
    add_batches(use_case, batches, instance=instance)
    for stretch in contiguous(use_case, batches, instance=instance):
        over = over_batches(stretch)
        yield dg.RunRequest(run_key=f"{tick}/{stretch[0]}", partition_key=over.partition_key, tags=dict(over.tags))


def _watch_hourly(use_case: UseCase, *, job: AssetJob) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{use_case.name}__watch_hourly",
        job=job,
        cron_schedule=WATCH_AT,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            "Collects what the service answered and watches every day that has answers, outcomes or hours which its "
            "report does not know of; days on which a service that was asked lately answered nothing, too."
        ),
    )
    def watch_hourly(context: dg.ScheduleEvaluationContext, lake: LakeResource, data: DataResource) -> Requests:
        tick = _tick(context)
        served = served_days(lake.connect().at(), use_case=use_case, folder=data.environment, now=tick)
        if served.unwatched:
            return list(_watch_requests(use_case, served.unwatched, tick=tick, instance=context.instance))
        refresh_page(lake.connect(), use_case=use_case, folder=data.environment, now=tick)
        if served.uncollected:
            log = asset_key(use_case, "prediction_log")
            return [dg.RunRequest(run_key=f"{tick}/collect", asset_selection=[log])]
        return dg.SkipReason(
            "Everything the service answered is collected, and every day is watched as far as it is over."
        )

    return watch_hourly


def _watch_requests(
    use_case: UseCase, days: Sequence[date], *, tick: datetime, instance: dg.DagsterInstance
) -> Iterator[dg.RunRequest]:
    """One run for each day: a day that cannot be judged holds up no other."""
    keys = [day.isoformat() for day in days]
    add_served_days(use_case, keys, instance=instance)
    for key in keys:
        yield dg.RunRequest(run_key=f"{tick}/{key}", partition_key=key)


def _retrain(use_case: UseCase, *, job: AssetJob, plan: Retrain) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{use_case.name}__retrain",
        job=job,
        cron_schedule=RETRAIN_AT,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            "Trains a challenger on everything that has landed when the champion is due to be challenged: by its age, "
            "because its realised loss is worse than promised, or because an input changed for good. It goes through "
            "the same gates as any other. The reason is on the run."
        ),
    )
    def retrain(context: dg.ScheduleEvaluationContext, lake: LakeResource, data: DataResource) -> Requests:
        tick, folder = _tick(context), data.environment
        state = state_of_training(use_case, lake=lake.connect(), instance=context.instance, folder=folder)
        reason, wait = (why(plan, state=state, now=tick) for why in (why_retrain, why_wait))
        if wait is not None or reason is None:
            return dg.SkipReason(wait or "Not due.")
        context.log.info(reason)
        return [dg.RunRequest(run_key=str(tick), tags=dict(retraining_tags(reason)))]

    return retrain


def _try(use_case: UseCase, *, job: AssetJob) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{use_case.name}__trial",
        job=job,
        cron_schedule=TRY_AT,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            "Takes the trial of a challenger one step further, and looks at the last promotion by a retraining when a "
            "batch has landed since: bad outcomes roll it back."
        ),
    )
    def trial(context: dg.ScheduleEvaluationContext, lake: LakeResource) -> Requests:
        connected = lake.connect()
        proposed = proposal(connected.at(), use_case=use_case.name)
        nothing = why_no_look(connected, use_case=use_case)
        if nothing and not (proposed and proposed.is_tried):
            return dg.SkipReason(f"{proposed.told()}. {nothing}" if proposed else nothing)
        return [dg.RunRequest(run_key=str(_tick(context)))]

    return trial


def _tick(context: dg.ScheduleEvaluationContext) -> datetime:
    """The moment that the schedule fires for, in UTC."""
    return context.scheduled_execution_time.astimezone(UTC)
