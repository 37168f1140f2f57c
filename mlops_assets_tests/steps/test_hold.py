"""A version that is too good to be true waits for a person, and what was said holds until features change."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from mlops_assets.contract.errors import RegistryError, VersionHeld
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.plausibility import BELIEVABLE
from mlops_assets.reports.model_card import card_page
from mlops_assets.steps.judge import judge
from mlops_assets.steps.promote import GATES_ALLOW, promote
from mlops_assets.steps.train import Provenance, train
from mlops_assets.steps.view import view
from mlops_assets.stores.code import git_state
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.champion import promote as move_up
from mlops_assets.stores.models.explanation import Explanation, explain, explanation, why_held
from mlops_assets.stores.models.model_card import read_card
from mlops_assets.stores.models.recipe import current_version
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.steps.played import DAYS, NOW, Loop

SUSPICIOUS = replace(PARCELS, implausible_above=0.6)
"""Parcels of which a ROC AUC above 0.6 is not believed."""


def trained(loop: Loop, use_case: UseCase) -> str:
    """A version that is judged; its id."""
    loop.put("training_view", view(loop.lake.at(), use_case=use_case, connect=duckdb.connect))
    provenance = Provenance(git=git_state(), started_by="a notebook", clock=lambda: NOW)
    loop.put("model", train(loop.lake.at(), use_case=use_case, provenance=provenance))
    loop.put("evaluation", judge(loop.lake.at(), use_case=use_case, now=NOW))
    return current_version(loop.lake.at(), use_case=use_case)


def said_of(version: str, *, why: str = "Heavy parcels are late by contract.") -> Explanation:
    return Explanation(use_case="parcels", version=version, features="", by="ada", why=why, at=NOW)


def test_it_is_held_told_explained_and_not_held_again_until_features_change(empty: Loop) -> None:
    empty.take(DAYS)
    version = trained(empty, SUSPICIOUS)

    (check,) = promote(empty.lake, use_case=SUSPICIOUS, by="a notebook", at=NOW).checks

    assert (check.name, check.passed, check.blocks) == (GATES_ALLOW, False, False)
    assert f'`mlops approve parcels {version} --because "…"`' in check.reasons[0]
    assert "'weight' (" in check.reasons[0]
    assert champion(empty.lake.at(), use_case="parcels") is None
    assert "Held until somebody says why" in card_page(read_card(empty.lake, use_case=SUSPICIOUS, version=version))
    with pytest.raises(VersionHeld):
        move_up(empty.lake, use_case=SUSPICIOUS, version=version, by="ada", why="I want it", at=NOW)
    with pytest.raises(RegistryError, match="--because"):
        explain(empty.lake, use_case=SUSPICIOUS, said=said_of(version, why=" "))

    explain(empty.lake, use_case=SUSPICIOUS, said=said_of(version))

    assert move_up(empty.lake, use_case=SUSPICIOUS, version=version, by="ada", why="so", at=NOW).version == version
    page = card_page(read_card(empty.lake, use_case=SUSPICIOUS, version=version))
    assert "looking at" in page
    assert "Heavy parcels are late by contract." in page
    checks = {each.name: each for each in judge(empty.lake.at(), use_case=SUSPICIOUS, now=NOW).checks}
    assert checks[BELIEVABLE].passed
    more_rounds = replace(SUSPICIOUS, recipe=replace(SUSPICIOUS.recipe, rounds=SUSPICIOUS.recipe.rounds + 1))
    fewer = replace(SUSPICIOUS, features=SUSPICIOUS.features[:-1])
    assert why_held(empty.lake.at(), use_case=more_rounds, version=trained(empty, more_rounds)) == ""
    changed = trained(empty, fewer)
    assert explanation(empty.lake.at(), use_case=fewer, version=changed) is None
    assert "Too good to be true" in why_held(empty.lake.at(), use_case=fewer, version=changed)


def test_what_the_use_case_says_itself_holds_nothing_up(empty: Loop) -> None:
    explained = replace(SUSPICIOUS, plausible="Weight decides by contract.")
    empty.take(DAYS)
    version = trained(empty, explained)

    promoted = promote(empty.lake, use_case=explained, by="a notebook", at=NOW).outcome

    assert promoted is not None
    assert promoted.version == version
    assert "Weight decides by contract." in card_page(read_card(empty.lake, use_case=explained, version=version))


def test_an_override_says_why_too_and_is_kept(empty: Loop) -> None:
    empty.take(DAYS)
    version = trained(empty, SUSPICIOUS)

    pointer = move_up(
        empty.lake, use_case=SUSPICIOUS, version=version, by="ada", why="I looked at it", at=NOW, override=True
    )

    assert "Too good to be true" in pointer.overridden[0]
