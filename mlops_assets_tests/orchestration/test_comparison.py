"""`mlops compare` on versions that training made: paired on rows that neither has seen."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets.contract.errors import RegistryError
from mlops_assets.stores.models.champion import champion
from mlops_assets.use_cases import registry
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy is the one use case there is."""
    monkeypatch.setattr(registry, "names", lambda: ("parcels",))
    monkeypatch.setattr(registry, "find", lambda name: PARCELS)
    monkeypatch.setattr("mlops_assets.cli.comparison.console", Console(width=160))


def compare(*words: str) -> Result:
    return CliRunner().invoke(app, ["compare", *words], catch_exceptions=False)


def serving(deployment: Deployment) -> str:
    found = champion(deployment.lake.at(), use_case="parcels")
    assert found is not None
    return found.version


@pytest.mark.usefixtures("known")
def test_two_versions_are_compared_on_the_same_rows_with_what_they_were_made_from(trained: Deployment) -> None:
    first = serving(trained)
    trained.land(10, 13)
    trained.ingest()
    trained.train()

    told = compare(serving(trained), first).output

    assert f"made from {serving(trained)}" in " ".join(told.split())
    assert "2024-03-01 to 2024-03-14" in told
    assert "all 240 test rows" in told
    assert "log_loss" in told
    assert "differ significantly" in told


@pytest.mark.usefixtures("known")
def test_a_version_with_itself_gains_nothing(trained: Deployment) -> None:
    told = compare(serving(trained), serving(trained)).output

    gains = re.findall(r"[+-]\d\.\d{4}", told)
    assert len(gains) >= 4 * len(("gain", "lower", "upper"))
    assert set(gains) == {"+0.0000"}
    assert "Slices: 0 differ significantly" in told
    assert "not worse within the margin of 0.2" in told


@pytest.mark.usefixtures("known")
def test_a_version_is_not_judged_on_rows_it_has_learnt_from(trained: Deployment) -> None:
    first = serving(trained)
    trained.land(10, 19)
    trained.ingest()
    trained.train()
    trained.run(
        "train", assets=["training_view"], ops={"parcels__training_view": {"config": {"through": "2024-03-10"}}}
    )

    with pytest.raises(RegistryError, match="has learnt from days up to 2024-03-16"):
        compare(serving(trained), first)


@pytest.mark.usefixtures("known")
def test_a_version_whose_column_is_gone_is_named_with_the_column(trained: Deployment) -> None:
    less = tuple(feature for feature in PARCELS.features if feature.name != "roads__snow")
    replace(trained, use_case=replace(PARCELS, features=less)).run("train", assets=["training_view"])

    with pytest.raises(RegistryError, match="needs column 'roads__snow', which is not in today's training view"):
        compare(serving(trained), serving(trained))


@pytest.mark.usefixtures("known")
def test_an_unknown_metric_is_an_error_that_lists_the_known_ones(trained: Deployment) -> None:
    with pytest.raises(RegistryError, match="Metrics: roc_auc_score, average_precision_score, log_loss, brier_loss"):
        compare(serving(trained), serving(trained), "--metric", "luck")
