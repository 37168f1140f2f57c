"""A running server, and two ways to talk to it: plain HTTP and the SDK."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lakefs.client import Client
from lakefs.repository import Repository

from mlops_assets.stores.lakefs_server.run import EmbeddedLakeFS


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def message(self) -> str:
        return str(self.json["message"])


class Http:
    """Sends requests exactly as given; the key is added unless `key=False`."""

    def __init__(self, server: EmbeddedLakeFS) -> None:
        self.address = server.endpoint.removeprefix("http://")
        key = base64.b64encode(f"{server.access_key_id}:{server.secret_access_key}".encode()).decode()
        self.authorization = f"Basic {key}"

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        key: bool = True,
    ) -> Answer:
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(
                method,
                f"/api/v1{path}",
                content,
                {**({"Authorization": self.authorization} if key else {}), **(headers or {})},
            )
            answer = connection.getresponse()
            return Answer(status=answer.status, headers=dict(answer.getheaders()), content=answer.read())
        finally:
            connection.close()


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
