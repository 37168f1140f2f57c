"""Uploads: a body on its way into the store, raw or as a form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from lakefs_embedded.api_error import bad_request
from lakefs_embedded.entries import DEFAULT_CONTENT_TYPE
from lakefs_embedded.http import call_without_body
from lakefs_embedded.multipart import content_of_form
from lakefs_embedded.object_writes import Place
from lakefs_embedded.objects import CHUNK, Incoming
from lakefs_embedded.store import Store

METADATA_HEADER = "x-lakefs-meta-"


async def upload(store: Store, executor: Executor, request: Request) -> Response:
    """Stores the body, raw or as the multipart file `content`, and stages it at the path."""
    call = call_without_body(request)
    place = Place.of(call, force=call.flag("force"))
    content_type, chunks = await _content(request)
    receiving = _Receiving(store, place)
    loop = asyncio.get_running_loop()
    try:
        async for chunk in chunks:
            if receiving.wants_writing(chunk):
                await loop.run_in_executor(executor, receiving.write)
        metadata = _metadata_of(call.headers)
        stats = await loop.run_in_executor(executor, receiving.finish, content_type, metadata)
    except ClientDisconnect:
        raise bad_request("the upload ended before its end") from None
    finally:
        receiving.discard_unless_finished()
    return JSONResponse(stats, status_code=201)


class _Receiving:
    """Small bodies are stored in one go, large ones a chunk at a time."""

    def __init__(self, store: Store, place: Place) -> None:
        self._store = store
        self._place = place
        self._pending = bytearray()
        self._incoming: Incoming | None = None

    def wants_writing(self, chunk: bytes) -> bool:
        """Takes a chunk; True when so much is pending that `write` should be called."""
        self._pending += chunk
        return len(self._pending) >= CHUNK

    def write(self) -> Incoming:
        if self._incoming is None:
            self._place.check(self._store)
            self._incoming = self._store.objects.receive()
        self._incoming.write(bytes(self._pending))
        self._pending.clear()
        return self._incoming

    def finish(self, content_type: str, metadata: dict[str, str]) -> dict[str, Any]:
        with self._store.objects.kept_from_collection():
            stored = self.write().finish()
            self._incoming = None
            return self._place.stage(self._store, stored, content_type=content_type, metadata=metadata)

    def discard_unless_finished(self) -> None:
        if self._incoming is not None:
            self._incoming.discard()


async def _content(request: Request) -> tuple[str, AsyncIterator[bytes]]:
    """The content type to remember and the bytes to store."""
    kind = request.headers.get("content-type", "")
    chunks: AsyncIterator[bytes] = request.stream()
    if kind.lower().startswith("multipart/form-data"):
        kind, chunks = await content_of_form(kind, chunks)
    return kind or DEFAULT_CONTENT_TYPE, chunks


def _metadata_of(headers: Headers) -> dict[str, str]:
    """User metadata comes in headers, whose names ignore case: keys are lower case, as in lakeFS."""
    return {
        name.removeprefix(METADATA_HEADER): value for name, value in headers.items() if name.startswith(METADATA_HEADER)
    }
