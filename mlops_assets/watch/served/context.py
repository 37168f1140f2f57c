"""What every cell of a day is judged with, and what a day lacks to be judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mlops_assets.contract.arrays import Ints
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.watch.served.report import Order
from mlops_assets.watch.served.series import UNTIMED, Scale
from mlops_assets.watch.served.table import REALISED

WEEK = 7
GAIN, GAP = "gain:", "realised less estimated:"
"""Before the name of a loss: by how much it is better than the prior's on the same rows; the realised one less what
the scores led to expect.
"""
DECIDED = "positives_at_scores"
"""The share of positives, against what the day's scores lead to expect."""
SPREAD, HOURS, SEGMENTS = "score_spread", "score_pattern:hours", "score_pattern:segments"
"""The standard deviation of scores; how alike to the usual their pattern over hours and segments is."""
AREA, LOSSES = f"{REALISED}roc_auc_score", ("log_loss", "mean_squared_error", "accuracy_score")
LEAST_DAYS = 10
"""With rows, beside ``minimum_weeks``: of fewer no spread is told."""


@dataclass(frozen=True, kw_only=True)
class Context:
    day: date
    plan: MonitoringPlan
    binary: bool
    over: bool

    def few(self, rows: float) -> str:
        """What a figure of so many rows lacks; empty if nothing."""
        return "" if rows >= self.plan.minimum_rows else f"{int(rows)} rows, needs {self.plan.minimum_rows}"

    def lacking(self, days: Ints, *, untimed: bool = False) -> str:
        """What days that have rows lack to say what is usual before this one; empty if nothing. Rows without a time say
        it alone if they are ``untimed`` ones of a figure that rows tell the spread of.
        """
        before = days[(days < self.day.toordinal()) & (days != UNTIMED)]
        if untimed:
            return ""
        span = self.day.toordinal() - int(before.min()) if len(before) else 0
        if span >= WEEK * self.plan.minimum_weeks and len(before) >= LEAST_DAYS:
            return ""
        return f"{len(before)} days before it in {span} days, needs {LEAST_DAYS} in {WEEK * self.plan.minimum_weeks}"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """How a metric is judged; ``a_row`` is the variance of one row (``series.sampling``), None to be estimated;
    ``alarms`` are the sides that are a reason for an alarm, and ``worth`` the least deviation that is one."""

    metric: str
    scale: Scale
    order: Order
    family: str = ""
    a_row: float | None = 0.0
    alarms: tuple[int, ...] = (-1, 1)
    worth: float = 0.0
