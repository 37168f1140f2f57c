"""A refit learns every row, is a version of its own, serves if its shadow bears it out, and is made again alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.retraining import Shadow
from mlops_assets.contract.splits import HashSplit
from mlops_assets.contract.tasks import Multiclass
from mlops_assets.reports.model_card import card_file, write_card
from mlops_assets.steps.trial import try_challenger
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.record import ModelRecord
from mlops_assets.stores.models.registry import load_evaluation, load_record, version_ids
from mlops_assets.stores.models.reproduction import reproduce
from mlops_assets.stores.predictions.training_state import training_state
from mlops_assets_tests.orchestration.deployment import copy_deployment, let_go
from mlops_assets_tests.orchestration.toy import PARCELS, day_number
from mlops_assets_tests.steps.conftest import _made
from mlops_assets_tests.steps.loops import (
    PLAN,
    REASON,
    TRIED,
    moves,
    orders,
    proposed,
    run_service,
    serve_in_shadow,
    serving,
    with_proposal,
)
from mlops_assets_tests.steps.played import Loop

REFIT = replace(TRIED, retrain=replace(PLAN, refit=True))


@pytest.fixture
def loop(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Loop]:
    """A champion, a judged challenger, and a service that runs."""
    template = _made(tmp_path_factory.getbasetemp() / "proposed-for-refit", with_proposal)
    yield (played := Loop(data=copy_deployment(template, to=tmp_path / "data")))
    let_go(played.data)


def begun(loop: Loop) -> tuple[str, ModelRecord]:
    """The judged version, and the record of the refit that is in shadow for it."""
    judged = proposed(loop).version
    run_service(loop)
    assert "in shadow" in try_challenger(moves(loop, use_case=REFIT))
    return judged, load_record(loop.lake.at(), use_case="parcels", version=proposed(loop).version)


def test_a_refit_of_the_judged_version_learns_all_rows_and_goes_into_shadow(loop: Loop) -> None:
    judged, record = begun(loop)

    before = load_record(loop.lake.at(), use_case="parcels", version=judged)
    order = orders(loop).shadow()
    assert order is not None
    assert order.version == record.version != judged
    assert (record.refit_of, record.parent) == (judged, serving(loop))
    assert {name: part.rows for name, part in record.split.items()} == {"train": 12 * 60}
    assert str(record.split["train"].last) == day_number(11)
    assert (record.rounds, record.threshold) == (before.best_round + 1, before.threshold)
    assert (record.hyperparameters, record.data_commit) == (before.hyperparameters, before.data_commit)
    assert load_evaluation(loop.lake.at(), use_case="parcels", version=record.version) is None


def test_a_refit_is_made_again_to_the_last_bit(loop: Loop) -> None:
    _, record = begun(loop)

    again = reproduce(loop.lake, use_case=PARCELS, version=record.version)

    assert [each for each in again.compared if not each.same] == []
    assert {"model.ubj", "train rows", "threshold"} <= {each.what for each in again.compared}


def test_a_refit_that_its_shadow_bears_out_serves_and_is_verified_as_any_other(loop: Loop, tmp_path: Path) -> None:
    judged, record = begun(loop)
    serve_in_shadow(loop, opposite=False)

    assert "promoted" in try_challenger(moves(loop, use_case=REFIT))

    pointer = champion(loop.lake.at(), use_case="parcels")
    assert pointer is not None
    assert (pointer.version, pointer.retraining) == (record.version, REASON)
    assert f"a refit of {judged} that was not worse: on 1 served days log_loss gained" in pointer.why
    found = load_evaluation(loop.lake.at(), use_case="parcels", version=record.version)
    assert found is not None
    assert (found.record.judged_on, found.record.decision.passed, found.report.overall.rows) == ("shadow", True, 60)
    page = tmp_path / card_file(record.version)
    write_card(loop.lake, use_case=REFIT, version=record.version, page=page)
    assert record.version in page.read_text()


def test_a_refit_that_is_worse_gives_way_to_the_version_that_was_judged(loop: Loop) -> None:
    judged, record = begun(loop)
    before = serving(loop)
    serve_in_shadow(loop, opposite=True)

    said = try_challenger(moves(loop, use_case=REFIT))

    assert f"its refit {record.version} was not shown to be as good" in said
    assert (proposed(loop).version, proposed(loop).stage, serving(loop)) == (judged, "to be tried", before)
    assert orders(loop).shadow() is None
    assert "in shadow" in try_challenger(moves(loop, use_case=REFIT))  # itself this time: no second refit is made
    assert len(version_ids(loop.lake.at(), use_case="parcels")) == 3
    assert not load_evaluation(loop.lake.at(), use_case="parcels", version=record.version).record.decision.passed  # type: ignore[union-attr]


def test_after_a_refit_the_next_model_waits_for_as_many_days_as_judge(loop: Loop) -> None:
    begun(loop)
    serve_in_shadow(loop, opposite=False)
    try_challenger(moves(loop, use_case=REFIT))

    state = training_state(loop.lake, use_case=REFIT, folder=loop.data)
    assert f"nothing could be compared before {day_number(15)} has landed" in state.immature
    loop.take([day_number(day) for day in (13, 14, 15)])
    assert training_state(loop.lake, use_case=REFIT, folder=loop.data).immature == ""


def test_trials_that_nothing_could_judge_are_refused_where_they_are_declared() -> None:
    with pytest.raises(DeclarationError, match="refit=True does not go with a HashSplit"):
        replace(REFIT, split=HashSplit(key="id", test_share=0.2, validation_share=0.2), clusters=None)
    classes = Multiclass(classes=("a", "b", "c"))
    shadowed = replace(PARCELS, retrain=replace(PLAN, trial=None), task=classes)
    with pytest.raises(DeclarationError, match="Try challengers as a Canary"):
        replace(shadowed, retrain=replace(PLAN, trial=Shadow()))
