"""Getting files onto a branch: measuring them, telling what the lake lacks, and handing over the bytes.

When and why something is staged is decided in ``publishing.py``.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import IO, TypeVar

from lakefs import Branch

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.cache import algorithm_of, digest_of
from mlops_assets.lake.connection import Connection
from mlops_assets.lake.snapshot import SHA256, ObjectInfo, Snapshot, path_of_address

_WRITERS = 4
_CHUNK = 1024 * 1024
_POLL_SECONDS = 0.005
_SYNCED_TOGETHER = 16
_IMPORTED_AT_ONCE = 5_000
_DELETED_AT_ONCE = 1_000

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Content:
    """One file to write: its path in the lake and its bytes, or the local file that holds them."""

    path: str
    source: bytes | Path

    @cached_property
    def size(self) -> int:
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    @cached_property
    def sha256(self) -> str:
        return self._digest("sha256")

    @cached_property
    def md5(self) -> str:
        return self._digest("md5")

    def held_by(self, info: ObjectInfo | None) -> bool:
        """Whether the lake holds exactly these bytes; not, when its checksum proves nothing."""
        if info is None or info.size != self.size:
            return False
        algorithm = algorithm_of(info.checksum)
        return algorithm is not None and info.checksum == (self.md5 if algorithm == "md5" else self.sha256)

    def open(self) -> IO[bytes]:
        return BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")

    def _digest(self, algorithm: str) -> str:
        with self.open() as stream:
            return digest_of(stream, algorithm=algorithm)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a commit lacks of a write: files to write, paths to delete. False when it lacks nothing."""

    written: tuple[Content, ...]
    deleted: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.written or self.deleted)


def compare(snapshot: Snapshot, *, contents: Sequence[Content], deletes: Sequence[str]) -> Difference:
    """What must change for ``snapshot`` to show ``contents`` and not ``deletes``."""
    held = snapshot.find_many([*(content.path for content in contents), *deletes])
    return Difference(
        written=tuple(content for content in contents if not content.held_by(held[content.path])),
        deleted=tuple(path for path in deletes if held[path] is not None),
    )


def stage(
    connection: Connection, branch: Branch, *, difference: Difference, message: str, metadata: Mapping[str, str]
) -> str:
    """Puts the difference on ``branch``; the id of its last commit. A real lakeFS gets one commit; the embedded one
    gets one for every few thousand files it takes over and one for what is deleted.
    """
    staged = ""
    if not connection.embedded:
        upload(connection, branch, difference.written)
    for contents in _groups(difference.written, _IMPORTED_AT_ONCE) if connection.embedded else ():
        staged = _hand_over(connection, branch, contents=contents, message=message, metadata=metadata)
    delete(branch, difference.deleted)
    if difference.deleted or not connection.embedded:
        staged = branch.commit(message, metadata=dict(metadata)).id
    return staged


def upload(connection: Connection, branch: Branch, contents: Sequence[Content]) -> None:
    """Sends files through the API, each with its SHA-256 beside it, several at a time."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(lambda content: _upload(branch, content, pre_sign=connection.pre_sign), contents))


def delete(branch: Branch, paths: Sequence[str]) -> None:
    """Deletes files from a branch, as many at once as lakeFS takes."""
    for some in _groups(paths, _DELETED_AT_ONCE):
        branch.delete_objects(some)


def _upload(branch: Branch, content: Content, *, pre_sign: bool) -> None:
    writer = branch.object(content.path).writer("wb", pre_sign=pre_sign, metadata={SHA256: content.sha256})
    with writer, content.open() as stream:
        while chunk := stream.read(_CHUNK):
            writer.write(chunk)


def _hand_over(
    connection: Connection, branch: Branch, *, contents: Sequence[Content], message: str, metadata: Mapping[str, str]
) -> str:
    """Writes files where the embedded server takes them over, and imports them by one call; the commit's id.

    lakeFS's import refers to files where they lie instead of sending their bytes, which for hundreds of small files
    is several times faster. The server hashes what it takes over.
    """
    address = connection.client.sdk_client.staging_api.get_physical_address(
        branch.repo_id, branch.id, contents[0].path
    ).physical_address
    places = [path_of_address(address).with_name(secrets.token_hex(16)) for _ in contents]
    try:
        _write_synced(places, contents)
        return _import(branch, dict(zip(places, contents, strict=True)), message=message, metadata=metadata)
    except BaseException:
        for place in places:
            place.unlink(missing_ok=True)
        raise


def _write_synced(places: Sequence[Path], contents: Sequence[Content]) -> None:
    """Writes each file; the disk is waited for once if they are many. The server makes sure of each by itself."""
    for place, content in zip(places, contents, strict=True):
        with content.open() as source, place.open("xb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
    if len(places) > _SYNCED_TOGETHER:
        os.sync()


def _import(branch: Branch, contents: Mapping[Path, Content], *, message: str, metadata: Mapping[str, str]) -> str:
    manager = branch.import_data(commit_message=message, metadata=dict(metadata))
    for place, content in contents.items():
        manager.object(f"local://{place}", destination=content.path)
    manager.start()
    while not (status := manager.status()).completed or status.commit is None:
        if status.error is not None:
            raise LakeError(f"Staging on branch '{branch.id}': {status.error.message}")
        time.sleep(_POLL_SECONDS)
    commit: str = status.commit.id
    return commit


def _groups(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
