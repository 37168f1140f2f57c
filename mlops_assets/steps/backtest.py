"""Backtest: how today's recipe would have done over past windows, each time knowing only its past."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import backtest_path
from mlops_assets.contract.splits import RollingOrigin
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.backtest import BacktestReport
from mlops_assets.judge.backtest import backtest as roll
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.steps.judge import untold
from mlops_assets.steps.step import Step
from mlops_assets.stores.models.recipe import current_version, read_view, with_tuned_recipe

EVERY_WINDOW = "every_window_is_judged"


@dataclass(frozen=True, kw_only=True)
class Backtested:
    """The recipe of ``version`` over past windows."""

    version: str
    report: BacktestReport


def backtest(head: Snapshot, *, use_case: UseCase, plan: RollingOrigin) -> Step[Backtested]:
    """Trains and judges the recipe over the windows of ``plan``."""
    version = current_version(head, use_case=use_case)
    told, _ = with_tuned_recipe(head, use_case=use_case)
    report = roll(read_view(head, use_case=use_case), use_case=told, plan=plan)
    path = backtest_path(use_case.name, version=version)
    return Step(
        files={path: report.to_json()},
        audit=lambda staged: [_judged(staged, path)],
        message=f"{use_case.name}: backtest of the recipe of {version}",
        outcome=Backtested(version=version, report=report),
    )


def _judged(staged: Snapshot, path: str) -> CheckResult:
    told = BacktestReport.from_json(staged.read(path))
    missing = [f"{w.test_first}: {reason}" for w in told.windows for reason in untold(w.metrics)]
    return CheckResult(
        name=EVERY_WINDOW, passed=not missing, figures={"windows": len(told.windows)}, reasons=tuple(missing)
    )
