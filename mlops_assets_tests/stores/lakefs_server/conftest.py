"""A running server, and two ways to talk to it: plain HTTP and the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lakefs.client import Client
from lakefs.repository import Repository

from mlops_assets.stores.lakefs_server.run import EmbeddedLakeFS
from mlops_assets_tests.stores.lakefs_server.plain_http import Http


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def server(root: Path) -> Iterator[EmbeddedLakeFS]:
    with EmbeddedLakeFS.start(root) as running:
        yield running


@pytest.fixture
def http_client(server: EmbeddedLakeFS) -> Http:
    return Http(server)


@pytest.fixture
def repo(server: EmbeddedLakeFS) -> Repository:
    client = Client(host=server.endpoint, username=server.access_key_id, password=server.secret_access_key)
    return Repository("flights", client=client).create("local://flights")
