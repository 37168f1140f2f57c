"""The sensor that watches the landing zone: batches whose files are all there go into runs, once per content."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from mlops_assets.contract.paths import WHOLE, raw_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.orchestration.asks import Asks, Memory, goes_on
from mlops_assets.orchestration.jobs import INGEST, REFERENCE, AssetJob, job_name
from mlops_assets.orchestration.partitions import (
    ADDED_AT_ONCE,
    batch_partitions,
    new_batches,
    over_batches,
    runs_over,
)
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.run_locks import fail_dead_runs
from mlops_assets.stores.landing.arrivals import Arrival, Arrivals, Refusal, arrivals, refusals
from mlops_assets.stores.landing.landing import Scan
from mlops_assets.stores.landing.progress import said_missing, said_unfinished, unfinished_batches

SECONDS = 10
LISTED = 5


def build_sensors(use_case: UseCase, *, jobs: Sequence[AssetJob]) -> list[dg.SensorDefinition]:
    """The sensors of one use case, which start some of its ``jobs``."""
    started = [job for job in jobs if job.name in (job_name(use_case, INGEST), job_name(use_case, REFERENCE))]
    name = f"{use_case.name}__new_data"

    @dg.sensor(
        name=name,
        jobs=started,
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Watches `landing/{use_case.name}/`. A batch starts a run when all of its sources are there and whole, "
            "one with others that follow it, and again only if its content changes, a run has left it unfinished, or "
            "was ended by another batch that was refused. What is refused, "
            "what waits and what is missing is the reason that a tick gives for starting nothing, and in its log; the "
            "others go on."
        ),
    )
    def new_data(context: dg.SensorEvaluationContext, data: DataResource, lake: LakeResource) -> dg.SensorResult:
        remembered = data.environment / "sensors" / f"{use_case.name}.json"
        memory = Memory.read(remembered)
        fail_dead_runs(context.instance)
        scan = data.landing.scan(use_case.name, sources=use_case.sources, now=time.time(), cursor=memory.seen)
        connected = lake.connect()
        head = connected.at()
        _look_for_unfinished(use_case, head, memory=memory)
        today = datetime.now(UTC).date()
        found = arrivals(scan, head, use_case=use_case, today=today, unfinished=memory.unfinished)
        fresh = [arrival.batch for arrival in found.all if not arrival.lacking and not memory.has_asked(arrival)]
        refused = refusals(connected.branches(), use_case=use_case, found=found, fresh=fresh)
        asks = Asks(memory, instance=context.instance, name=name)
        asked = _ask(use_case, found, refused=refused, asks=asks, head=head)
        reasons = [*map(str, refused), *asked, *_reasons(use_case, scan, found)]
        for reason in reasons:
            context.log.warning(reason)
        memory.seen = dict(scan.cursor)
        memory.write(remembered)
        return dg.SensorResult(
            run_requests=asked.requests,
            skip_reason=None if asked.requests else _skip_reason(scan, reasons),
            dynamic_partitions_requests=_new_partitions(use_case, found, instance=context.instance),
        )

    return [new_data]


@dataclass
class _Asked:
    """The runs that are asked for, and what is said of those that were: of each batch that goes on, or stands still."""

    requests: list[dg.RunRequest] = field(default_factory=list)
    going_on: list[str] = field(default_factory=list)
    standing: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        yield from self.standing
        if self.going_on:
            more = f" and {len(self.going_on) - LISTED} more" if len(self.going_on) > LISTED else ""
            yield f"Asked for and not in the lake yet: {', '.join(self.going_on[:LISTED])}{more}."


def _look_for_unfinished(use_case: UseCase, head: Snapshot, *, memory: Memory) -> None:
    """What the lake holds half-way, looked for when something was published and else remembered."""
    if memory.commit != head.commit:
        memory.unfinished = dict(unfinished_batches(head, use_case=use_case))
        memory.commit = head.commit


def _ask(use_case: UseCase, found: Arrivals, *, refused: Sequence[Refusal], asks: Asks, head: Snapshot) -> _Asked:
    """Runs over the batches that Dagster has no run of under their keys yet, or had one that others have ended; of
    those that are not asked for, why they stand still.
    """
    asked, told = _Asked(), {refusal.batch for refusal in refused}
    wanted: list[Arrival] = []
    left = [arrival for arrival in found.all if arrival.lacking]
    if busy := _busy(use_case, asks.instance) if left else None:
        asked.standing.append(f"Run {busy.run_id[:8]} is {busy.status.value}: what is unfinished waits for its end.")
    for arrival in found.all:
        if arrival.lacking and (
            busy or goes_on(asks.last_run(arrival.batch)) or _is_refused(use_case, arrival, refused=refused, head=head)
        ):
            continue
        record = asks.run_of(arrival)
        if record is None:
            wanted.append(arrival)
        elif goes_on(record):
            run = record.dagster_run
            asked.going_on.append(f"{arrival.batch} ({run.status.value}, run {run.run_id[:8]})")
        elif arrival.batch not in told and told.intersection(asks.together(arrival)):
            wanted.append(arrival)
        elif arrival.batch not in told:
            asked.standing.append(_stands_still(use_case, arrival, run=record.dagster_run))
    asked.requests += _requests(use_case, wanted, asks=asks)
    return asked


def _busy(use_case: UseCase, instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    """A run that may be about to finish what is unfinished."""
    for job in (INGEST, REFERENCE):
        going_on = dg.RunsFilter(job_name=job_name(use_case, job), statuses=NOT_FINISHED_STATUSES)
        for run in instance.get_runs(going_on, limit=1):
            return run
    return None


def _is_refused(use_case: UseCase, arrival: Arrival, *, refused: Sequence[Refusal], head: Snapshot) -> bool:
    """Whether what is unfinished was refused since its files were taken: running again would end the same."""
    paths = [raw_path(use_case.name, source=file.source, batch=arrival.batch) for file in arrival.files]
    taken = max(head.info(path).modified for path in paths)
    return any(each.batch == arrival.batch and each.at.timestamp() >= taken for each in refused)


def _requests(use_case: UseCase, wanted: Sequence[Arrival], *, asks: Asks) -> Iterator[dg.RunRequest]:
    """Reference files by themselves, then batches that follow each other together."""
    by_batch = {arrival.batch: arrival for arrival in wanted}
    if whole := by_batch.pop(WHOLE, None):
        yield dg.RunRequest(run_key=asks.run_key([whole]), job_name=job_name(use_case, REFERENCE))
    sizes = {batch: sum(file.size for file in arrival.files) for batch, arrival in by_batch.items()}
    for batches in runs_over(use_case, sizes, instance=asks.instance):
        key, over = asks.run_key([by_batch[batch] for batch in batches]), over_batches(batches)
        yield dg.RunRequest(
            run_key=key,
            job_name=job_name(use_case, INGEST),
            partition_key=over.partition_key,
            tags=dict(over.tags),
        )


def _stands_still(use_case: UseCase, arrival: Arrival, *, run: dg.DagsterRun) -> str:
    what = "is not finished" if arrival.lacking else "is not in the lake"
    return (
        f"Batch {arrival.batch} {what}: run {run.run_id[:8]} ended with {run.status.value}. "
        f"Run it again, or `mlops run {use_case.name}`."
    )


def _reasons(use_case: UseCase, scan: Scan, found: Arrivals) -> Iterator[str]:
    """What keeps files from being taken, and what is missing beside them, a sentence each; the gravest first."""
    yield from (str(refused) for refused in scan.refused if not refused.may_become_ready)
    yield from found.left_out
    yield from said_unfinished(use_case, found.unfinished)
    yield from (str(refused) for refused in scan.refused if refused.may_become_ready)
    yield from found.waiting
    yield from said_missing(use_case, found.there)


def _skip_reason(scan: Scan, reasons: Sequence[str]) -> str:
    said = f"{len(scan.files)} files have landed, all of them are in the lake."
    if not reasons:
        return said
    more = f" … and {len(reasons) - LISTED} more, all in the log." if len(reasons) > LISTED else ""
    return "Nothing to start. " + " ".join(reasons[:LISTED]) + more


def _new_partitions(
    use_case: UseCase, found: Arrivals, *, instance: dg.DagsterInstance
) -> list[dg.AddDynamicPartitionsRequest]:
    partitions = batch_partitions(use_case)
    new = new_batches(use_case, [arrival.batch for arrival in found.batches], instance=instance)
    if not isinstance(partitions, dg.DynamicPartitionsDefinition):
        return []
    return [partitions.build_add_request(new[at : at + ADDED_AT_ONCE]) for at in range(0, len(new), ADDED_AT_ONCE)]
