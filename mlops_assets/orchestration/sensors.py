"""The sensor that watches the landing zone: one run for each batch whose files are all there, once per content."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import dagster as dg
from pydantic import BaseModel

from mlops_assets.contract.use_case import NamedBatches, UseCase
from mlops_assets.orchestration.jobs import INGEST, REFERENCE, AssetJob, job_name
from mlops_assets.orchestration.partitions import batch_partitions
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.stores.landing.arrivals import Arrival, Arrivals, arrivals, refusals
from mlops_assets.stores.landing.landing import Scan

SECONDS = 10
LISTED = 5


def build_sensors(use_case: UseCase, *, jobs: Sequence[AssetJob]) -> list[dg.SensorDefinition]:
    """The sensors of one use case, which start some of its ``jobs``."""
    started = [job for job in jobs if job.name in (job_name(use_case, INGEST), job_name(use_case, REFERENCE))]

    @dg.sensor(
        name=f"{use_case.name}__new_data",
        jobs=started,
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Watches `landing/{use_case.name}/`. A batch starts one run when all of its sources are "
            "there and whole, and "
            "again only if its content changes. What is wrong with a file is said here and in the "
            "log; the others go on."
        ),
    )
    def new_data(context: dg.SensorEvaluationContext, data: DataResource, lake: LakeResource) -> dg.SensorResult:
        remembered = data.environment / "sensors" / f"{use_case.name}.json"
        memory = Memory.read(remembered)
        scan = data.landing.scan(use_case.name, sources=use_case.sources, now=time.time(), cursor=memory.seen)
        connected = lake.connect()
        head = connected.at()
        found = arrivals(scan, head, use_case=use_case, today=datetime.now(UTC).date())
        fresh = [arrival.batch for arrival in found.batches if not memory.has_asked(arrival)]
        refused = refusals(connected.branches(), snapshot=head, use_case=use_case, found=found, fresh=fresh)
        reasons = [*_reasons(scan, found), *refused]
        for reason in reasons:
            context.log.warning(reason)
        requests = list(_requests(use_case, found, memory=memory))
        Memory(seen=dict(scan.cursor), asked=memory.asked).write(remembered)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _skip_reason(scan, reasons),
            dynamic_partitions_requests=_new_partitions(use_case, found, instance=context.instance),
        )

    return [new_data]


class Memory(BaseModel):
    """What the sensor has seen and asked for, in a file: a cursor would be stored again with each of 8,640 ticks a day.

    Losing it costs one more reading of the files that have landed.
    """

    seen: dict[str, tuple[int, int, str, float]] = {}
    asked: dict[str, tuple[str, int]] = {}

    @classmethod
    def read(cls, path: Path) -> Self:
        """What was remembered; nothing if there is no readable file."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValueError):
            return cls()

    def write(self, path: Path) -> None:
        """Replaces the file as a whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(self.model_dump_json(), encoding="utf-8")
        unfinished.replace(path)

    def has_asked(self, arrival: Arrival) -> bool:
        """Whether a run was asked for already for this very content."""
        return self.asked.get(arrival.batch, ("", 0))[0] == arrival.digest

    def run_key(self, arrival: Arrival) -> str:
        """The same for the same content, and a new one when an earlier content comes back after another."""
        digest, changes = self.asked.get(arrival.batch, ("", 0))
        changes += digest != arrival.digest
        self.asked[arrival.batch] = (arrival.digest, changes)
        return f"{arrival.batch}-{arrival.digest}" + (f"-{changes}" if changes > 1 else "")


def _requests(use_case: UseCase, found: Arrivals, *, memory: Memory) -> Iterator[dg.RunRequest]:
    if found.reference is not None:
        yield dg.RunRequest(run_key=memory.run_key(found.reference), job_name=job_name(use_case, REFERENCE))
    for arrival in found.batches:
        yield dg.RunRequest(
            run_key=memory.run_key(arrival),
            job_name=job_name(use_case, INGEST),
            partition_key=arrival.batch,
        )


def _reasons(scan: Scan, found: Arrivals) -> list[str]:
    """What keeps files from being taken, one sentence each."""
    return [*(str(refused) for refused in scan.refused), *found.left_out, *found.waiting]


def _skip_reason(scan: Scan, reasons: Sequence[str]) -> str:
    said = f"{len(scan.files)} files have landed, all of them are in the lake."
    if not reasons:
        return said
    more = f" … and {len(reasons) - LISTED} more, all in the log." if len(reasons) > LISTED else ""
    return "Nothing to start. " + " ".join(reasons[:LISTED]) + more


def _new_partitions(
    use_case: UseCase, found: Arrivals, *, instance: dg.DagsterInstance
) -> list[dg.AddDynamicPartitionsRequest]:
    if not isinstance(use_case.batches, NamedBatches):
        return []
    partitions = batch_partitions(use_case)
    known = set(partitions.get_partition_keys(dynamic_partitions_store=instance))
    new = [arrival.batch for arrival in found.batches if arrival.batch not in known]
    return [partitions.build_add_request(new)] if new else []
