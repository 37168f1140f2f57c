"""The `mlops` command on deployments of the toy, which stands in the registry beside the real use cases."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mlops_assets.cli.main import app
from mlops_assets.contract.use_case import UseCase
from mlops_assets.use_cases import registry
from mlops_assets_tests.orchestration.conftest import (
    _deployment,
    _made,
    empty,
    ingested,
    ingested_template,
    once_for_all,
    trained,
    trained_template,
)
from mlops_assets_tests.orchestration.deployment import TRAINED, Deployment, copy_deployment
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.use_cases.installed import install_parcels, on_path

__all__ = ["empty", "ingested", "ingested_template", "trained", "trained_template"]

Mlops = Callable[..., Result]


@pytest.fixture(scope="session")
def installed_toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the toy is installed as a distribution, with which it can be packaged."""
    return install_parcels(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def run_mlops(monkeypatch: pytest.MonkeyPatch, installed_toy: Path) -> Mlops:
    """Runs `mlops …` and gives what it printed; errors are raised. The toy is one of the use cases."""
    names, find = registry.names, registry.find

    def found(name: str) -> UseCase:
        return PARCELS if name == PARCELS.name else find(name)

    monkeypatch.setattr(registry, "names", lambda: tuple(sorted({*names(), PARCELS.name})))  # which `loaded` asks, too
    monkeypatch.setattr(registry, "find", found)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.syspath_prepend(str(installed_toy))
    return lambda *words: CliRunner().invoke(app, words, catch_exceptions=False)


@pytest.fixture(scope="session")
def challenged_template(trained_template: Path, installed_toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve days taken in and two versions, packaged and rehearsed: the younger is the champion."""

    def challenge(deployment: Deployment) -> None:
        with on_path(installed_toy):
            deployment.run("train", assets=["bento"])
            deployment.land(10, 11)
            deployment.ingest()
            deployment.run("train", assets=[*TRAINED, "bento"])

    def make(folder: Path) -> None:
        _made(copy_deployment(trained_template, to=folder), challenge)

    return once_for_all(tmp_path_factory, "challenged-template", make=make)


@pytest.fixture
def challenged(challenged_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Two versions, packaged; the younger serves."""
    yield from _deployment(copy_deployment(challenged_template, to=tmp_path / "data"), monkeypatch)


@pytest.fixture
def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
