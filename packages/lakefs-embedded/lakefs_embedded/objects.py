"""The stored bytes: one file per content, named by its sha256, under `objects/`.

Writing: a temporary name, all bytes, fsync, size and checksum read back and compared, rename. The rename
itself is made durable by `sync_folders`, which a commit calls before anything refers to the new files.

Reading: what is served has been verified. Files up to 8 MiB that are read whole are hashed each time. Larger
ones, and those read in parts, are hashed when this process first reads them and again whenever inode, size or
modification time changed since. A damaged file is named in the error and never served.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lakefs_embedded.api_error import ApiError, bad_request

ALWAYS_VERIFIED_BYTES = 8 * 1024 * 1024
CHUNK = 1024 * 1024
ADDRESS_SCHEME = "local://"


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What was stored: the name of its file (sha256), its size, and its md5, the checksum clients see."""

    blob: str
    size: int
    checksum: str


class Objects:
    """The files below one root. Safe for many threads and processes at once."""

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._staging = root / "staging"
        self._gate = root / "collection.lock"
        self._verified: dict[str, tuple[int, int, int]] = {}
        self._lock = threading.Lock()
        for folder in (
            self._incoming,
            self._staging,
            *(self._objects / f"{nibble:x}" for nibble in range(16)),
        ):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, blob: str) -> Path:
        return self._objects / blob[0] / blob

    def address(self, blob: str) -> str:
        """The physical address: `local://` and the absolute path of a file that local clients may read in
        place.
        """
        return f"{ADDRESS_SCHEME}{self.path(blob)}"

    def receive(self) -> Incoming:
        """A new file to fill. Finish or discard it."""
        return Incoming(self, self._incoming / secrets.token_hex(16))

    def put(self, content: bytes) -> Stored:
        incoming = self.receive()
        incoming.write(content)
        return incoming.finish()

    def new_staging_address(self) -> str:
        """Where a local client may write a file by itself, to be adopted later."""
        return f"{ADDRESS_SCHEME}{self._staging / secrets.token_hex(16)}"

    def adopt(self, address: str, *, size: int | None = None, checksum: str | None = None) -> Stored:
        """Takes a file written at a staging address into the store by renaming it.

        `checksum` is the md5 or sha256 of its content; what is not given is not compared. Raises 400 if the
        address is none of ours, already used or not written, or if size or checksum differ from what is
        there; the file stays where it is then.
        """
        source = self._staged_file(address)
        try:
            descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            raise bad_request(f"link address {address}: nothing to link there: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as file:
            os.fsync(file.fileno())
            stored = _digested(file)
            if size is not None and stored.size != size:
                raise bad_request(f"link address {address}: holds {stored.size} bytes, not {size}")
            named = (stored.checksum, stored.blob)
            if checksum is not None and checksum.strip('"').lower() not in named:
                raise bad_request(f"link address {address}: content does not match checksum {checksum[:80]!r}")
            self.publish(source, stored, descriptor=file.fileno())
        return stored

    def read(self, blob: str, *, size: int, name: str) -> bytes:
        """The whole verified content. `name` is what an error calls the object."""
        try:
            content = self.path(blob).read_bytes()
        except FileNotFoundError:
            raise self._missing(blob, name) from None
        if len(content) != size or hashlib.sha256(content).hexdigest() != blob:
            raise self._damaged(blob, name)
        return content

    def verify(self, blob: str, *, name: str) -> None:
        """Hashes the file unless this process did so since it was last changed."""
        try:
            with self.path(blob).open("rb") as file:
                found = os.fstat(file.fileno())
                seen = (found.st_ino, found.st_size, found.st_mtime_ns)
                if self._verified.get(blob) == seen:
                    return
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise self._missing(blob, name) from None
        if digest != blob:
            raise self._damaged(blob, name)
        with self._lock:
            self._verified[blob] = seen

    def chunks(self, blob: str, *, start: int, length: int) -> Iterator[bytes]:
        with self.path(blob).open("rb") as file:
            file.seek(start)
            while length > 0:
                chunk = file.read(min(CHUNK, length))
                if not chunk:
                    return
                length -= len(chunk)
                yield chunk

    def sync_folders(self, blobs: Iterable[str]) -> None:
        """Makes the names of these blobs survive a power cut."""
        for nibble in {blob[0] for blob in blobs}:
            _sync_folder(self._objects / nibble)

    @contextmanager
    def kept_from_collection(self) -> Iterator[None]:
        """Between storing a blob and referring to it: garbage collection waits."""
        with self._gate.open("a") as gate:
            fcntl.flock(gate, fcntl.LOCK_SH)
            yield

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """For garbage collection: no blob is between being stored and being referred to."""
        with self._gate.open("a") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield

    def stored_files(self) -> Iterator[Path]:
        for folder in sorted(self._objects.iterdir()):
            yield from (Path(entry.path) for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False))

    def unfinished_files(self) -> Iterator[Path]:
        """What killed writers left, and staging addresses in use."""
        for folder in (self._incoming, self._staging):
            yield from (Path(entry.path) for entry in os.scandir(folder))

    def publish(self, source: Path, stored: Stored, *, descriptor: int) -> None:
        """Gives a synced and checked file its final name. One there before was the same, or damaged."""
        os.fchmod(descriptor, 0o444)
        source.replace(self.path(stored.blob))

    def _staged_file(self, address: str) -> Path:
        name = address.removeprefix(f"{ADDRESS_SCHEME}{self._staging}/")
        if len(name) != 32 or not set(name) <= set("0123456789abcdef"):
            raise bad_request("link address: not a staging address of this server")
        return self._staging / name

    def _missing(self, blob: str, name: str) -> ApiError:
        return ApiError(410, f"{name}: its stored file {self.path(blob)} is gone")

    def _damaged(self, blob: str, name: str) -> ApiError:
        return ApiError(500, f"{name}: its stored file {self.path(blob)} is damaged and was not served")


class Incoming:
    """A file on its way into the store, under a temporary name."""

    def __init__(self, objects: Objects, path: Path) -> None:
        self._objects = objects
        self._path = path
        self._file = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "w+b", buffering=0)
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self._size = 0

    def write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        try:
            while view:
                written = self._file.write(view)
                view = view[written:]
        except OSError:
            self.discard()
            raise
        self._sha256.update(chunk)
        self._md5.update(chunk)
        self._size += len(chunk)

    def finish(self) -> Stored:
        """Syncs, reads back, compares size and checksum, and gives the file its final name."""
        stored = Stored(blob=self._sha256.hexdigest(), size=self._size, checksum=self._md5.hexdigest())
        try:
            os.fsync(self._file.fileno())
            self._file.seek(0)
            kept = hashlib.file_digest(self._file, "sha256").hexdigest()
            if self._file.tell() != stored.size or kept != stored.blob:
                raise ApiError(507, "the stored file does not hold what was sent; is the disk full or failing?")
            self._objects.publish(self._path, stored, descriptor=self._file.fileno())
        except BaseException:
            self.discard()
            raise
        self._file.close()
        return stored

    def discard(self) -> None:
        self._file.close()
        with suppress(FileNotFoundError):
            self._path.unlink()


def _digested(file: BinaryIO) -> Stored:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    while chunk := file.read(CHUNK):
        sha256.update(chunk)
        md5.update(chunk)
        size += len(chunk)
    return Stored(blob=sha256.hexdigest(), size=size, checksum=md5.hexdigest())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
