"""Talking to the server in plain HTTP, without the SDK between the test and the wire."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lakefs_embedded import EmbeddedLakeFS


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
        self._reach(server.endpoint, key=server.access_key_id, secret=server.secret_access_key)

    @classmethod
    def to(cls, endpoint: str, *, key: str, secret: str) -> Http:
        """For a server in another process."""
        client = cls.__new__(cls)
        client._reach(endpoint, key=key, secret=secret)
        return client

    def _reach(self, endpoint: str, *, key: str, secret: str) -> None:
        self.address = endpoint.removeprefix("http://")
        self.authorization = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()

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
