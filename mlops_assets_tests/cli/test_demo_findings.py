"""What a demo says of checks: every one that is not green, each once, with its own words."""

from __future__ import annotations

import io
from typing import Any

import dagster as dg
import pytest
from mlops_assets.watch.monitoring import MonitoringReport
from rich.console import Console

from mlops_assets.cli import demo_summary
from mlops_assets.cli.demo_findings import Demo, failed_checks
from mlops_assets.orchestration.runs import RunSummary
from mlops_assets_tests.orchestration.toy import PARCELS


def run_with(*checks: dg.AssetCheckEvaluation, seconds: dict[str, float] | None = None) -> RunSummary:
    return RunSummary(run_id="run", batches=(), seconds=seconds or {}, metadata={}, checks=checks)


def check(name: str, *, passed: bool = False, why: str | None = "Too few.", **more: Any) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(["parcels", "monitoring"]),
        check_name=name,
        passed=passed,
        description=why,
        metadata={},
        severity=dg.AssetCheckSeverity.WARN,
        **more,
    )


def shown(demo: Demo, part: Any) -> str:
    """What a part of the summary prints."""
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(part(demo))
    return console.export_text()


def test_a_check_that_failed_for_many_batches_is_told_once() -> None:
    run = run_with(
        check("sized", partition="2024-03-01"), check("sized", partition="2024-03-02"), check("sized", why="Two days.")
    )
    assert [(each.name, each.reason) for each in failed_checks(run)] == [("sized", "Two days.")]


def test_each_check_that_is_not_green_is_shown_with_asset_severity_and_reason() -> None:
    demo = Demo(use_case=PARCELS)
    demo.took(run_with(check("usual"), check("whole", passed=True)))
    days = "\n".join(f"2024-03-{day:02d}: [x=1] has moved{', and so on' * 50}." for day in range(1, 10))
    demo.took(run_with(check("served_as_trained", why=days)))

    text = shown(demo, demo_summary._not_green)

    assert "monitoring usual, WARN" in text
    assert "Too few." in text
    assert "whole" not in text
    assert "9 batches, such as 2024-03-01: [x=1] has moved" in text
    assert "and so on, …" in text
    assert "2024-03-02" not in text
    assert "2 checks are not green" in shown(demo, demo_summary._what_next)


def test_without_any_the_summary_says_so() -> None:
    assert "every check passed" in shown(Demo(use_case=PARCELS), demo_summary._not_green)
    assert "not green" not in shown(Demo(use_case=PARCELS), demo_summary._what_next)


def test_the_seconds_of_an_asset_are_those_of_its_first_and_longest_run() -> None:
    demo = Demo(use_case=PARCELS)
    demo.took(run_with(seconds={"history": 9.0}))
    demo.took(run_with(seconds={"history": 1.0, "monitoring": 2.0}))
    assert demo.seconds == {"history": 9.0, "monitoring": 2.0}


@pytest.mark.parametrize(
    ("prior", "said"),
    [({"prior": {"log_loss": 1.049, "brier_loss": 0.41}}, "log loss 1.049, Brier loss 0.410"), ({}, None)],
)
def test_the_prior_on_the_same_rows_stands_beside_the_figures_where_it_is_told(
    prior: dict[str, Any], said: str | None
) -> None:
    figures = {name: {"value": 0.8, "lower": 0.7, "upper": 0.9} for name in demo_summary.REALISED}
    realised = {"answered": 60, "overall": {"rows": 60, "positives": 9, "metrics": figures}, **prior}
    demo = Demo(use_case=PARCELS, compared=(60, 60))
    demo.watched = MonitoringReport(
        day="2024-03-11",
        model_version="v",
        rows=60,
        positives=9,
        false_discovery_rate=0.01,
        cells=(),
        realised=realised,
    )

    text = shown(demo, demo_summary._served)

    assert "outcomes have landed for 60 of them: ROC AUC 0.800" in text
    assert "no slice's share predicted late deviates" in text
    assert ("the constant prior on the same rows" in text) == (said is not None)
    assert said is None or said in text
