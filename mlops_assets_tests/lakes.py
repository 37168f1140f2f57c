"""The lakes of the tests: one embedded server per test process, a repository of its own for every test."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.lake.connection import close_embedded_servers, embedded_server
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeKind, LakeSettings


@pytest.fixture(scope="session")
def lake_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of the embedded server that the tests share."""
    yield tmp_path_factory.mktemp("lake-data")
    close_embedded_servers()


@pytest.fixture
def embedded_lake(lake_data: Path) -> Lake:
    """A lake whose files lie on this machine and are read in place."""
    return Lake.connect(LakeSettings.embedded(lake_data, repository=f"test-{secrets.token_hex(6)}"))


@pytest.fixture
def remote_lake(lake_data: Path, tmp_path: Path) -> Lake:
    """A lake that is only reached through its API: the real one that LAKEFS_ENDPOINT names, else the shared
    embedded server as if it were remote.
    """
    repository = f"test-{secrets.token_hex(6)}"
    if os.environ.get("LAKEFS_ENDPOINT"):
        settings = LakeSettings.from_environment(data=tmp_path)
        namespace = f"{settings.storage_namespace}/{repository}"
        return Lake.connect(replace(settings, repository=repository, storage_namespace=namespace))
    server = embedded_server(lake_data / "lake")
    return Lake.connect(
        LakeSettings(
            kind=LakeKind.CONFIGURED,
            source="the tests' own server",
            root=tmp_path / "lake",
            cache=tmp_path / "lake-cache",
            endpoint=server.endpoint,
            access_key_id=server.access_key_id,
            secret_access_key=server.secret_access_key,
            repository=repository,
            storage_namespace=f"local://{repository}",
        )
    )


@pytest.fixture(params=["embedded", "remote"])
def lake(request: pytest.FixtureRequest) -> Lake:
    """A fresh lake of either kind: what holds for one holds for the other."""
    found: Lake = request.getfixturevalue(f"{request.param}_lake")
    return found
