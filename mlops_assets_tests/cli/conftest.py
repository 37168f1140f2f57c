"""The `mlops` command on deployments of the toy, which stands in the registry beside the real use cases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets.contract.use_case import UseCase
from mlops_assets.use_cases import registry
from mlops_assets_tests.orchestration.conftest import (
    _made,
    empty,
    ingested,
    ingested_template,
    trained,
    trained_template,
)
from mlops_assets_tests.orchestration.deployment import Deployment, copy_deployment
from mlops_assets_tests.orchestration.toy import PARCELS

__all__ = ["empty", "ingested", "ingested_template", "trained", "trained_template"]

Mlops = Callable[..., Result]


@pytest.fixture
def run_mlops(monkeypatch: pytest.MonkeyPatch) -> Mlops:
    """Runs `mlops …` and gives what it printed; errors are raised. The toy is one of the use cases."""
    names, find = registry.names(), registry.find

    def found(name: str) -> UseCase:
        return PARCELS if name == PARCELS.name else find(name)

    monkeypatch.setattr(registry, "names", lambda: (*names, PARCELS.name))  # which `loaded` asks, too
    monkeypatch.setattr(registry, "find", found)
    monkeypatch.setenv("COLUMNS", "400")
    return lambda *words: CliRunner().invoke(app, words, catch_exceptions=False)


@pytest.fixture(scope="session")
def challenged_template(trained_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve days taken in and two versions: the younger is the champion."""

    def make(deployment: Deployment) -> None:
        deployment.land(10, 11)
        deployment.ingest()
        deployment.train()

    return _made(copy_deployment(trained_template, to=tmp_path_factory.mktemp("challenged") / "data"), make)
