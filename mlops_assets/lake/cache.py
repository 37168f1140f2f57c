"""Bytes that are proven before they are used: checksums, what this process has verified, and the cache of a
remote lake.

Nothing here talks to lakeFS: what to fetch is passed in as a function.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from mlops_assets.contract.errors import LakeError

_CHUNK = 1024 * 1024
_ALGORITHMS = {32: "md5", 64: "sha256"}


def digest_of(stream: IO[bytes], *, algorithm: str) -> str:
    """Hex digest of the rest of ``stream``."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def algorithm_of(checksum: str) -> str | None:
    """Which digest a checksum is, by its length; ``None`` for what proves nothing (an S3 multipart ETag)."""
    hexadecimal = all(sign in "0123456789abcdef" for sign in checksum)
    return _ALGORITHMS.get(len(checksum)) if hexadecimal else None


def cache_key(checksum: str, *, address: str) -> str:
    """A file name for these bytes: the checksum where it names them, else a digest of where they lie."""
    if algorithm_of(checksum) is not None:
        return checksum
    return hashlib.sha256(f"{address}\n{checksum}".encode()).hexdigest()


class Verified:
    """Which local files this process has compared with their checksums. Safe for use by many threads.

    A file is read once; it is read again only when its size, time or inode has changed since.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[Path, str], tuple[int, int, int]] = {}

    def check(self, path: Path, *, size: int, checksum: str, named: str) -> None:
        """Raises LakeError naming the object (``named``) when the file is missing, short or altered."""
        try:
            stat = path.stat()
        except FileNotFoundError:
            raise LakeError(f"{named} is missing from the store ({path}): restore it from a backup.") from None
        mark = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        if self._seen.get((path, checksum)) == mark:
            return
        if stat.st_size != size:
            raise LakeError(f"{named} is damaged: {stat.st_size} bytes stored, {size} expected ({path}).")
        algorithm = algorithm_of(checksum)
        if algorithm is not None:
            with path.open("rb") as stream:
                found = digest_of(stream, algorithm=algorithm)
            if found != checksum:
                raise LakeError(f"{named} is damaged: its {algorithm} is {found}, {checksum} expected ({path}).")
        self._seen[(path, checksum)] = mark


class ObjectCache:
    """Copies of a remote lake's objects by checksum, at most ``limit`` bytes; the least recently used go
    first.

    Several processes may share one folder: files appear whole, by renaming, and losing one means fetching it
    again.
    """

    def __init__(self, folder: Path, *, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()

    def get(self, key: str, *, fetch: Callable[[IO[bytes]], None], verify: Callable[[Path], None]) -> Path:
        """The local copy named ``key``, fetched if missing. ``verify`` raises LakeError for a bad copy.

        A cached copy that has gone bad is fetched once more; a freshly fetched one that is bad is an error.
        """
        path = self._folder / key[:2] / key
        if path.exists():
            try:
                verify(path)
            except LakeError:
                path.unlink(missing_ok=True)
            else:
                os.utime(path)
                return path
        self._store(path, fetch=fetch, verify=verify)
        self._evict(keep=path)
        return path

    def _store(self, path: Path, *, fetch: Callable[[IO[bytes]], None], verify: Callable[[Path], None]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".fetching-", delete=False) as stream:
            fetched = Path(stream.name)
            try:
                fetch(stream.file)
                stream.flush()
                verify(fetched)
                fetched.replace(path)
            except BaseException:
                fetched.unlink(missing_ok=True)
                raise

    def _evict(self, *, keep: Path) -> None:
        with self._lock:
            found = []
            for path in self._folder.glob("*/*"):
                with suppress(FileNotFoundError):
                    stat = path.stat()
                    found.append((stat.st_mtime, stat.st_size, path))
            excess = sum(size for _, size, _ in found) - self._limit
            for _, size, path in sorted(found):
                if excess <= 0:
                    return
                if path != keep and not path.name.startswith(".fetching-"):
                    path.unlink(missing_ok=True)
                    excess -= size
