"""When a retraining is due and what holds it back, decided from plain facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.retraining import Retrain, TrainingState, why_retrain, why_wait

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PLAN = Retrain(every=28 * DAY, when_deviating=True, cooldown=14 * DAY)
YOUNG = TrainingState(champion="2026-11-20-aaaaaaaa", trained_at=NOW - 5 * DAY, unlearnt=("2026-11-29",))
OLD = replace(YOUNG, trained_at=NOW - 28 * DAY)
STRANGE = replace(YOUNG, deviating=("2026-11-27", "2026-11-28"))


def test_a_young_champion_of_usual_days_is_not_challenged() -> None:
    assert why_retrain(PLAN, state=YOUNG, now=NOW) is None
    wait = why_wait(PLAN, state=YOUNG, now=NOW)
    assert wait is not None
    assert "was trained 5 days ago and is due every 28 days, and no day watched since then deviates" in wait


def test_a_champion_as_old_as_declared_is_due_and_the_reason_says_how_old() -> None:
    reason = why_retrain(PLAN, state=OLD, now=NOW)
    assert reason == "The champion 2026-11-20-aaaaaaaa was trained 28 days ago, due every 28 days."
    assert why_wait(PLAN, state=OLD, now=NOW) is None
    assert why_retrain(PLAN, state=OLD, now=NOW - timedelta(seconds=1)) is None


def test_a_deviating_day_makes_it_due_only_where_that_is_declared() -> None:
    reason = why_retrain(PLAN, state=STRANGE, now=NOW)
    assert reason is not None
    assert "2026-11-27, 2026-11-28" in reason
    assert why_wait(PLAN, state=STRANGE, now=NOW) is None
    assert why_retrain(replace(PLAN, when_deviating=False), state=STRANGE, now=NOW) is None


def test_without_a_period_age_alone_is_no_reason() -> None:
    assert why_retrain(Retrain(when_deviating=True, cooldown=DAY), state=OLD, now=NOW) is None


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (replace(OLD, champion=None, trained_at=None), "no champion to challenge"),
        (replace(OLD, running="f3b1c2d4-aaaa"), "by run f3b1c2d4: never two at once"),
        (replace(OLD, last_started=NOW - 13 * DAY), "began 13 days ago, and 14 days is the cooldown"),
        (replace(STRANGE, last_started=NOW - timedelta(hours=3)), "began 3 hours ago"),
        (replace(OLD, unlearnt=()), "nothing has landed that the newest model has not learnt from"),
    ],
)
def test_what_holds_a_due_retraining_back_is_said(state: TrainingState, said: str) -> None:
    wait = why_wait(PLAN, state=state, now=NOW)
    assert wait is not None
    assert said in wait


def test_the_cooldown_ends_when_its_time_is_over() -> None:
    assert why_wait(PLAN, state=replace(OLD, last_started=NOW - 14 * DAY), now=NOW) is None


def test_a_plan_that_could_never_be_due_or_has_no_time_is_refused() -> None:
    with pytest.raises(DeclarationError, match="needs a reason to be due"):
        Retrain(cooldown=DAY)
    with pytest.raises(DeclarationError, match="cooldown is 0:00:00: a time above zero"):
        Retrain(every=DAY, cooldown=timedelta(0))
    with pytest.raises(DeclarationError, match="every is -1 day"):
        Retrain(every=-DAY, cooldown=DAY)
