"""Collect: what the service answered, into the lake exactly once, and whether it was right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import prediction_log_folder
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, parquet_bytes, read_parquet
from mlops_assets.steps.step import Step
from mlops_assets.stores.predictions.parity import audit_parity
from mlops_assets.stores.predictions.prediction_log import SCHEMA, LogBatch, PredictionLog, pending

COLLECTED_ONCE = "every_record_collected_once"


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What of the log the lake did not hold yet, and how many files of it the lake held."""

    batches: tuple[LogBatch, ...]
    files_before: int


def collect(
    head: Snapshot, *, use_case: UseCase, log: PredictionLog, lake: Lake, connect: Connect, seed: int
) -> Step[Collected]:
    """Where collecting goes on is read off ``head``. A sample of the new records, drawn by ``seed``, is computed once
    more from the commits of ``lake`` that they name.
    """
    held = head.paths(prediction_log_folder(use_case.name))
    batches = tuple(pending(log, collected=[info.path for info in held]))
    records = pa.concat_tables([SCHEMA.empty_table(), *(batch.rows for batch in batches)])
    return Step(
        files={batch.path: parquet_bytes(batch.rows) for batch in batches},
        audit=lambda staged: [_collected(staged, batches)],
        checks=[audit_parity(records, use_case=use_case, lake=lake, connect=connect, seed=seed)],
        outcome=Collected(batches=batches, files_before=len(held)),
    )


def _collected(staged: Snapshot, batches: Sequence[LogBatch]) -> CheckResult:
    wrong = [
        batch.path
        for batch in batches
        if read_parquet(staged.local(batch.path), columns=["seq"])["seq"].to_pylist() != batch.rows["seq"].to_pylist()
    ]
    return CheckResult(
        name=COLLECTED_ONCE,
        passed=not wrong,
        figures={"records": sum(batch.rows.num_rows for batch in batches), "files": len(batches)},
        reasons=(f"These files do not hold the log's records: {', '.join(wrong)}.",) if wrong else (),
    )
