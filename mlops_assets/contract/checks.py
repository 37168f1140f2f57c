"""What an audit answers: one named verdict with its figures.

Dagster's asset checks are made from these in ``orchestration/``; the lake decides by them whether to merge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_assets.contract.anomalies import Anomaly
from mlops_assets.contract.severity import Severity as Severity

Figure = float | int | str | bool


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One verdict on one staged batch.

    ``name`` states what is true when it passes (``matches_schema``). ``batch`` is the partition it speaks of, ``None``
    for an unpartitioned asset. ``figures`` are plain numbers and words, plotted by the UI over time. ``reasons`` say,
    one sentence each, what was found and what to do; a failed check always has at least one. ``anomalies`` are the
    typed findings behind a verdict on data; a verdict that passes has those that it lets pass.
    """

    name: str
    passed: bool
    severity: Severity = Severity.ERROR
    batch: str | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()

    def __post_init__(self) -> None:
        if not self.passed and not self.reasons:
            raise ValueError(f"Check '{self.name}' failed without a reason: give at least one.")

    @property
    def blocks(self) -> bool:
        """True when this verdict stops publication."""
        return not self.passed and self.severity is Severity.ERROR


def at_most(name: str, figure: float | None, *, limit: float, of: str, batch: str | None = None) -> CheckResult:
    """A check that ``figure`` (described by ``of``) is at most ``limit``; a missing or NaN figure fails."""
    if figure is None or math.isnan(figure):
        return CheckResult(name=name, passed=False, batch=batch, reasons=(f"{of} is missing: nothing to judge.",))
    passed = figure <= limit
    reasons = () if passed else (f"{of} is {figure:.4g}, at most {limit:.4g} is allowed.",)
    return CheckResult(
        name=name, passed=passed, batch=batch, figures={"found": figure, "limit": limit}, reasons=reasons
    )
