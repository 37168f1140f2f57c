"""Reading the lake at one commit: what is listed, read or opened here never changes, whoever publishes
meanwhile.

Writing is in ``publishing.py``; connecting in ``lake.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import IO, Any

from lakefs.exceptions import NotFoundException

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.cache import ObjectCache, Verified, cache_key
from mlops_assets.lake.connection import Connection, plain_errors

_PAGE = 1000
_STRETCH_PAGE = 100  # of a stretch within a folder little more is wanted than it holds
_PARALLEL = 8
_LOOKED_UP_SINGLY = 2
_CHUNK = 8 * 1024 * 1024
SHA256 = "sha256"


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """One stored file: its path in the lake, size in bytes, and the checksum its bytes must have.

    ``checksum`` names the bytes: their SHA-256 in the embedded store and for what this platform uploads
    elsewhere, else lakeFS's own (an MD5 or an ETag). ``address`` is where lakeFS keeps them.
    """

    path: str
    size: int
    checksum: str
    address: str
    modified: int


class Snapshot:
    """The lake at ``commit``. Cheap to make; listings and look-ups are remembered, since a commit never
    changes.
    """

    def __init__(self, commit: str, *, connection: Connection, verified: Verified, cache: ObjectCache) -> None:
        self.commit = commit
        self._connection = connection
        self._verified = verified
        self._cache = cache
        self._reference = connection.repository.commit(commit)
        self._listed: dict[str, tuple[ObjectInfo, ...]] = {}
        self._known: dict[str, ObjectInfo | None] = {}

    def __repr__(self) -> str:
        return f"Snapshot({self.commit})"

    def paths(self, prefix: str = "") -> tuple[ObjectInfo, ...]:
        """Every file whose path starts with ``prefix``, in order of path."""
        if prefix not in self._listed:
            with plain_errors(f"listing '{prefix}' at {self.commit[:12]}"):
                found = self._reference.objects(prefix=prefix, amount=_PAGE)
                self._listed[prefix] = tuple(self._object_info(each) for each in found)
            self._known.update((info.path, info) for info in self._listed[prefix])
        return self._listed[prefix]

    def find(self, path: str) -> ObjectInfo | None:
        """What is known of the file at ``path``, ``None`` if there is none."""
        if path not in self._known:
            with plain_errors(f"looking up '{path}' at {self.commit[:12]}"):
                try:
                    self._known[path] = self._object_info(self._reference.object(path).stat())
                except NotFoundException:
                    self._known[path] = None
        return self._known[path]

    def find_many(self, paths: Iterable[str]) -> dict[str, ObjectInfo | None]:
        """As ``find`` for many paths, in few requests when they lie in few folders."""
        wanted = list(paths)
        folders: dict[str, list[str]] = {}
        for path in sorted(path for path in wanted if path not in self._known):
            folders.setdefault(path[: path.rfind("/") + 1], []).append(path)
        for folder, group in folders.items():
            if len(group) > _LOOKED_UP_SINGLY:
                self.between(folder, first=group[0], last=group[-1])
                self._known = dict.fromkeys(group) | self._known
        return {path: self.find(path) for path in wanted}

    def exists(self, path: str) -> bool:
        return self.find(path) is not None

    def info(self, path: str) -> ObjectInfo:
        """As ``find``, but raises LakeError naming the path when there is no such file."""
        found = self.find(path)
        if found is None:
            raise LakeError(f"No '{path}' in the lake at commit {self.commit[:12]}.")
        return found

    def read(self, path: str) -> bytes:
        """The file's bytes, compared with their checksum before they are returned for the first time."""
        return self.local(path).read_bytes()

    def local(self, path: str) -> Path:
        """The file as a local path, for reading only: in place in the embedded store, else from the disk
        cache.

        Raises LakeError when there is no such file or its bytes do not have their checksum.
        """
        return self._local(self.info(path))

    def between(self, prefix: str, *, first: str, last: str) -> tuple[ObjectInfo, ...]:
        """The files below ``prefix`` whose paths lie from ``first`` to ``last``, both included, in order of path.

        Costs what lies between them, however many there are before and after.
        """
        with plain_errors(f"listing '{prefix}' at {self.commit[:12]}"):
            ahead = self._reference.objects(prefix=prefix, after=first[:-1], amount=_STRETCH_PAGE)
            within = takewhile(lambda each: each.path <= last, ahead)
            found = tuple(self._object_info(each) for each in within if each.path >= first)
        self._known.update((info.path, info) for info in found)
        return found

    def any_after(self, path: str, *, prefix: str) -> bool:
        """Whether any file below ``prefix`` has a path beyond ``path``. Costs one request."""
        with plain_errors(f"listing '{prefix}' at {self.commit[:12]}"):
            return any(True for _ in self._reference.objects(prefix=prefix, after=path, amount=1, max_amount=1))

    def local_many(self, prefix: str) -> dict[str, Path]:
        """Every file below ``prefix`` as a local path, by its path in the lake."""
        return self.local_files(self.paths(prefix))

    def local_files(self, found: Sequence[ObjectInfo]) -> dict[str, Path]:
        """These files as local paths, by their paths in the lake; several are fetched at once."""
        if self._connection.embedded:
            return {info.path: self._local(info) for info in found}
        with ThreadPoolExecutor(_PARALLEL) as pool:
            return dict(zip((info.path for info in found), pool.map(self._local, found), strict=True))

    def _object_info(self, stat: Any) -> ObjectInfo:
        written = {key.lower(): value for key, value in (stat.metadata or {}).items()}
        if self._connection.embedded:
            checksum = path_of_address(stat.physical_address).name
        else:
            checksum = written.get(SHA256, stat.checksum)
        return ObjectInfo(
            path=stat.path,
            size=stat.size_bytes or 0,
            checksum=checksum,
            address=stat.physical_address,
            modified=stat.mtime,
        )

    def _local(self, info: ObjectInfo) -> Path:
        if self._connection.embedded:
            path = path_of_address(info.address)
            self._verify(path, info=info)
            return path
        return self._cache.get(
            cache_key(info.checksum, address=info.address),
            fetch=lambda stream: self._fetch(info, into=stream),
            verify=lambda path: self._verify(path, info=info),
        )

    def _verify(self, path: Path, *, info: ObjectInfo) -> None:
        self._verified.check(path, size=info.size, checksum=info.checksum, named=f"'{info.path}' at {self.commit[:12]}")

    def _fetch(self, info: ObjectInfo, *, into: IO[bytes]) -> None:
        with (
            plain_errors(f"reading '{info.path}' at {self.commit[:12]}"),
            self._reference.object(info.path).reader("rb", pre_sign=self._connection.pre_sign) as reader,
        ):
            remaining = info.size
            while remaining > 0:
                chunk: Any = reader.read(min(_CHUNK, remaining))
                if not chunk:
                    return
                into.write(chunk)
                remaining -= len(chunk)


def path_of_address(address: str) -> Path:
    """The local file behind an embedded store's physical address: ``local://``, an absolute path, and a file
    named after the SHA-256 of its bytes."""
    return Path(address.removeprefix("local://"))
