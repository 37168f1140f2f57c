"""What a retraining promoted goes back by itself when the first batches after it are worse than its gates allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.steps.probation import last_look, look, why_no_look
from mlops_assets.steps.tell_people import WENT_BACK, tell_of_challenger
from mlops_assets.stores.alerts.book import standing_alerts
from mlops_assets.stores.models.champion import champion, promote
from mlops_assets.stores.predictions.training_state import training_state
from mlops_assets_tests.orchestration.deployment import copy_deployment, let_go
from mlops_assets_tests.orchestration.toy import day_number
from mlops_assets_tests.steps.conftest import _made
from mlops_assets_tests.steps.loops import REASON, THEN, TRIED, challenge, moves, serving, with_champion
from mlops_assets_tests.steps.played import Loop

IGNORANT = replace(TRIED, recipe=replace(TRIED.recipe, rounds=1, hyperparameters={"eta": 0.001, "max_depth": 1}))
"""Learns next to nothing: its log loss is that of a coin."""
BY_DAY = {"clusters": "day"}
AFTER = [day_number(day) for day in range(12, 16)]


@pytest.fixture
def loop(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Loop]:
    """A champion."""
    template = _made(tmp_path_factory.getbasetemp() / "champion-by-steps", with_champion)
    yield (played := Loop(data=copy_deployment(template, to=tmp_path / "data")))
    let_go(played.data)


def retrained(loop: Loop, *, ignorant: bool, retraining: str = REASON) -> str:
    """Promotes what came of a retraining, whatever its gates say."""
    use_case = IGNORANT if ignorant else TRIED
    version = challenge(loop, use_case=use_case)
    told = {"by": "the loop", "why": "any", "at": THEN, "override": True}
    promote(loop.lake, use_case=use_case, version=version, retraining=retraining, **told)  # type: ignore[arg-type]
    return version


@pytest.mark.parametrize("dependence", [{}, BY_DAY], ids=["rows", "days"])
def test_a_champion_that_is_worse_on_the_first_three_days_goes_back(loop: Loop, dependence: dict[str, str]) -> None:
    use_case = replace(TRIED, **dependence)
    before, bad = serving(loop), retrained(loop, ignorant=True)
    loop.take(AFTER[:3])

    record = look(moves(loop, use_case=use_case))

    assert record is not None
    assert (record.version, record.verdict, record.batches) == (bad, "rolled back", 3)
    pointer = champion(loop.lake.at(), use_case="parcels")
    assert pointer is not None
    assert (pointer.version, pointer.action, pointer.by) == (before, "rolled back", "the loop")
    assert f"bad outcomes. On {AFTER[0]} to {AFTER[2]} beside {before}: log_loss gained -0." in pointer.why
    tell_of_challenger(loop.lake, use_case="parcels", folder=loop.data, now=THEN)
    assert [alert.finding.cause for alert in standing_alerts(loop.data)] == [WENT_BACK]
    assert training_state(loop.lake, use_case=use_case, folder=loop.data).rolled_back_at == THEN
    assert look(moves(loop, use_case=use_case)) is None


def test_a_champion_as_good_as_the_one_before_stays_and_each_new_batch_is_looked_at_once(loop: Loop) -> None:
    good = retrained(loop, ignorant=False)
    loop.take(AFTER[:3])

    record = look(moves(loop))

    assert record is not None
    assert (record.verdict, record.batches) == ("holds", 3)
    assert "a loss of 0.2" in record.told
    assert look(moves(loop)) is None
    assert "The next batch is looked at again." in why_no_look(loop.lake, use_case=TRIED)
    loop.take(AFTER[3:])
    again = look(moves(loop))
    assert again is not None
    assert (again.batches, serving(loop)) == (4, good)
    assert last_look(loop.lake.at(), use_case="parcels") == again


def test_before_the_third_batch_nothing_is_judged(loop: Loop) -> None:
    bad = retrained(loop, ignorant=True)
    loop.take(AFTER[:2])

    assert look(moves(loop)) is None
    assert f"{bad} is on probation: 2 of the 3 batches that can tell have landed." == why_no_look(
        loop.lake, use_case=TRIED
    )


def test_days_that_differ_too_much_to_tell_roll_nothing_back(loop: Loop) -> None:
    """An area under the curve that three days of sixty rows cannot tell apart from one that is a little smaller."""
    good = retrained(loop, ignorant=False)
    loop.take(AFTER[:3])
    strict = replace(TRIED, gates=(TRIED.gates[0], replace(TRIED.gates[1], metric="roc_auc_score", margin=0.0)))

    record = look(moves(loop, use_case=replace(strict, clusters="day")))

    assert record is not None
    assert record.verdict in ("cannot be judged", "holds")
    assert serving(loop) == good


def test_what_a_person_promoted_is_left_to_people(loop: Loop) -> None:
    bad = retrained(loop, ignorant=True, retraining="")
    loop.take(AFTER[:3])

    assert look(moves(loop)) is None
    assert why_no_look(loop.lake, use_case=TRIED) == "No promotion by a retraining is on probation."
    assert serving(loop) == bad
