"""The recipe over past windows, as an operator materialises it."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest

from mlops_assets.ml.evaluation.backtest import BacktestReport
from mlops_assets.orchestration.build import build_definitions
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import FIRST, PARCELS


def backtested(deployment: Deployment) -> BacktestReport:
    definitions = build_definitions([PARCELS])
    assets = [definitions.get_assets_def(dg.AssetKey(["parcels", name])) for name in ("training_view", "backtest")]
    done = dg.materialize(assets, instance=deployment.instance, resources=definitions.resources)
    assert done.success
    (path,) = deployment.paths("backtests/")
    return BacktestReport.from_json(deployment.lake.at().read(f"parcels/{path}"))


def test_each_window_is_trained_and_judged_knowing_only_its_past(ingested: Deployment) -> None:
    report = backtested(ingested)

    assert [window.test_last for window in report.windows] == [FIRST + timedelta(days=7), FIRST + timedelta(days=9)]
    for window in report.windows:
        assert window.train_first == FIRST
        assert window.train_last < window.test_first
        assert window.test_rows == 4 * 60
        assert window.metrics["roc_auc_score"].value == pytest.approx(0.9, abs=0.1)
        assert set(window.baselines) == {"constant prior", "linear model"}
