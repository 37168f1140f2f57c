"""The guards of a canary: what holds, what is a breach, and what cannot be told yet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlops_assets.judge.canary import Arm, Guards, State, Tally, rulings

GUARDS = Guards()


def arm(*, positives: int = 200, rows: int = 1000, milliseconds: float = 5.0, errors: int = 0, calls: int = 100) -> Arm:
    log_seconds = calls * float(np.log(milliseconds / 1000))
    return Arm(rows=rows, errors=errors, calls=calls, log_seconds=log_seconds, decided={"positives": positives})


def states(**told: Any) -> dict[str, State]:
    tally = Tally(**{"champion": arm(rows=20_000, positives=4_000), "canary": arm(), "requests": 5_000, **told})
    return {ruling.guard: ruling.state for ruling in rulings(tally, guards=GUARDS)}


def test_every_guard_holds_for_a_version_that_does_what_the_champion_does() -> None:
    assert set(states(canary=arm(positives=205, rows=1000)).values()) == {State.HOLDS}


@pytest.mark.parametrize(
    ("guard", "told"),
    [
        ("errors", {"canary": arm(errors=1)}),
        ("time", {"canary": arm(milliseconds=11)}),
        ("refused", {"refused": 51}),
        ("share of positives", {"canary": arm(positives=320)}),
        ("share of positives", {"canary": arm(positives=80)}),
    ],
)
def test_what_the_champion_does_not_is_a_breach(guard: str, told: dict[str, Any]) -> None:
    said = states(**told)

    assert said.pop(guard) is State.BREACHED
    assert set(said.values()) == {State.HOLDS}


@pytest.mark.parametrize(
    ("guard", "told"),
    [
        ("errors", {"canary": arm(rows=199, positives=40)}),
        ("time", {"canary": arm(calls=29)}),
        ("share of positives", {"canary": arm(rows=199, positives=40)}),
        ("share of positives", {"canary": arm(rows=210, positives=45)}),  # its interval reaches beyond 0.05
        ("share of positives", {"champion": arm(rows=100, positives=20)}),
    ],
)
def test_a_guard_without_power_says_so(guard: str, told: dict[str, Any]) -> None:
    assert states(**told)[guard] is State.NO_POWER


def test_a_version_without_a_fault_is_not_sent_back_however_often_one_looks() -> None:
    """Looked at after every hundred rows of twenty thousand, in two hundred canaries with the champion's own share."""
    draw = np.random.default_rng(1)
    breached = 0
    for _ in range(200):
        positives = draw.binomial(100, 0.2, size=200).cumsum()
        looks = [arm(rows=100 * number, positives=int(held)) for number, held in enumerate(positives, start=1)]
        breached += any(State.BREACHED in states(canary=look).values() for look in looks)

    assert breached <= 2


def test_what_several_workers_counted_is_added_up() -> None:
    one = Tally(champion=arm(), canary=Arm(rows=1, decided={"a": 1}), requests=3, refused=1)
    other = Tally(champion=arm(), canary=Arm(rows=2, decided={"a": 1, "b": 1}), requests=4)

    both = one.plus(other)

    assert (both.champion.rows, both.champion.decided) == (2000, {"positives": 400})
    assert (both.canary.rows, both.canary.decided) == (3, {"a": 2, "b": 1})
    assert (both.requests, both.refused) == (7, 1)


def test_a_canary_that_answers_every_row_has_nobody_beside_it() -> None:
    said = rulings(Tally(canary=arm(positives=900)), guards=GUARDS, whole=True)

    assert {ruling.guard: ruling.state for ruling in said} == {"errors": State.HOLDS, "refused": State.HOLDS}
