"""A running server, and two ways to talk to it: plain HTTP and the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lakefs.client import Client
from lakefs.repository import Repository

from lakefs_embedded import EmbeddedLakeFS
from lakefs_embedded_tests.plain_http import Http


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
def client(server: EmbeddedLakeFS) -> Client:
    return Client(host=server.endpoint, username=server.access_key_id, password=server.secret_access_key)


@pytest.fixture
def repo(client: Client) -> Repository:
    return Repository("flights", client=client).create("local://flights")
