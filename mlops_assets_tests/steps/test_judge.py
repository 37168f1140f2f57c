"""What an evaluation must tell to be one."""

from __future__ import annotations

from mlops_assets.judge.estimate import Estimate
from mlops_assets.steps.judge import lacking

KNOWN = Estimate(value=0.7, lower=0.6, upper=0.8, method="any")
TOO_FEW = Estimate(value=None, lower=None, upper=None, method="any", shortfall="10 units, needs 25")
NOTHING = Estimate(value=None, lower=None, upper=None, method="any")


def test_every_figure_without_a_value_is_named_with_what_it_lacks() -> None:
    metrics = {"roc_auc_score": KNOWN, "expected_calibration_error": TOO_FEW, "f1_score": NOTHING}

    assert lacking(metrics) == ["expected_calibration_error: 10 units, needs 25", "f1_score: no value"]


def test_nothing_is_lacking_where_every_figure_has_a_value() -> None:
    assert lacking({"roc_auc_score": KNOWN}) == []
