"""What a demo finds out on its way: filled by the steps, read by the summary."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field

from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.gate_decision import GateDecision
from mlops_assets.judge.report import EvaluationReport
from mlops_assets.stores.models.champion import Pointer
from mlops_assets.stores.predictions.tracing import Trace
from mlops_assets.watch.monitoring import MonitoringReport


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
    watched: MonitoringReport | None = None
    trace: Trace | None = None
    tag: str = ""

    @property
    def total_seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def peak_memory_bytes(self) -> int:
        """Of this process, as the operating system accounts it (Linux counts in KiB)."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
