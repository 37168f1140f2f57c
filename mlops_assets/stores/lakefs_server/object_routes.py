"""Operations on objects: upload, read, list, delete, copy, metadata, and staging by physical address."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, TypeVar

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from mlops_assets.stores.lakefs_server import catalog, commits, names, refs, staging
from mlops_assets.stores.lakefs_server.api_error import ApiError, bad_request, not_found
from mlops_assets.stores.lakefs_server.entries import Entry
from mlops_assets.stores.lakefs_server.http import Body, Call, paginated
from mlops_assets.stores.lakefs_server.listing import listed
from mlops_assets.stores.lakefs_server.multipart import content_of_form
from mlops_assets.stores.lakefs_server.objects import CHUNK, Incoming, Stored
from mlops_assets.stores.lakefs_server.store import Store, Transaction

DEFAULT_CONTENT_TYPE = "application/octet-stream"
METADATA_HEADER = "x-lakefs-meta-"
MAX_DELETED_AT_ONCE = 1000

T = TypeVar("T")


async def upload(store: Store, executor: Executor, request: Request) -> Response:
    """Stores the body, raw or as the multipart file `content`, and stages it at the path."""
    call = _call(request)
    target = _Target.of(call, force=call.flag("force"))
    content_type, chunks = await _content(request)
    receiving = _Receiving(store, target)
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


async def get_object(store: Store, executor: Executor, request: Request) -> Response:
    """The content, whole or a range of it, verified before the first byte is sent."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
        executor, _read, store, executor, _call(request), request.method == "HEAD"
    )


def stat_object(store: Store, call: Call) -> Response:
    _refuse_presigning(call)
    path, entry = _found(store, call)
    return JSONResponse(stats_json(store, path, entry, metadata=call.flag("user_metadata", True)))


def list_objects(store: Store, call: Call) -> Response:
    _refuse_presigning(call)
    metadata = call.flag("user_metadata", True)
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        at = refs.resolve(tx.db, repository, call.param("ref"))
        tree = commits.get(tx.db, repository.id, at.commit_id).tree
        found = listed(
            lambda start: staging.scan(tx.db, tx.nodes, tree=tree, branch=at.branch, start=start), call.page
        )
    results = [
        _prefix_json(path) if entry is None else stats_json(store, path, entry, metadata=metadata)
        for path, entry in found.items
    ]
    return paginated(results, has_more=found.has_more, next_offset=found.next_offset)


def get_underlying_properties(store: Store, call: Call) -> Response:
    _found(store, call)
    return JSONResponse({"storage_class": None})


def delete_object(store: Store, call: Call) -> Response:
    """Deletes what is there; that nothing is there is no error, as in lakeFS."""
    target = _Target.of(call, force=call.flag("force"))
    with store.staging() as tx:
        staging.stage(tx.db, target.branch(tx), target.path, None)
    return Response(status_code=204)


def delete_objects(store: Store, call: Call) -> Response:
    paths = call.body.texts("paths")
    if len(paths) > MAX_DELETED_AT_ONCE:
        raise bad_request(f"request size exceeded: at most {MAX_DELETED_AT_ONCE} paths at once")
    errors = []
    with store.staging() as tx:
        repository = catalog.get_writable(tx.db, call.param("repository"), force=call.flag("force"))
        branch = catalog.get_branch(tx.db, repository, call.param("branch"))
        for path in paths:
            try:
                names.check_path(path)
                staging.stage(tx.db, branch, path, None)
            except ApiError as error:
                errors.append({"status_code": error.status, "message": error.message, "path": path})
    return JSONResponse({"errors": errors})


def copy_object(store: Store, call: Call) -> Response:
    target = _Target.of(call, force=call.body.flag("force"), path_parameter="dest_path")
    source = call.body.text("src_path")
    names.check_path(source)
    with store.staging() as tx:
        branch = target.branch(tx)
        repository = catalog.get_repository(tx.db, target.repository)
        at = refs.resolve(tx.db, repository, call.body.text("src_ref", "") or target.branch_name)
        tree = commits.get(tx.db, repository.id, at.commit_id).tree
        entry = staging.lookup(tx.db, tx.nodes, tree=tree, branch=at.branch, path=source)
        if entry is None:
            raise not_found(f"object {source}")
        copied = entry._replace(mtime=int(time.time()))
        staging.stage(tx.db, branch, target.path, copied)
    return JSONResponse(stats_json(store, target.path, copied), status_code=201)


def update_metadata(store: Store, call: Call) -> Response:
    """Replaces all user metadata of an object on a branch."""
    target = _Target.of(call, force=False)
    metadata = call.body.mapping("set")
    with store.staging() as tx:
        branch = target.branch(tx)
        entry = target.current(tx, branch)
        if entry is None:
            raise not_found(f"object {target.path}")
        staging.stage(tx.db, branch, target.path, entry._replace(metadata=metadata))
    return Response(status_code=201)


def get_physical_address(store: Store, call: Call) -> Response:
    """Where a client on this machine may write a file itself, before linking it to the path."""
    _refuse_presigning(call)
    _Target.of(call, force=True).check(store)
    return JSONResponse({"physical_address": store.objects.new_staging_address()})


def link_physical_address(store: Store, call: Call) -> Response:
    """Takes the file at a staging address into the store, after comparing its size and checksum."""
    target = _Target.of(call, force=call.body.flag("force"))
    target.check(store)
    with store.objects.kept_from_collection():
        stored = store.objects.adopt(
            call.body.part("staging").text("physical_address"),
            size=call.body.number("size_bytes"),
            checksum=call.body.text("checksum"),
        )
        content_type = call.body.text("content_type", "") or DEFAULT_CONTENT_TYPE
        metadata = call.body.mapping("user_metadata")
        return JSONResponse(target.stage(store, stored, content_type=content_type, metadata=metadata))


def stats_json(store: Store, path: str, entry: Entry, *, metadata: bool = True) -> dict[str, Any]:
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


@dataclass(frozen=True, kw_only=True)
class _Target:
    """The place on a branch that a call writes to."""

    repository: str
    branch_name: str
    path: str
    force: bool
    if_none_match: str
    if_match: str

    @classmethod
    def of(cls, call: Call, *, force: bool, path_parameter: str = "path") -> _Target:
        path = call.text(path_parameter)
        names.check_path(path)
        if_none_match = call.headers.get("if-none-match", "")
        if if_none_match not in ("", "*"):
            raise bad_request("header If-None-Match: only * is supported for writing")
        return cls(
            repository=call.param("repository"),
            branch_name=call.param("branch"),
            path=path,
            force=force,
            if_none_match=if_none_match,
            if_match=call.headers.get("if-match", ""),
        )

    def branch(self, tx: Transaction) -> catalog.Branch:
        repository = catalog.get_writable(tx.db, self.repository, force=self.force)
        return catalog.get_branch(tx.db, repository, self.branch_name)

    def current(self, tx: Transaction, branch: catalog.Branch) -> Entry | None:
        repository = catalog.get_repository(tx.db, self.repository)
        tree = commits.get(tx.db, repository.id, branch.commit_id).tree
        return staging.lookup(tx.db, tx.nodes, tree=tree, branch=branch, path=self.path)

    def check(self, store: Store) -> None:
        """Refuses early what `stage` would refuse, before a body is received."""
        with store.reading() as tx:
            self._check_preconditions(tx, self.branch(tx))

    def stage(
        self, store: Store, stored: Stored, *, content_type: str, metadata: dict[str, str]
    ) -> dict[str, Any]:
        entry = Entry(
            blob=stored.blob,
            size=stored.size,
            checksum=stored.checksum,
            mtime=int(time.time()),
            content_type=content_type,
            metadata=metadata,
        )
        with store.staging() as tx:
            branch = self.branch(tx)
            self._check_preconditions(tx, branch)
            staging.stage(tx.db, branch, self.path, entry)
        return stats_json(store, self.path, entry)

    def _check_preconditions(self, tx: Transaction, branch: catalog.Branch) -> None:
        if not self.if_none_match and not self.if_match:
            return
        current = self.current(tx, branch)
        if self.if_none_match and current is not None:
            raise ApiError(412, f"object {self.path} already exists")
        if self.if_match and (current is None or self.if_match.strip('"') != current.checksum):
            raise ApiError(412, f"object {self.path} is not what If-Match says")


class _Receiving:
    """A body on its way in: small ones are stored in one go, large ones a chunk at a time."""

    def __init__(self, store: Store, target: _Target) -> None:
        self._store = store
        self._target = target
        self._pending = bytearray()
        self._incoming: Incoming | None = None

    def wants_writing(self, chunk: bytes) -> bool:
        """Takes a chunk; True when so much is pending that `write` should be called."""
        self._pending += chunk
        return len(self._pending) >= CHUNK

    def write(self) -> Incoming:
        if self._incoming is None:
            self._target.check(self._store)
            self._incoming = self._store.objects.receive()
        self._incoming.write(bytes(self._pending))
        self._pending.clear()
        return self._incoming

    def finish(self, content_type: str, metadata: dict[str, str]) -> dict[str, Any]:
        with self._store.objects.kept_from_collection():
            stored = self.write().finish()
            self._incoming = None
            return self._target.stage(self._store, stored, content_type=content_type, metadata=metadata)

    def discard_unless_finished(self) -> None:
        if self._incoming is not None:
            self._incoming.discard()


def _call(request: Request) -> Call:
    """A request whose body is not JSON."""
    return Call(
        params=request.path_params, query=request.query_params, headers=request.headers, body=Body(fields={})
    )


async def _content(request: Request) -> tuple[str, AsyncIterator[bytes]]:
    """The content type to remember and the bytes to store."""
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        return kind or DEFAULT_CONTENT_TYPE, request.stream()
    kind, chunks = await content_of_form(kind, request.stream())
    return kind or DEFAULT_CONTENT_TYPE, chunks


def _metadata_of(headers: Headers) -> dict[str, str]:
    """User metadata comes in headers, whose names ignore case: keys are lower case, as in lakeFS."""
    return {
        name.removeprefix(METADATA_HEADER): value
        for name, value in headers.items()
        if name.startswith(METADATA_HEADER)
    }


def _found(store: Store, call: Call) -> tuple[str, Entry]:
    path = call.text("path")
    names.check_path(path)
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        at = refs.resolve(tx.db, repository, call.param("ref"))
        tree = commits.get(tx.db, repository.id, at.commit_id).tree
        entry = staging.lookup(tx.db, tx.nodes, tree=tree, branch=at.branch, path=path)
    if entry is None:
        raise not_found(f"object {path}")
    return path, entry


def _read(store: Store, executor: Executor, call: Call, head: bool) -> Response:
    _refuse_presigning(call)
    path, entry = _found(store, call)
    etag = f'"{entry.checksum}"'
    headers = {
        "ETag": etag,
        "Last-Modified": formatdate(entry.mtime, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": _header_safe(entry.content_type),
        "X-Content-Type-Options": "nosniff",
    }
    if call.headers.get("if-none-match") in (etag, "*"):
        return Response(status_code=304, headers=headers)
    start, length, partial = _range(call.headers.get("range"), entry.size)
    status = 206 if partial else 200
    headers["Content-Length"] = str(length)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{entry.size}"
    if head:
        return Response(status_code=status, headers=headers)
    name = f"object {path} of {call.param('ref')}"
    content = store.objects.read(entry.blob, size=entry.size, name=name)
    if content is not None:
        return Response(content[start : start + length], status_code=status, headers=headers)
    store.objects.verify(entry.blob, name=name)
    body = _streamed(store.objects.chunks(entry.blob, start=start, length=length).__next__, executor)
    return StreamingResponse(body, status_code=status, headers=headers)


async def _streamed(read: Callable[[], bytes], executor: Executor) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()

    def next_chunk() -> bytes:
        try:
            return read()
        except StopIteration:
            return b""

    while chunk := await loop.run_in_executor(executor, next_chunk):
        yield chunk


_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def _range(header: str | None, size: int) -> tuple[int, int, bool]:
    """Start, length and whether it is a part. Raises 416 for what the object has no bytes for."""
    if header is None:
        return 0, size, False
    match = _RANGE.fullmatch(header.strip())
    first, last = match.groups() if match else ("", "")
    if first:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
    else:
        start, end = max(0, size - int(last)) if last else size, size - 1
    if start > end:
        raise ApiError(
            416, f"range {header[:100]!r} of {size} bytes", headers={"Content-Range": f"bytes */{size}"}
        )
    return start, end - start + 1, True


def _refuse_presigning(call: Call) -> None:
    if call.flag("presign"):
        raise ApiError(501, "pre-signed addresses are not offered by the embedded server")


def _prefix_json(path: str) -> dict[str, Any]:
    return {"path": path, "path_type": "common_prefix", "physical_address": "", "checksum": "", "mtime": 0}


def _header_safe(value: str) -> str:
    return value if value.isascii() and value.isprintable() else DEFAULT_CONTENT_TYPE
