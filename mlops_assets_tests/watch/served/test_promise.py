"""A champion is worse than promised when two weeks running say so beyond chance, and never for one strange week."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from mlops_assets.watch.served.promise import worse_than_promised
from mlops_assets.watch.served.report import Realised, WatchReport

FIRST = date(2024, 3, 11)
LITTLE = (0.03, -0.02, 0.01, -0.03, 0.02, 0.0, -0.01)
"""What days are off by, adding up to nothing over a week."""


def make_watched(number: int, *, loss: float | None, version: str = "v1", **more: Any) -> WatchReport:
    """The report of the day ``number`` (0 to 13), with a log loss about ``loss`` where 0.4 was promised."""
    day = FIRST - timedelta(days=7) + timedelta(days=number)
    value = None if loss is None else loss + LITTLE[number % 7]
    told = {"n": 60, "value": value, "promised": 0.4, "verdict": "cannot be judged", **more}
    return WatchReport(
        use_case="parcels",
        day=day,
        until=datetime(day.year, day.month, day.day) + timedelta(days=1),
        version=version,
        versions={version: 60},
        answered=60,
        headline="Any.",
        realised=(Realised(metric="log_loss", scope="overall", **told),),
    )


def said(*losses: float | None, **more: Any) -> str:
    """What is said of fourteen days of these losses."""
    reports = [make_watched(number, loss=loss, **more) for number, loss in enumerate(losses)]
    return worse_than_promised(reports, metric="log_loss")


def test_two_weeks_beyond_the_promise_are_told_with_their_figures() -> None:
    assert said(*[0.5] * 7, *[0.6] * 7) == (
        "log_loss was 0.5 and 0.6 in the weeks to 2024-03-10 and 2024-03-17, where 0.4 was promised"
    )


@pytest.mark.parametrize("losses", [[0.4] * 14, [0.3] * 14, [0.5] * 7 + [0.4] * 7, [0.4] * 7 + [0.9] * 7, [0.401] * 14])
def test_one_worse_week_or_chance_is_not_told(losses: list[float]) -> None:
    assert said(*losses) == ""


def test_a_week_with_few_outcomes_is_not_judged() -> None:
    assert said(*[0.9] * 3, *[None] * 4, *[0.9] * 7) == ""
    assert said(*[0.9] * 4, *[None] * 3, *[0.9] * 7) != ""
    assert worse_than_promised([], metric="log_loss") == ""


def test_days_that_call_themselves_worse_do_not_make_a_week_worse() -> None:
    """A storm is in all rows of its day: by its rows alone each such day is surely worse."""
    wild = [0.41, 2.0, 0.41, 0.41, 0.41, 0.41, 0.41] * 2
    assert said(*wild, verdict="worse than promised") == ""


def test_days_without_a_promise_or_of_another_metric_say_nothing() -> None:
    assert said(*[0.9] * 14, promised=None) == ""
    reports = [make_watched(number, loss=0.9) for number in range(14)]
    assert worse_than_promised(reports, metric="brier_loss") == ""


def test_a_champion_that_keeps_its_promise_is_seldom_called_worse() -> None:
    """Two weeks of independent days: 0.25 % are to be expected."""
    generator = np.random.default_rng(1)
    called = 0
    for losses in 0.4 + 0.1 * generator.standard_normal((2000, 14)):
        reports = [make_watched(number, loss=float(loss) - LITTLE[number % 7]) for number, loss in enumerate(losses)]
        called += bool(worse_than_promised(reports, metric="log_loss"))
    assert called <= 14
