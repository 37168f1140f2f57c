"""Few days tell little, and how little is said; what is broken is seen by three."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from mlops_assets.contract.tasks import BINARY
from mlops_assets.judge.few_days import compare_by_day, p_above
from mlops_assets.judge.significance import Comparison, Difference, Verdict

ROWS = 200


def compared(*, days: int, skill: float, seed: int = 0) -> Comparison:
    """Two models over some days: the champion knows half of the truth, the challenger that times ``skill``."""
    generator = np.random.default_rng(seed)
    odds = generator.normal(size=days * ROWS)
    labels = (generator.random(days * ROWS) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    return compare_by_day(
        labels,
        1 / (1 + np.exp(-odds * skill)),
        champion=1 / (1 + np.exp(-odds)),
        days=np.repeat(np.arange(days).astype("datetime64[D]"), ROWS),
        opponent="v1",
        task=BINARY,
        thresholds=(0.5, 0.5),
    )


def log_loss(comparison: Comparison) -> Difference:
    found = comparison.of("log_loss")
    assert found is not None
    return found


def test_three_days_show_a_model_that_is_turned_round() -> None:
    found = log_loss(compared(days=3, skill=-2))

    assert (found.units, found.freedom) == (3, 2)
    assert found.verdict(margin=0.02) is Verdict.WORSE
    assert (found.p_worse(margin=0.02) or 1) < 0.01


def test_two_days_say_nothing_and_what_they_lack() -> None:
    found = log_loss(compared(days=2, skill=-2))

    assert found.verdict() is Verdict.NOT_ENOUGH_ROWS
    assert found.shortfall == "2 days with enough rows, needs 3"


def test_the_same_model_is_not_worse() -> None:
    assert log_loss(compared(days=5, skill=1)).verdict() is Verdict.NOT_WORSE


def test_an_interval_is_that_of_the_days_own_gains() -> None:
    days = np.array([0.1, -0.2, 0.3, 0.05])

    assert p_above(days) == pytest.approx(ttest_1samp(days, 0.0, alternative="greater").pvalue)
    assert p_above(-days, bound=-0.5) == pytest.approx(ttest_1samp(-days, -0.5, alternative="greater").pvalue)
    assert p_above(days[:2] + 9) == 1.0
    assert p_above(np.full(3, 0.5)) == 0.0
