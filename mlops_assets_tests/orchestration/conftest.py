"""Deployments of the toy, empty or with days taken in; the latter are copies of one made for all test processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
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


def once_for_all(factory: pytest.TempPathFactory, name: str, *, make: Callable[[Path], object]) -> Path:
    """The folder ``name`` that ``make`` has filled: once, whichever test process comes first."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, made = shared / name, shared / f"{name}.made"
    with (shared / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def ingested_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days taken in."""

    def ingest(deployment: Deployment) -> None:
        deployment.land(0, INGESTED_DAYS - 1)
        deployment.ingest()

    def make(folder: Path) -> None:
        folder.mkdir()
        _made(folder, ingest)

    return once_for_all(tmp_path_factory, "ingested-template", make=make)


@pytest.fixture(scope="session")
def trained_template(ingested_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days taken in and a champion promoted."""

    def make(folder: Path) -> None:
        _made(copy_deployment(ingested_template, to=folder), lambda deployment: deployment.train())

    return once_for_all(tmp_path_factory, "trained-template", make=make)


def _deployment(data: Path, patch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    _use_folder(patch, data)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Deployment(data=data, instance=instance)
    let_go(data)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Nothing has landed yet."""
    (tmp_path / "data").mkdir()
    yield from _deployment(tmp_path / "data", monkeypatch)


@pytest.fixture
def ingested(ingested_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Ten days have been taken in."""
    yield from _deployment(copy_deployment(ingested_template, to=tmp_path / "data"), monkeypatch)


@pytest.fixture
def trained(trained_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Ten days have been taken in and a champion serves."""
    yield from _deployment(copy_deployment(trained_template, to=tmp_path / "data"), monkeypatch)
