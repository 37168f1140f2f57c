"""When a retraining is due and what holds it back, decided from plain facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.retraining import Canary, Drift, Retrain, Shadow, TrainingState, why_retrain, why_wait

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PLAN = Retrain(every=28 * DAY, when_worse=True, after_drift=10 * DAY, cooldown=14 * DAY, at_most=2)
YOUNG = TrainingState(champion="2026-11-10-aaaaaaaa", trained_at=NOW - 15 * DAY, unlearnt=("2026-11-29",))
OLD = replace(YOUNG, trained_at=NOW - 28 * DAY)
WORSE = replace(YOUNG, worse="log_loss was 0.52 and 0.55 in the weeks to 2026-11-22 and 2026-11-29, promised 0.48")
DRIFT = Drift(cause="monitoring/input#carrier", began=NOW - 10 * DAY, lasting="was accepted: a new airline")
DRIFTED = replace(YOUNG, drifts=(DRIFT,))


def test_a_young_champion_that_keeps_its_promise_is_not_challenged() -> None:
    assert why_retrain(PLAN, state=YOUNG, now=NOW) is None
    assert why_wait(PLAN, state=YOUNG, now=NOW) == (
        "Not due: the champion 2026-11-10-aaaaaaaa was trained 15 days ago and is due every 28 days; its realised loss "
        "was not worse than promised two weeks running; no input has changed for good since."
    )


def test_a_champion_as_old_as_declared_is_due_and_the_reason_says_how_old() -> None:
    reason = why_retrain(PLAN, state=OLD, now=NOW)
    assert reason == "The champion 2026-11-10-aaaaaaaa was trained 28 days ago, due every 28 days."
    assert why_wait(PLAN, state=OLD, now=NOW) is None
    assert why_retrain(PLAN, state=OLD, now=NOW - timedelta(seconds=1)) is None


@pytest.mark.parametrize(
    ("state", "declared", "said"),
    [
        (WORSE, "when_worse", "is worse than promised: log_loss was 0.52 and 0.55"),
        (DRIFTED, "after_drift", "input#carrier looks otherwise since 2026-11-20 and was accepted: a new airline."),
    ],
)
def test_worse_figures_and_a_lasting_drift_make_it_due_only_where_that_is_declared(
    state: TrainingState, declared: str, said: str
) -> None:
    reason = why_retrain(PLAN, state=state, now=NOW)
    assert reason is not None
    assert said in reason
    assert why_wait(PLAN, state=state, now=NOW) is None
    undeclared: dict[str, Any] = {declared: None if declared == "after_drift" else False}
    assert why_retrain(replace(PLAN, **undeclared), state=state, now=NOW) is None


def test_a_drift_is_due_once_there_are_rows_of_the_new_kind() -> None:
    before = NOW - timedelta(seconds=1)

    assert why_retrain(PLAN, state=DRIFTED, now=before) is None
    assert "which is due 10 days later" in (why_wait(PLAN, state=DRIFTED, now=before) or "")


def test_without_a_period_age_alone_is_no_reason() -> None:
    assert why_retrain(Retrain(when_worse=True, cooldown=DAY), state=OLD, now=NOW) is None


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (replace(OLD, champion=None, trained_at=None), "no champion to challenge"),
        (replace(OLD, running="f3b1c2d4-aaaa"), "by run f3b1c2d4: never two at once"),
        (
            replace(OLD, open_alerts=("monitoring/input#tailnum",)),
            "(monitoring/input#tailnum), and a fault must not be",
        ),
        (replace(OLD, tried="2026-11-28-bbbbbbbb"), "the challenger 2026-11-28-bbbbbbbb is tried first"),
        (replace(OLD, started=(NOW - 13 * DAY,)), "began 13 days ago, and 14 days is the cooldown"),
        (replace(WORSE, started=(NOW - timedelta(hours=3),)), "began 3 hours ago"),
        (replace(OLD, rolled_back_at=NOW - 2 * DAY), "was rolled back 2 days ago, and 14 days is the cooldown"),
        (replace(OLD, started=(NOW - 15 * DAY, NOW - 29 * DAY)), "2 retrainings began within 30 days, and 2 are"),
        (replace(OLD, unlearnt=()), "nothing has landed that the newest model has not learnt from"),
        (replace(OLD, immature="no row would be left"), "Due, but no row would be left."),
    ],
)
def test_what_holds_a_due_retraining_back_is_said(state: TrainingState, said: str) -> None:
    wait = why_wait(PLAN, state=state, now=NOW)
    assert wait is not None
    assert said in wait


def test_the_cooldown_and_the_count_end_when_their_time_is_over() -> None:
    ended = replace(OLD, started=(NOW - 14 * DAY, NOW - 30 * DAY), rolled_back_at=NOW - 14 * DAY)
    assert why_wait(PLAN, state=ended, now=NOW) is None


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"cooldown": DAY}, "needs a reason to be due"),
        ({"every": DAY, "cooldown": 0 * DAY}, "cooldown is 0:00:00: a time above zero"),
        ({"every": -DAY, "cooldown": DAY}, "every is -1 day"),
        ({"after_drift": 0 * DAY, "cooldown": DAY}, "after_drift is 0:00:00"),
        ({"every": DAY, "cooldown": DAY, "at_most": 0}, "at_most"),
        ({"every": DAY, "cooldown": DAY, "promotion": "never"}, "promotion is 'never'"),
        ({"every": DAY, "cooldown": DAY, "refit": True}, r"needs trial=Shadow\(days=…\)"),
        ({"every": DAY, "cooldown": DAY, "refit": True, "trial": Canary()}, r"needs trial=Shadow\(days=…\)"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(declared: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        Retrain(**declared)


@pytest.mark.parametrize("steps", [(), (0.5, 0.1), (0.0, 0.5), (0.5, 1.0), (0.1, 0.1)])
def test_a_canary_needs_shares_that_rise(steps: tuple[float, ...]) -> None:
    with pytest.raises(DeclarationError, match="give shares that rise"):
        Canary(steps=steps)


def test_a_trial_needs_time() -> None:
    with pytest.raises(DeclarationError):
        Shadow(days=0)
    with pytest.raises(DeclarationError, match="A Canary's every is 0:00:00"):
        Canary(every=0 * DAY)
