"""What an evaluation must tell to be one."""

from __future__ import annotations

from mlops_assets.judge.estimate import Estimate
from mlops_assets.steps.judge import untold

KNOWN = Estimate(value=0.7, lower=0.6, upper=0.8, method="any")
TOO_FEW = Estimate(value=None, lower=None, upper=None, method="any", shortfall="10 units, needs 25")
NOTHING = Estimate(value=None, lower=None, upper=None, method="any")


def test_only_a_figure_that_does_not_say_what_it_lacks_is_missing() -> None:
    assert untold({"roc_auc_score": KNOWN, "log_loss": TOO_FEW, "f1_score": NOTHING}) == ["f1_score: no value"]
