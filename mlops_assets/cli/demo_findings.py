"""What a demo finds out on its way: filled by the steps, read by the summary."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.gate_decision import GateDecision
from mlops_assets.judge.report import EvaluationReport
from mlops_assets.stores.models.champion import Pointer
from mlops_assets.stores.predictions.tracing import Trace
from mlops_assets.watch.served.report import WatchReport

if TYPE_CHECKING:
    from mlops_assets.orchestration.runs import RunSummary


@dataclass(frozen=True, kw_only=True)
class FailedCheck:
    """A check that is not green, as its run recorded it."""

    asset: str
    name: str
    severity: str
    reason: str


def failed_checks(run: RunSummary) -> list[FailedCheck]:
    """Each check of a run that is not green, once: a run over many batches records it for all and for each of them."""
    failed = [check for check in run.checks if not check.passed]
    for_all = {(check.asset_key, check.check_name) for check in failed if check.partition is None}
    return [
        FailedCheck(
            asset=check.asset_key.path[-1],
            name=check.check_name,
            severity=check.severity.value,
            reason=check.description or "no reason was given",
        )
        for check in failed
        if check.partition is None or (check.asset_key, check.check_name) not in for_all
    ]


@dataclass(kw_only=True)
class Demo:
    """What a demo found out on its way; the summary shows it."""

    use_case: UseCase
    started: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    answered: int = 0
    compared: tuple[int, int] = (0, 0)
    pointer: Pointer | None = None
    report: EvaluationReport | None = None
    decision: GateDecision | None = None
    watched_day: str = ""
    watched: WatchReport | None = None
    trace: Trace | None = None
    tag: str = ""
    not_green: list[FailedCheck] = field(default_factory=list)

    def took(self, run: RunSummary) -> None:
        """Keeps what a run of this demo tells: seconds of each asset's first run, and the checks that are not green."""
        self.seconds = {**run.seconds, **self.seconds}
        self.not_green += failed_checks(run)

    @property
    def total_seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def peak_memory_bytes(self) -> int:
        """Of this process, as the operating system accounts it (Linux counts in KiB)."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
