"""``backtest``: how today's recipe would have done over past windows."""

import dagster as dg

from mlops_assets.contract.splits import RollingOrigin
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.backtest import BacktestReport
from mlops_assets.judge.estimate import Estimate
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import page_links, svg_picture, table_of
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.reports.backtest_page import backtest_page, backtest_picture
from mlops_assets.steps.backtest import EVERY_WINDOW, backtest

CHECKS = (Check(name=EVERY_WINDOW, description="Each window has every overall figure, or says what it lacks."),)


def build_backtest(use_case: UseCase, *, plan: RollingOrigin) -> dg.AssetsDefinition:
    """The asset that trains and judges the recipe over past windows."""

    @platform_asset(
        use_case,
        name="backtest",
        stage="model",
        deps=["training_view"],
        kinds={"lakefs", "xgboost", "json"},
        checks=CHECKS,
        description=(
            f"Today's recipe, trained and judged {plan.windows} times, {plan.step_days} days apart, each time knowing "
            "only its past: whether a good evaluation was luck. Materialise it before changing a recipe and after."
        ),
    )
    def backtests(context: dg.AssetExecutionContext, lake: LakeResource, data: DataResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        step = backtest(head, use_case=use_case, plan=plan)
        version, report = step.outcome.version, step.outcome.report
        page = data.reports(use_case) / f"backtest_{version}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        text = backtest_page(report, use_case=use_case, version=version, commit=head.commit)
        page.write_text(text, encoding="utf-8")
        yield from run.publish(
            step,
            metadata={
                **page_links("backtest_page", page, root=data.root),
                "recipe_of_version": version,
                "windows": len(report.windows),
                "picture": svg_picture("the recipe over past windows", backtest_picture(report, use_case=use_case)),
                "figures": _table(report),
            },
        )

    return backtests


def _table(report: BacktestReport) -> dg.MarkdownMetadataValue:
    """A column per window, a row per figure, and what the gates would have said."""
    windows = report.windows
    rows = [(name, *(_told(window.metrics[name]) for window in windows)) for name in windows[0].metrics]
    gates = ("gates", *("passed" if not window.reasons else "; ".join(window.reasons) for window in windows))
    return table_of(("", *(f"{window.test_first} – {window.test_last}" for window in windows)), [*rows, gates])


def _told(estimate: Estimate) -> str | None:
    if estimate.value is None:
        return None
    interval = "" if estimate.lower is None else f" ({estimate.lower:.3f} – {estimate.upper:.3f})"
    return f"{estimate.value:.3f}{interval}"
