"""``backtest``: how today's recipe would have done over past windows."""

import dagster as dg

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import backtest_path
from mlops_assets.contract.splits import RollingOrigin
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.backtest import BacktestReport, backtest
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.assets.evaluation import lacking
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import page_links, svg_picture
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.reports.backtest_page import backtest_page, backtest_picture
from mlops_assets.stores.models.recipe import current_version, read_view, with_tuned_recipe

CHECKS = (Check(name="every_window_is_judged", description="Each window has every overall figure with its interval."),)


def build_backtest(use_case: UseCase, *, plan: RollingOrigin) -> dg.AssetsDefinition:
    """The asset that trains and judges the recipe over past windows."""

    @platform_asset(
        use_case,
        name="backtest",
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
        version = current_version(head, use_case=use_case)
        told, _ = with_tuned_recipe(head, use_case=use_case)
        report = backtest(read_view(head, use_case=use_case), use_case=told, plan=plan)
        path = backtest_path(use_case.name, version=version)
        page = data.reports(use_case) / f"backtest_{version}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        text = backtest_page(report, use_case=use_case, version=version, commit=head.commit)
        page.write_text(text, encoding="utf-8")
        yield from run.publish(
            files={path: report.to_json()},
            audit=lambda staged: [_judged(staged, path)],
            metadata={
                **page_links("backtest_page", page, root=data.root),
                "recipe_of_version": version,
                "windows": len(report.windows),
                "picture": svg_picture("the recipe over past windows", backtest_picture(report, use_case=use_case)),
                "figures": dg.MetadataValue.md(_table(report)),
            },
            message=f"{use_case.name}: backtest of the recipe of {version}",
        )

    return backtests


def _judged(staged: Snapshot, path: str) -> CheckResult:
    told = BacktestReport.from_json(staged.read(path))
    missing = [f"{w.test_first}: {reason}" for w in told.windows for reason in lacking(w.metrics)]
    return CheckResult(
        name=CHECKS[0].name, passed=not missing, figures={"windows": len(told.windows)}, reasons=tuple(missing)
    )


def _table(report: BacktestReport) -> str:
    """A column per window, a row per figure, and what the gates would have said."""
    windows = report.windows
    lines = [
        f"| | {' | '.join(f'{w.test_first} – {w.test_last}' for w in windows)} |",
        "| --- |" + " --- |" * len(windows),
    ]
    for name in windows[0].metrics:
        told = [w.metrics[name] for w in windows]
        cells = [f"{e.value:.3f} ({e.lower:.3f} – {e.upper:.3f})" if e.value is not None else "" for e in told]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines.append(f"| gates | {' | '.join('passed' if not w.reasons else '; '.join(w.reasons) for w in windows)} |")
    return "\n".join(lines)
