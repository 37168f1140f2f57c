"""The sensor that tells people: verdicts of checks and ends of runs become alerts, and what is to be told is delivered.

It reads the records of checks and runs behind a cursor rather than being called for each failed run: a check that does
not block leaves its run green, and a sensor of Dagster's for failed runs that raises loses the run. A tick that is
repeated finds what it has found already, so that a cursor which was not stored tells nobody twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

import dagster as dg
from pydantic import AwareDatetime, BaseModel

from mlops_assets.contract.alerts import Look
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.check_looks import look_at_check
from mlops_assets.orchestration.event_log import check_evaluations
from mlops_assets.orchestration.resources import DataResource
from mlops_assets.orchestration.run_looks import look_at_run
from mlops_assets.stores.alerts.book import AlertBook
from mlops_assets.stores.alerts.channels import alert_channels
from mlops_assets.stores.alerts.outbox import Delivery, deliver

SECONDS = 30
LOOK_BACK = timedelta(days=1)
"""What the first tick of a deployment takes for news."""
CHECKS, RUNS = 1000, 100
"""Read in one tick; the rest by the next."""
RETOUCHED = timedelta(minutes=1)
"""A run that ended that long before what was read last was only given a tag since."""

Partitions = Mapping[str, dg.PartitionsDefinition | None]


class Cursor(BaseModel):
    """How far the records have been read: the id of a check's verdict, and when a run was changed.

    ``since`` is where the first tick began, and what counts until there is a verdict.
    """

    since: AwareDatetime
    check: int | None = None
    runs: AwareDatetime

    @classmethod
    def read(cls, text: str | None, *, now: datetime) -> Self:
        """As the last tick left it."""
        begin = now - LOOK_BACK
        return cls.model_validate_json(text) if text else cls(since=begin, runs=begin)


def build_alert_sensor(use_case: UseCase, *, assets: Sequence[dg.AssetsDefinition]) -> dg.SensorDefinition:
    """The sensor of one use case, which tells of its ``assets`` and of the runs of its jobs."""
    partitions = {asset.key.path[-1]: asset.partitions_def for asset in assets}

    @dg.sensor(
        name=f"{use_case.name}__alerts",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Opens an alert for each cause for which a check or a run fails, resolves it when the same passes, and "
            "tells of both by the channels of `MLOPS_ALERT_URLS` until they have accepted it. `mlops alerts` lists "
            "them."
        ),
    )
    def alerts(context: dg.SensorEvaluationContext, data: DataResource) -> dg.SensorResult:
        now = datetime.now(UTC)
        channels = alert_channels()
        cursor = Cursor.read(context.cursor, now=now)
        looks = read_looks(use_case, cursor, partitions=partitions, instance=context.instance)
        with AlertBook(data.environment) as book:
            book.use_channels(channels)
            events = book.record(looks, now=now)
            delivery = deliver(book, channels, now=now)
        for event in events:
            context.log.info(f"Alert {event.alert.id} {event.kind}: {event.alert.finding.what}")
        for channel, reason in delivery.failed.items():
            context.log.warning(f"{channel} was not told and will be: {reason}")
        said = _said(looks, events=len(events), delivery=delivery)
        return dg.SensorResult(skip_reason=said, cursor=cursor.model_dump_json())

    return alerts


def read_looks(
    use_case: UseCase, cursor: Cursor, *, partitions: Partitions, instance: dg.DagsterInstance
) -> list[Look]:
    """What checks and runs said that was not read yet; moves the cursor."""
    return [
        *_looks_at_checks(use_case, cursor, partitions=partitions, instance=instance),
        *_looks_at_runs(use_case, cursor, instance=instance),
    ]


def _looks_at_checks(
    use_case: UseCase, cursor: Cursor, *, partitions: Partitions, instance: dg.DagsterInstance
) -> Iterator[Look]:
    """What the checks said that were not read yet; moves the cursor."""
    since = None if cursor.check is not None else cursor.since.timestamp()
    for record in check_evaluations(instance, after=cursor.check, since=since, limit=CHECKS):
        cursor.check = record.storage_id
        if look := look_at_check(use_case, record.event_log_entry, partitions=partitions, instance=instance):
            yield look


def _looks_at_runs(use_case: UseCase, cursor: Cursor, *, instance: dg.DagsterInstance) -> Iterator[Look]:
    """How the runs ended that were not read yet; moves the cursor."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    wanted, stale = dg.RunsFilter(statuses=ended, updated_after=cursor.runs), cursor.runs - RETOUCHED
    for record in instance.get_run_records(wanted, limit=RUNS, order_by="update_timestamp", ascending=True):
        cursor.runs = record.update_timestamp.astimezone(UTC)
        is_news = record.end_time is None or record.end_time >= stale.timestamp()
        if is_news and (look := look_at_run(use_case, record, instance=instance)):
            yield look


def _said(looks: Sequence[Look], *, events: int, delivery: Delivery) -> str:
    failed = f", {len(delivery.failed)} channels did not accept any" if delivery.failed else ""
    return f"{len(looks)} verdicts were read, {events} of them news; {delivery.delivered} messages delivered{failed}."
