"""The sensor that watches the landing zone: one run for each batch whose files are all there, once per content."""

import json
import time
from collections.abc import Iterator, Sequence

import dagster as dg

from mlops_assets.ml.use_case import NamedBatches, UseCase
from mlops_assets.orchestration.jobs import INGEST, REFERENCE, AssetJob, job_name
from mlops_assets.orchestration.partitions import batch_partitions
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.stores.arrivals import Arrivals, arrivals
from mlops_assets.stores.landing import Scan

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
        scan = data.landing.scan(
            use_case.name,
            sources=use_case.sources,
            now=time.time(),
            cursor=json.loads(context.cursor) if context.cursor else None,
        )
        found = arrivals(scan, lake.connect().at(), use_case=use_case)
        reasons = _reasons(scan, found)
        for reason in reasons:
            context.log.warning(reason)
        requests = list(_requests(use_case, found))
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _skip_reason(scan, reasons),
            cursor=json.dumps(scan.cursor),
            dynamic_partitions_requests=_new_partitions(use_case, found, instance=context.instance),
        )

    return [new_data]


def _requests(use_case: UseCase, found: Arrivals) -> Iterator[dg.RunRequest]:
    if found.reference is not None:
        yield dg.RunRequest(run_key=f"reference-{found.reference.digest}", job_name=job_name(use_case, REFERENCE))
    for arrival in found.batches:
        yield dg.RunRequest(
            run_key=f"{arrival.batch}-{arrival.digest}",
            job_name=job_name(use_case, INGEST),
            partition_key=arrival.batch,
        )


def _reasons(scan: Scan, found: Arrivals) -> list[str]:
    """What keeps files from being taken, one sentence each."""
    return [*(f"{refused.path}: {refused.reason}" for refused in scan.refused), *found.waiting]


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
