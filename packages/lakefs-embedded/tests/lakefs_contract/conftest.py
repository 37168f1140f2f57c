"""The server under test, and a repository of its own for every case."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest
from lakefs.branch import Branch
from lakefs.client import Client
from lakefs.repository import Repository


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    endpoint = os.environ.get("LAKEFS_ENDPOINT")
    if endpoint:
        yield Client(
            host=endpoint,
            username=os.environ["LAKEFS_ACCESS_KEY_ID"],
            password=os.environ["LAKEFS_SECRET_ACCESS_KEY"],
        )
        return
    from lakefs_embedded import EmbeddedLakeFS  # whoever asks a real lakeFS needs no other

    with EmbeddedLakeFS.start(tmp_path_factory.mktemp("lake")) as server:
        yield Client(host=server.endpoint, username=server.access_key_id, password=server.secret_access_key)


@pytest.fixture
def namespace() -> str:
    """A storage namespace nobody used before."""
    base = os.environ.get("LAKEFS_CONTRACT_NAMESPACE", "local://contract").rstrip("/")
    return f"{base}/{secrets.token_hex(8)}"


@pytest.fixture
def name() -> str:
    """A repository name nobody used before."""
    return f"contract-{secrets.token_hex(8)}"


@pytest.fixture
def repo(client: Client, name: str, namespace: str) -> Iterator[Repository]:
    repository = Repository(name, client=client).create(namespace)
    yield repository
    repository.delete()


@pytest.fixture
def main(repo: Repository) -> Branch:
    return repo.branch("main")
