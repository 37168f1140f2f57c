"""A challenger that its gates refuse is a verdict: the champion stays, the card is named, the exit code is its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_assets.cli.exit_codes import ExitCode
from mlops_assets.contract.retraining import Retrain
from mlops_assets.stores.models.champion import champion
from mlops_assets.use_cases import registry
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import STRICT


def card_of(said: str) -> Path:
    return Path(said.partition("Card: ")[2].split("\n", maxsplit=1)[0])


def test_a_run_whose_model_is_refused_ends_with_its_own_code_and_names_the_card(
    run_mlops: Mlops, ingested: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "find", lambda name: STRICT)

    done = run_mlops("run", "parcels")

    assert done.exit_code == ExitCode.CHALLENGER_REFUSED == 5
    assert "was refused by its gates: roc_auc_score" in done.output
    assert "There is no champion yet. Card: " in done.output
    assert card_of(done.output).is_file()


def test_after_a_retraining_that_is_refused_the_champion_stays(
    run_mlops: Mlops, trained: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    learning = replace(STRICT, retrain=Retrain(every=timedelta(days=28), cooldown=timedelta(days=14)))
    monkeypatch.setattr(registry, "find", lambda name: learning)
    before = champion(trained.lake.at(), use_case="parcels")
    assert before is not None
    trained.land(10, 11)
    trained.ingest()

    done = run_mlops("retrain", "parcels", "--reason", "Friday.")

    assert done.exit_code == ExitCode.CHALLENGER_REFUSED
    assert f"{before.version} stays the champion. Card: " in done.output
    assert champion(trained.lake.at(), use_case="parcels") == before
