"""Reading objects: content whole or in parts, what is known of one, and listings."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from email.utils import formatdate
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from lakefs_embedded import catalog, names, refs, staging
from lakefs_embedded.api_error import ApiError, not_found
from lakefs_embedded.entries import DEFAULT_CONTENT_TYPE, Entry
from lakefs_embedded.http import Call, call_without_body, paginated
from lakefs_embedded.listing import listed
from lakefs_embedded.objects import ALWAYS_VERIFIED_BYTES
from lakefs_embedded.store import Store

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


async def get_object(store: Store, executor: Executor, request: Request) -> Response:
    """The content, whole or a range of it, verified before the first byte is sent."""
    call, head = call_without_body(request), request.method == "HEAD"
    return await asyncio.get_running_loop().run_in_executor(executor, _read, store, executor, call, head)


def stat_object(store: Store, call: Call) -> Response:
    refuse_presigning(call)
    path, entry = _found(store, call)
    return JSONResponse(stats_json(store, path, entry, metadata=call.flag("user_metadata", True)))


def list_objects(store: Store, call: Call) -> Response:
    refuse_presigning(call)
    metadata = call.flag("user_metadata", True)
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        view = refs.resolve(tx.db, repository, call.param("ref"))
        found = listed(lambda start: staging.scan(tx, view, start=start), call.page)
    results = [
        _prefix_json(path) if entry is None else stats_json(store, path, entry, metadata=metadata)
        for path, entry in found.items
    ]
    return paginated(results, has_more=found.has_more, next_offset=found.next_offset)


def get_underlying_properties(store: Store, call: Call) -> Response:
    _found(store, call)
    return JSONResponse({"storage_class": None})


def stats_json(store: Store, path: str, entry: Entry, *, metadata: bool = True) -> dict[str, Any]:
    """What the API calls ObjectStats."""
    stats = {
        "path": path,
        "path_type": "object",
        "physical_address": store.objects.address(entry.blob),
        "checksum": entry.checksum,
        "size_bytes": entry.size,
        "mtime": entry.mtime,
        "content_type": entry.content_type,
    }
    return {**stats, "metadata": entry.metadata} if metadata else stats


def refuse_presigning(call: Call) -> None:
    if call.flag("presign"):
        raise ApiError(501, "pre-signed addresses are not offered by the embedded server")


def _found(store: Store, call: Call) -> tuple[str, Entry]:
    path = call.text("path")
    names.check_path(path)
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        entry = staging.lookup(tx, refs.resolve(tx.db, repository, call.param("ref")), path)
    if entry is None:
        raise not_found(f"object {path}")
    return path, entry


def _read(store: Store, executor: Executor, call: Call, head: bool) -> Response:
    refuse_presigning(call)
    path, entry = _found(store, call)
    headers = _headers(entry)
    if call.headers.get("if-none-match") in (headers["ETag"], "*"):
        return Response(status_code=304, headers=headers)
    start, length = _range(call.headers.get("range"), entry.size)
    partial = "range" in call.headers
    status = 206 if partial else 200
    headers["Content-Length"] = str(length)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{entry.size}"
    if head:
        return Response(status_code=status, headers=headers)
    name = f"object {path} of {call.param('ref')}"
    if not partial and entry.size <= ALWAYS_VERIFIED_BYTES:
        content = store.objects.read(entry.blob, size=entry.size, name=name)
        return Response(content, status_code=status, headers=headers)
    store.objects.verify(entry.blob, name=name)
    body = _streamed(store.objects.chunks(entry.blob, start=start, length=length), executor)
    return StreamingResponse(body, status_code=status, headers=headers)


def _headers(entry: Entry) -> dict[str, str]:
    kind = entry.content_type
    return {
        "ETag": f'"{entry.checksum}"',
        "Last-Modified": formatdate(entry.mtime, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": kind if kind.isascii() and kind.isprintable() else DEFAULT_CONTENT_TYPE,
        "X-Content-Type-Options": "nosniff",
    }


def _range(header: str | None, size: int) -> tuple[int, int]:
    """Where to start and how many bytes to send. Raises 416 for what the object has no bytes for."""
    if header is None:
        return 0, size
    match = _RANGE.fullmatch(header.strip())
    first, last = match.groups() if match else ("", "")
    if first:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
    else:
        start, end = max(0, size - int(last)) if last else size, size - 1
    if start > end:
        said = {"Content-Range": f"bytes */{size}"}
        raise ApiError(416, f"range {header[:100]!r} of {size} bytes", headers=said)
    return start, end - start + 1


async def _streamed(chunks: Iterator[bytes], executor: Executor) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    while chunk := await loop.run_in_executor(executor, next, chunks, b""):
        yield chunk


def _prefix_json(path: str) -> dict[str, Any]:
    return {"path": path, "path_type": "common_prefix", "physical_address": "", "checksum": "", "mtime": 0}
