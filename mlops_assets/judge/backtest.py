"""How the same recipe would have done over past windows: trained and judged anew, each time knowing only its past.

Rolling origin (Tashman 2000): each window ends some days earlier, and everything after it is left out. Only for use
cases that split by time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter

from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.splits import RollingOrigin
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.judgement import Candidate, judge
from mlops_assets.training.fit import fit


@dataclass(frozen=True, kw_only=True)
class Window:
    """One window: what was trained on, what was tested, the figures with their intervals, and those of the baselines.

    ``reasons`` say which gates would have refused the model.
    """

    train_first: date | None
    train_last: date | None
    test_first: date | None
    test_last: date | None
    train_rows: int
    test_rows: int
    metrics: Mapping[str, Estimate]
    baselines: Mapping[str, Mapping[str, Estimate]]
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BacktestReport:
    """The windows, the earliest first."""

    windows: tuple[Window, ...]

    def to_json(self) -> bytes:
        return TypeAdapter(BacktestReport).dump_json(self, indent=1)

    @classmethod
    def from_json(cls, text: bytes | str) -> BacktestReport:
        """Raises EvaluationError when the text is no backtest."""
        try:
            return TypeAdapter(BacktestReport).validate_json(text)
        except ValueError as error:
            raise EvaluationError(f"Not a backtest: {error}") from error


def backtest(view: pa.Table, *, use_case: UseCase, plan: RollingOrigin) -> BacktestReport:
    """Trains and judges the recipe of ``use_case`` once per window of ``plan``.

    Raises TrainingError naming the part of a window that has no rows: ask for fewer windows.
    """
    days = pc.cast(view.column("event_time"), pa.date32(), safe=False)
    last = pc.max(days).as_py()
    ends = [last - timedelta(days=number * plan.step_days) for number in reversed(range(plan.windows))]
    return BacktestReport(
        windows=tuple(_window(view.filter(pc.less_equal(days, pa.scalar(end))), use_case=use_case) for end in ends)
    )


def _window(known: pa.Table, *, use_case: UseCase) -> Window:
    fitted = fit(known, use_case=use_case)
    challenger = Candidate.of(fitted, version="backtest", threads=use_case.recipe.threads)
    judgement = judge(known, use_case=use_case, challenger=challenger, champion=None)
    learnt, tested = fitted.split.train, fitted.split.test
    return Window(
        train_first=learnt.first,
        train_last=learnt.last,
        test_first=tested.first,
        test_last=tested.last,
        train_rows=len(learnt.rows),
        test_rows=len(tested.rows),
        metrics=judgement.report.overall.metrics,
        baselines={name: each.metrics for name, each in judgement.report.baselines.items()},
        reasons=judgement.decision.reasons,
    )
