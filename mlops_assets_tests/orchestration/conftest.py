"""Deployments of the toy, empty or with days taken in; the latter are copies of one made once per test process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets_tests.orchestration.deployment import FOREIGN_SETTINGS, Deployment, copy_deployment, let_go

INGESTED_DAYS = 10


def _use_folder(patch: pytest.MonkeyPatch, data: Path) -> None:
    patch.setenv("MLOPS_DATA_DIR", str(data))
    patch.setenv("LAKECTL_CONFIG_FILE", str(data / "no-such-file"))
    for name in FOREIGN_SETTINGS:
        patch.delenv(name, raising=False)


def _made(folder: Path, make: Callable[[Deployment], object]) -> Path:
    """A data folder on which ``make`` has worked."""
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        _use_folder(patch, folder)
        make(Deployment(data=folder, instance=instance))
        let_go(folder)
    return folder


@cache
def _ingested(folder: Path) -> Path:
    """Made once in a test process, however many packages of tests have the fixture."""

    def make(deployment: Deployment) -> None:
        deployment.land(0, INGESTED_DAYS - 1)
        deployment.ingest()

    folder.mkdir()
    return _made(folder, make)


@cache
def _trained(folder: Path, *, of: Path) -> Path:
    return _made(copy_deployment(of, to=folder), lambda deployment: deployment.train())


@pytest.fixture(scope="session")
def ingested_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days taken in."""
    return _ingested(tmp_path_factory.getbasetemp() / "ingested-template")


@pytest.fixture(scope="session")
def trained_template(ingested_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days taken in and a champion promoted."""
    return _trained(tmp_path_factory.getbasetemp() / "trained-template", of=ingested_template)


def _deployment(data: Path, patch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    _use_folder(patch, data)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Deployment(data=data, instance=instance)
    let_go(data)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Nothing has landed yet."""
    yield from _deployment(tmp_path / "data", monkeypatch)


@pytest.fixture
def ingested(ingested_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Ten days have been taken in."""
    yield from _deployment(copy_deployment(ingested_template, to=tmp_path / "data"), monkeypatch)


@pytest.fixture
def trained(trained_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Ten days have been taken in and a champion serves."""
    yield from _deployment(copy_deployment(trained_template, to=tmp_path / "data"), monkeypatch)
