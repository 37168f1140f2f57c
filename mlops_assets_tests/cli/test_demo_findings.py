"""What a demo says of checks: every one that is not green, each once, with its own words."""

from __future__ import annotations

import io
from datetime import date, datetime
from typing import Any

import dagster as dg
from rich.console import Console

from mlops_assets.cli import demo_summary
from mlops_assets.cli.demo_findings import Demo, failed_checks
from mlops_assets.contract.alerts import Urgency
from mlops_assets.orchestration.runs import RunSummary
from mlops_assets.watch.served.report import Cause, Cell, Estimated, Realised, WatchReport
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


def make_report(**more: Any) -> WatchReport:
    """A watched day of sixty answers, one hour of which was unusual."""
    day = {"order": "predictions", "metric": "score", "span": "day", "n": 60, "value": 0.5, "figure": 0.5}
    hour = {**day, "span": "hour", "hour": 9, "n": 6, "value": 0.4, "gap": "day", "figure": 0.9}
    cells = (
        Cell(**day, scope="overall", usual=0.25, low=0.1, high=0.6, detectable=0.3, verdict="usual"),
        Cell(**hour, scope="overall", usual=0.05, low=-0.2, high=0.2, detectable=0.25, verdict="unusual"),
        Cell(**hour | {"hour": 10}, scope="overall", verdict="cannot be judged", why="6 rows, needs 10"),
        Cell(**{**hour, "metric": "positives", "figure": 0.25}, scope="overall", verdict="usual"),
        Cell(**day, scope="depot=AMS", usual=0.25, low=0.1, high=0.6, detectable=0.3, verdict="usual"),
    )
    told = {"versions": {"v": 60}, "answered": 60, "headline": "High day: 50 % predicted late.", "cells": cells}
    until = datetime(2024, 3, 12)
    return WatchReport(use_case="parcels", day=date(2024, 3, 11), until=until, version="v", **{**told, **more})


def served(**more: Any) -> str:
    demo = Demo(use_case=PARCELS, compared=(60, 60))
    demo.watched = make_report(**more)
    return shown(demo, demo_summary._served)


def rows_of(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_of_the_served_day_the_headline_and_each_hour_beside_what_is_usual_are_shown() -> None:
    text = served()

    assert text.startswith("High day: 50 % predicted late.")
    assert ["all", "day", "60", "0.5", "0.25", "±0.3", "usual"] in rows_of(text)
    assert ["09:00", "6", "25.0%", "0.9", "0.55", "±0.25", "unusual"] in rows_of(text)
    assert ["10:00", "6", "0.9", "cannot", "be", "judged"] in rows_of(text)
    assert "depot=AMS" not in text
    assert "60 of 60 served scores equal the batch scores to the bit" in text
    assert "outcomes have landed" not in text


def test_each_cause_is_shown() -> None:
    told = {"order": "inputs", "urgency": Urgency.INFORM, "since": datetime(2024, 3, 11)}
    cause = Cause(key="input:weight", what="Column 'weight' is in pounds.", **told)

    assert "! Column 'weight' is in pounds." in served(causes=(cause,))


def test_outcomes_so_far_stand_beside_the_prior_on_the_same_rows_and_the_promise() -> None:
    loss = {"metric": "log_loss", "scope": "overall", "n": 40, "value": 0.842, "low": 0.8, "high": 0.9}
    realised = (
        Realised(**loss, prior=1.049, promised=0.5, verdict="worse than promised"),
        Realised(**{**loss, "scope": "depot=AMS", "value": 0.111}, prior=1.0, verdict="as promised"),
    )
    estimated = (Estimated(metric="log_loss", value=0.6, low=0.5, high=0.7, realised=0.842),)

    text = served(labelled=40, realised=realised, estimated=estimated)

    assert "outcomes have landed for 40 of 60 answers:" in text
    assert "log loss 0.842 (0.800–0.900), the prior on the same rows 1.049, promised 0.500: worse than promised" in text
    assert "log loss estimated before at 0.600 (0.500–0.700), came out at 0.842" in text
    assert "0.111" not in text
