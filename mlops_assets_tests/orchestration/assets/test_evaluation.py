"""What an evaluation must tell to be one."""

from __future__ import annotations

from mlops_assets.ml.statistics.estimate import Estimate
from mlops_assets.ml.tasks import BINARY
from mlops_assets.orchestration.assets.evaluation import lacking

KNOWN = Estimate(value=0.7, lower=0.6, upper=0.8, method="any")
TOO_FEW = Estimate(value=None, lower=None, upper=None, method="any", shortfall="10 units, needs 25")
NOTHING = Estimate(value=None, lower=None, upper=None, method="any")


def test_a_figure_that_tells_most_of_the_task_must_be_there() -> None:
    metrics = {"roc_auc_score": TOO_FEW, "log_loss": KNOWN, "brier_loss": KNOWN}

    assert lacking(metrics, task=BINARY) == ["roc_auc_score: 10 units, needs 25"]


def test_any_other_may_say_what_it_lacks_but_not_be_silent() -> None:
    metrics = {"roc_auc_score": KNOWN, "expected_calibration_error": TOO_FEW, "f1_score": NOTHING}

    assert lacking(metrics, task=BINARY) == ["f1_score: no value"]
