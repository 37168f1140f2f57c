"""HTTP by hand: bytes over a socket, so that a request may be as wrong as an attacker's."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import urlsplit

JSON_TYPE = ("Content-Type", "application/json")


@dataclass(frozen=True, kw_only=True)
class RawAnswer:
    """One response; ``headers`` by their names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def post(body: bytes | object, *, path: str = "/predict", headers: Iterable[tuple[str, str]] = (JSON_TYPE,)) -> bytes:
    """The bytes of a POST; ``body`` is sent as JSON, or as it stands if it is bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(f"POST {path}", (*headers, ("Content-Length", str(len(data))))) + data


def chunked(body: bytes, *, path: str = "/predict", size: int = 65_536, end: bytes = b"0\r\n\r\n") -> bytes:
    """The bytes of a POST without a length."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head(f"POST {path}", (JSON_TYPE, ("Transfer-Encoding", "chunked"))) + sent + end


def head(start: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """The first line and the headers of a request, with a host."""
    lines = [f"{start} HTTP/1.1", "Host: here", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def opened(url: str, *, seconds: float = 2.0) -> socket.socket:
    """A connection that waits at most so long for anything."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=seconds)


def send(url: str, request: bytes, *, seconds: float = 2.0) -> RawAnswer:
    """The answer to these bytes on a connection of their own. TimeoutError when none comes in time."""
    with closing(opened(url, seconds=seconds)) as connection:
        with suppress(ConnectionResetError, BrokenPipeError):  # refused before it was sent: the answer is there already
            connection.sendall(request)
        return received(connection, head_only=request.startswith(b"HEAD "))


def received(connection: socket.socket, *, head_only: bool = False) -> RawAnswer:
    """The next answer on a connection, after which nothing is on its way."""
    with connection.makefile("rb") as stream:
        return read(stream, head_only=head_only)


def read(stream: BinaryIO, *, head_only: bool = False) -> RawAnswer:
    """The next of the answers that come one after another."""
    first = stream.readline()
    while first.startswith(b"HTTP/1.1 100"):
        stream.readline()
        first = stream.readline()
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = b"" if head_only else _body(stream, headers)
    return RawAnswer(status=int(first.split()[1]), headers=headers, body=body)


def _body(stream: BinaryIO, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return bytes(stream.read(int(headers.get("content-length", 0))))
    pieces = []
    while size := int(stream.readline(), 16):
        pieces.append(stream.read(size))
        stream.readline()
    return b"".join(pieces)
