"""Watch: what the service was asked and answered on a day against what is usual, and how right it was once that is known.

Belongs here: what the report of a day is made of, and that it is published. How requests, figures and outcomes are
judged is in ``watch/served/``; which days are to be watched in ``stores/predictions/served_days.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import LakeError
from mlops_assets.contract.paths import evaluation_path, monitoring_path, served_truth_path
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.slices import Slice
from mlops_assets.contract.tasks import Binary, Multiclass
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.report import EvaluationReport, evaluate
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, parquet_bytes, read_parquet
from mlops_assets.steps.step import Step
from mlops_assets.stores.models.record import PREDICTIONS, ModelRecord
from mlops_assets.stores.models.registry import load_evaluation, load_record
from mlops_assets.stores.predictions import parity
from mlops_assets.stores.predictions.labels import known_labels
from mlops_assets.stores.predictions.served_days import made_of, wall_clock, watched_until
from mlops_assets.stores.predictions.served_metrics import served_metrics
from mlops_assets.watch.served.report import Order, Realised, WatchReport
from mlops_assets.watch.served.table import METRICS

READABLE = "report_is_readable"
CHECKS: Mapping[Order, str] = {
    "exact": "service_answers_as_it_should",
    "inputs": "requests_are_as_usual",
    "predictions": "answers_are_as_usual",
    "truth": "answers_are_right_as_promised",
}
"""One verdict for each kind of thing that is judged, in the order of trust."""
NAMED_CELLS = 10

Reports = Mapping[str, WatchReport]


def watch(
    head: Snapshot, *, use_case: UseCase, days: Sequence[str], lake: Lake, connect: Connect, now: datetime
) -> Step[Reports]:
    """The report of each of ``days``, as far as it is over ``now``, of the version that gave most of its answers."""
    watched = [
        _ServedDay(
            head=head, use_case=use_case, day=date.fromisoformat(day), lake=lake, connect=connect, now=now
        ).watched
        for day in days
    ]
    return Step(
        files={path: content for each in watched for path, content in each.files.items()},
        audit=lambda staged: [_readable(staged, use_case, day) for day in days],
        checks=[check for each in watched for check in (*_verdicts(each.report), each.parity)],
        outcome={each.report.day.isoformat(): each.report for each in watched},
    )


@dataclass(frozen=True, kw_only=True)
class _Watched:
    """What one day came to."""

    report: WatchReport
    files: Mapping[str, bytes]
    parity: CheckResult


@dataclass(frozen=True, kw_only=True)
class _ServedDay:
    """What is known of one served day, read as it is asked for."""

    head: Snapshot
    use_case: UseCase
    day: date
    lake: Lake
    connect: Connect
    now: datetime

    @cached_property
    def watched(self) -> _Watched:
        """The report, and everything that is written with it."""
        plan, until = self.use_case.monitoring, watched_until(self.day, clock=wall_clock(self.use_case, now=self.now))
        requests = judge_served_requests(...)
        truth = self.truth
        cells = judge(
            self.figures,
            day=self.day,
            until=until,
            version=self.version,
            plan=plan,
            held_out=self.held_out,
            binary=isinstance(self.use_case.task, Binary),
        )
        ...
