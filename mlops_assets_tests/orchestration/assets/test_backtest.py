"""The recipe over past windows, as an operator materialises it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.contract.gates import MetricBound
from mlops_assets.judge.backtest import BacktestReport
from mlops_assets.orchestration.build import build_definitions
from mlops_assets.reports.backtest_page import backtest_page
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import FIRST, PARCELS


@dataclass(frozen=True, kw_only=True)
class Backtested:
    """What was published, and what the UI shows of it."""

    report: BacktestReport
    told: Mapping[str, Any]


def backtested(deployment: Deployment) -> Backtested:
    definitions = build_definitions([deployment.use_case])
    assets = [definitions.get_assets_def(dg.AssetKey(["parcels", name])) for name in ("training_view", "backtest")]
    done = dg.materialize(assets, instance=deployment.instance, resources=definitions.resources)
    assert done.success
    (path,) = deployment.paths("backtests/")
    (event,) = done.asset_materializations_for_node("parcels__backtest")
    return Backtested(
        report=BacktestReport.from_json(deployment.lake.at().read(f"parcels/{path}")),
        told={name: each.value for name, each in event.metadata.items()},
    )


def test_each_window_is_trained_and_judged_knowing_only_its_past(ingested: Deployment) -> None:
    report = backtested(ingested).report

    assert [window.test_last for window in report.windows] == [FIRST + timedelta(days=7), FIRST + timedelta(days=9)]
    for window in report.windows:
        assert window.train_first == FIRST
        assert window.train_last < window.test_first
        assert window.test_rows == 4 * 60
        assert window.metrics["roc_auc_score"].value == pytest.approx(0.9, abs=0.1)
        assert set(window.baselines) == {"constant prior", "linear model"}


def test_a_page_and_a_picture_show_every_window_beside_the_baselines(ingested: Deployment) -> None:
    found = backtested(ingested)

    page = Path(found.told["backtest_page_file"]).read_text(encoding="utf-8")

    assert found.told["backtest_page"].endswith(Path(found.told["backtest_page_file"]).name)
    assert not re.search(r"https?:|@import|<link|<img|<iframe| src=", page)
    assert page.count("<svg") == len({*PARCELS.task.headline, *PARCELS.task.by_slice})
    for window in found.report.windows:
        assert f"{window.test_first} to {window.test_last}" in page
        for figures in (window.metrics, *window.baselines.values()):
            assert all(each.value is None or f"{each.value:.4f}" in page for each in figures.values())
    assert "✓ may be promoted" in page
    assert base64.b64decode(found.told["picture"].partition("base64,")[2].rstrip(")")).startswith(b"<?xml")


def test_windows_that_a_gate_would_have_refused_say_why(ingested: Deployment) -> None:
    strict = MetricBound(metric="roc_auc_score", at_least=0.9999)

    report = backtested(replace(ingested, use_case=replace(PARCELS, gates=(strict,)))).report
    page = backtest_page(report, use_case=replace(PARCELS, gates=(strict,)), version="v", commit="c")

    assert page.count("✗ refused") == len(report.windows)
    assert "needs at least 0.9999" in page
