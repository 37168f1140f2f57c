"""A challenger serves only after its trial: which waits for a service and for outcomes, and stops what is worse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.contract.retraining import Canary
from mlops_assets.steps import trial
from mlops_assets.steps.promote import GATES_ALLOW, promote
from mlops_assets.steps.tell_people import STOPPED, WAITS, tell_of_challenger
from mlops_assets.steps.trial import try_challenger
from mlops_assets.stores.alerts.book import standing_alerts
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.champion import promote as move_pointer
from mlops_assets_tests.orchestration.deployment import copy_deployment, let_go
from mlops_assets_tests.steps.conftest import _made
from mlops_assets_tests.steps.loops import (
    PLAN,
    REASON,
    THEN,
    TRIED,
    challenge,
    moves,
    orders,
    proposed,
    run_service,
    serve_in_shadow,
    serving,
    with_champion,
    with_proposal,
)
from mlops_assets_tests.steps.played import Loop

APPROVED = replace(TRIED, retrain=replace(PLAN, promotion="approval"))
CANARY = replace(TRIED, retrain=replace(PLAN, trial=Canary(steps=(0.1, 0.5))))


@pytest.fixture
def loop(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Loop]:
    """A champion, and a challenger that is to be tried in shadow for one served day."""
    template = _made(tmp_path_factory.getbasetemp() / "proposed-by-steps", with_proposal)
    yield (played := Loop(data=copy_deployment(template, to=tmp_path / "data")))
    let_go(played.data)


def alerts(loop: Loop) -> list[str]:
    """The causes that people are told of."""
    tell_of_challenger(loop.lake, use_case="parcels", folder=loop.data, now=THEN)
    return [alert.finding.cause for alert in standing_alerts(loop.data)]


def test_a_challenger_of_a_retraining_is_proposed_and_the_pointer_stays(loop: Loop) -> None:
    found = proposed(loop)

    assert found.champion == serving(loop) != found.version
    assert (found.stage, found.reason, found.why) == ("to be tried", REASON, "it passed every gate")


def test_what_a_person_trained_is_promoted_at_once(empty: Loop) -> None:
    with_champion(empty)
    version = challenge(empty)

    step = promote(empty.lake, use_case=TRIED, by="ada", at=THEN)

    assert (serving(empty), [check.name for check in step.checks]) == (version, [GATES_ALLOW])


def test_without_a_service_it_waits_and_says_so(loop: Loop) -> None:
    before = serving(loop)

    said = try_challenger(moves(loop))

    assert "waits to be tried: no service of parcels runs. `mlops serve` starts one." in said
    assert (proposed(loop).stage, serving(loop)) == ("to be tried", before)


def test_in_shadow_it_waits_for_outcomes_and_then_serves_with_the_reason_of_its_retraining(loop: Loop) -> None:
    version = proposed(loop).version
    run_service(loop)

    assert "in shadow since 2024-03-13 12:00): until the outcomes of 1 served days are known" in try_challenger(
        moves(loop)
    )
    order = orders(loop).shadow()
    assert order is not None
    assert (order.version, order.by) == (version, "the loop")
    assert "the outcomes of 0 of 1 served days are known" in try_challenger(moves(loop))

    serve_in_shadow(loop, opposite=False)
    assert "promoted" in try_challenger(moves(loop))

    pointer = champion(loop.lake.at(), use_case="parcels")
    assert pointer is not None
    assert (pointer.version, pointer.by, pointer.retraining) == (version, "the loop", REASON)
    assert "in shadow it was not shown to be worse: on 1 served days log_loss gained" in pointer.why
    assert orders(loop).shadow() is None
    assert alerts(loop) == []


def test_a_challenger_that_is_worse_in_shadow_is_stopped_and_people_are_told(loop: Loop) -> None:
    before = serving(loop)
    run_service(loop)
    try_challenger(moves(loop))
    serve_in_shadow(loop, opposite=True)

    said = try_challenger(moves(loop))

    assert "(stopped since 2024-03-13 12:00): in shadow it was worse: on 1 served days log_loss gained -" in said
    assert (serving(loop), orders(loop).shadow()) == (before, None)
    assert alerts(loop) == [STOPPED]
    assert "No challenger is tried. The last one" in try_challenger(moves(loop))


def test_a_shadow_of_which_nothing_can_be_judged_passes_nobody_and_is_given_up_in_the_end(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = serving(loop)
    asked = moves(loop, use_case=replace(TRIED, clusters="day"))
    run_service(loop)
    try_challenger(asked)
    serve_in_shadow(loop, opposite=False)

    assert "stays in shadow, since nothing can be judged yet: on 1 served days log_loss cannot be judged" in (
        try_challenger(asked)
    )
    assert (proposed(loop).stage, serving(loop)) == ("in shadow", before)

    monkeypatch.setattr(trial, "PATIENCE", 1)
    assert "its shadow cannot be judged: on 1 served days log_loss cannot be judged" in try_challenger(asked)
    assert (proposed(loop).stage, serving(loop)) == ("stopped", before)


def test_where_a_person_is_to_approve_it_waits_after_its_trial(loop: Loop) -> None:
    before = serving(loop)
    run_service(loop)
    try_challenger(moves(loop, use_case=APPROVED))
    serve_in_shadow(loop, opposite=False)

    try_challenger(moves(loop, use_case=APPROVED))

    assert (proposed(loop).stage, serving(loop)) == ("waits for approval", before)
    assert alerts(loop) == [WAITS]


def test_a_champion_that_changed_meanwhile_ends_the_trial(loop: Loop) -> None:
    version = proposed(loop).version
    run_service(loop)
    try_challenger(moves(loop))
    move_pointer(loop.lake, use_case=TRIED, version=version, by="ada", why="at once", at=THEN)

    assert "(promoted since 2024-03-13 12:00): by ada: at once" in try_challenger(moves(loop))
    assert orders(loop).shadow() is None


def test_a_shadow_that_somebody_ended_is_a_trial_that_somebody_stopped(loop: Loop) -> None:
    run_service(loop)
    try_challenger(moves(loop))
    orders(loop).end_shadow()

    assert "nobody is the shadow now" in try_challenger(moves(loop))
    assert proposed(loop).stage == "stopped"


def test_a_canary_that_is_ready_serves_and_one_that_went_back_is_stopped(loop: Loop) -> None:
    run_service(loop)
    asked = moves(loop, use_case=CANARY)
    assert "it answers 10% of the rows first" in try_challenger(asked)
    assert "answers 10% of the rows since" in try_challenger(asked)
    order = orders(loop).canary()
    assert order is not None
    before = serving(loop)

    orders(loop).write(order.model_copy(update={"state": "back at zero", "reason": "time breached"}))
    assert "its canary is back at zero: time breached" in try_challenger(asked)
    assert serving(loop) == before


def test_a_ready_canary_is_promoted_or_waits_for_a_person_while_the_champion_answers_again(loop: Loop) -> None:
    run_service(loop)
    asked = moves(loop, use_case=CANARY)
    try_challenger(asked)
    order = orders(loop).canary()
    assert order is not None
    orders(loop).write(order.model_copy(update={"state": "ready", "reason": "errors holds"}))
    patient = replace(CANARY, retrain=replace(PLAN, promotion="approval", trial=Canary()))

    assert "(waits for approval since" in try_challenger(moves(loop, use_case=patient))
    ended = orders(loop).canary()
    assert ended is not None
    assert ended.share == 0.0


def test_a_trial_by_hand_is_not_disturbed(loop: Loop) -> None:
    run_service(loop)
    try_challenger(moves(loop, use_case=CANARY))
    order = orders(loop).canary()
    assert order is not None
    orders(loop).write(order.model_copy(update={"version": "another", "by": "ada"}))
    again = proposed(loop).model_copy(update={"stage": "to be tried"})
    from mlops_assets.stores.models.proposal import keep_proposal

    keep_proposal(loop.lake, again)

    assert "waits to be tried: another is tried since 2024-03-13 12:00 by ada" in try_challenger(moves(loop))
