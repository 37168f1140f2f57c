"""The search as an operator starts it, what it publishes, and the model that is trained with it."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mlops_assets.cli import comparison
from mlops_assets.cli.main import app
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.search_space import Between, Tuning, WholeBetween
from mlops_assets.contract.splits import TimeSplit
from mlops_assets.orchestration.pipeline import tune
from mlops_assets.orchestration.runs import RunFailed, RunSummary
from mlops_assets.reports.model_card import card_page
from mlops_assets.stores.models.model_card import read_card
from mlops_assets.stores.models.registry import load_record
from mlops_assets.stores.models.reproduction import reproduce
from mlops_assets.training.tuning import TunedRecipe
from mlops_assets.use_cases import registry
from mlops_assets_tests.orchestration.deployment import TRAINED, Deployment, Silent
from mlops_assets_tests.orchestration.toy import PARCELS

SPACE = {"eta": Between(low=0.05, high=1, log=True), "max_depth": WholeBetween(low=1, high=4)}
TUNED = replace(PARCELS, split=TimeSplit(test_days=4, validation_days=1), tuning=Tuning(space=SPACE, trials=4, folds=2))


@pytest.fixture
def searching(ingested: Deployment) -> Deployment:
    """Ten days taken in of a use case that can be tuned, and a training view made."""
    deployment = replace(ingested, use_case=TUNED)
    deployment.run("train", assets=["training_view"])
    return deployment


def searched(deployment: Deployment, *, trials: int | None = None, seconds: float | None = None) -> RunSummary:
    return tune(deployment.use_case, instance=deployment.instance, steps=Silent(), trials=trials, seconds=seconds)


def published(deployment: Deployment) -> TunedRecipe:
    return TunedRecipe.from_json(deployment.lake.at().read("parcels/hyperparameters.json"))


def trained_version(deployment: Deployment) -> str:
    summary = deployment.run("train", assets=TRAINED)
    version: str = summary.metadata["model"]["version"]
    return version


def test_a_search_is_published_audited_and_shown(searching: Deployment) -> None:
    told = searched(searching).metadata["hyperparameters"]

    found = published(searching)
    assert (told["trials"], told["best_loss"]) == (4, pytest.approx(found.best.loss, rel=1e-5))
    assert [check.check_name for check in searched(searching).checks] == ["not_worse_than_declared"]
    assert found.best.loss <= found.declared.loss
    assert "2013" not in told["history"]
    picture = told["history"].partition("base64,")[2].rstrip(")")
    assert base64.b64decode(picture).startswith(b"<?xml")
    assert len(told["folds"].splitlines()) == 2
    assert "hyperparameters" in searching.commits()
    assert not searching.stage_branches()


def test_a_search_is_continued_by_a_larger_budget_and_not_repeated_by_the_same(searching: Deployment) -> None:
    short = searched(searching, trials=2)
    commits = searching.commits()

    assert searched(searching, trials=2).metadata["hyperparameters"]["changed"] is False
    assert searching.commits() == commits
    first = published(searching)
    searched(searching)

    assert short.metadata["hyperparameters"]["trials"] == 2
    assert published(searching).trials[:2] == first.trials
    assert len(published(searching).trials) == 4


def test_seconds_alone_are_a_budget(searching: Deployment) -> None:
    searched(searching, seconds=0.001)

    assert len(published(searching).trials) == 1


def test_the_model_is_trained_with_what_was_found_says_so_and_is_reproduced(searching: Deployment) -> None:
    declared = trained_version(searching)
    searched(searching, trials=8)

    version = trained_version(searching)

    head = searching.lake.at()
    record, before = (load_record(head, use_case="parcels", version=each) for each in (version, declared))
    assert before.tuning is None
    assert before.hyperparameters == TUNED.recipe.hyperparameters
    assert record.tuning is not None
    found = TunedRecipe.from_json(searching.lake.at(record.tuning.commit).read(record.tuning.path))
    assert (record.tuning.study, found.gain(found.best) > 0) == (found.study, True)
    assert record.hyperparameters == {**TUNED.recipe.hyperparameters, **found.best.hyperparameters}
    assert reproduce(searching.lake, use_case=TUNED, version=version).same


def test_card_list_and_comparison_say_who_chose_the_hyperparameters(
    searching: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "names", lambda: ("parcels",))
    monkeypatch.setattr(registry, "find", lambda name: TUNED)
    monkeypatch.setattr(comparison, "console", Console(width=300))
    declared = trained_version(searching)
    searched(searching, trials=8)
    found = published(searching)
    version = trained_version(searching)
    mlops = CliRunner()

    of_tuned, of_declared = (
        card_page(read_card(searching.lake, use_case=TUNED, version=each)) for each in (version, declared)
    )
    listed = mlops.invoke(app, ["models", "parcels"], catch_exceptions=False).output
    compared = mlops.invoke(app, ["compare", version, declared], catch_exceptions=False).output

    assert f"trial {found.trials.index(found.best) + 1} of search <code>{found.study}</code>" in of_tuned
    assert f"{found.best.hyperparameters['eta']} <small>declared: 0.5</small>" in of_tuned
    assert "as the use case declares them" in of_declared
    assert (listed.count("tuned"), compared.count(f"search {found.study}"), compared.count("as declared")) == (1, 1, 1)


def test_what_was_found_for_another_recipe_is_passed_over(searching: Deployment) -> None:
    searched(searching, trials=8)
    other = replace(TUNED, recipe=replace(TUNED.recipe, rounds=TUNED.recipe.rounds + 1))

    version = trained_version(replace(searching, use_case=other))

    record = load_record(searching.lake.at(), use_case="parcels", version=version)
    assert record.tuning is None
    assert record.hyperparameters == TUNED.recipe.hyperparameters


def test_without_a_training_view_or_a_declaration_it_is_said_what_to_do(ingested: Deployment) -> None:
    with pytest.raises(RunFailed, match="There is no training view of parcels yet"):
        searched(replace(ingested, use_case=TUNED))
    with pytest.raises(DeclarationError, match="parcels declares no tuning"):
        searched(ingested)
