from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lakefs_embedded.api_error import ApiError
from lakefs_embedded.objects import ALWAYS_VERIFIED_BYTES, Objects, Stored

LARGE = b"0123456789abcdef" * (ALWAYS_VERIFIED_BYTES // 16 + 1)


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path)


def flip(path: Path, *, at: int, keep_times: bool = False) -> None:
    """Changes one byte of a stored file, as a failing disk would."""
    before = path.stat()
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    if keep_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def check(objects: Objects, stored: Stored) -> bytes:
    """Reads as a request does."""
    if stored.size <= ALWAYS_VERIFIED_BYTES:
        return objects.read(stored.blob, size=stored.size, name="object a of main")
    objects.verify(stored.blob, name="object a of main")
    return b"".join(objects.chunks(stored.blob, start=0, length=stored.size))


@pytest.mark.parametrize("content", [b"", b"hello", LARGE], ids=["empty", "small", "large"])
def test_stored_content_is_read_back(objects: Objects, content: bytes) -> None:
    stored = objects.put(content)
    assert stored.checksum == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert check(objects, stored) == content


def test_stored_file_is_named_by_its_content_and_read_only(objects: Objects) -> None:
    stored = objects.put(b"hello")
    path = Path(objects.address(stored.blob).removeprefix("local://"))
    assert path.name == hashlib.sha256(b"hello").hexdigest()
    assert path.read_bytes() == b"hello"
    assert path.stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("content", [b"hello", LARGE], ids=["small", "large"])
def test_flipped_byte_is_named_and_never_served(objects: Objects, content: bytes) -> None:
    stored = objects.put(content)
    check(objects, stored)
    flip(objects.path(stored.blob), at=len(content) // 2)
    with pytest.raises(ApiError, match=r"object a of main.*damaged") as refused:
        check(objects, stored)
    assert refused.value.status == 500
    assert stored.blob in refused.value.message


def test_flipped_byte_is_found_in_a_small_object_even_if_times_tell_nothing(objects: Objects) -> None:
    stored = objects.put(b"hello")
    check(objects, stored)
    flip(objects.path(stored.blob), at=2, keep_times=True)
    with pytest.raises(ApiError, match="damaged"):
        check(objects, stored)


@pytest.mark.parametrize("content", [b"hello", LARGE], ids=["small", "large"])
def test_short_file_is_found(objects: Objects, content: bytes) -> None:
    stored = objects.put(content)
    path = objects.path(stored.blob)
    path.chmod(0o600)
    os.truncate(path, len(content) - 1)
    with pytest.raises(ApiError, match="damaged"):
        check(objects, stored)


@pytest.mark.parametrize("content", [b"hello", LARGE], ids=["small", "large"])
def test_lost_file_is_said_to_be_gone(objects: Objects, content: bytes) -> None:
    stored = objects.put(content)
    objects.path(stored.blob).unlink()
    with pytest.raises(ApiError, match="gone") as refused:
        check(objects, stored)
    assert refused.value.status == 410


def test_storing_the_content_again_mends_a_damaged_file(objects: Objects) -> None:
    stored = objects.put(b"hello")
    flip(objects.path(stored.blob), at=0)
    objects.put(b"hello")
    assert check(objects, stored) == b"hello"


def test_discarded_file_leaves_nothing(objects: Objects) -> None:
    incoming = objects.receive()
    incoming.write(b"half of it")
    incoming.discard()
    assert list(objects.unfinished_files()) == []
    assert list(objects.stored_files()) == []


def staged(objects: Objects, content: bytes) -> tuple[str, Path]:
    address = objects.new_staging_address()
    path = Path(address.removeprefix("local://"))
    path.write_bytes(content)
    return address, path


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_adopted_file_is_moved_not_copied(objects: Objects, algorithm: str) -> None:
    address, path = staged(objects, b"hello")
    inode = path.stat().st_ino
    stored = objects.adopt(address, size=5, checksum=hashlib.new(algorithm, b"hello").hexdigest())
    assert objects.path(stored.blob).stat().st_ino == inode
    assert not path.exists()


def test_file_with_another_checksum_or_size_is_not_adopted(objects: Objects) -> None:
    address, path = staged(objects, b"hello")
    checksum = hashlib.sha256(b"hello").hexdigest()
    with pytest.raises(ApiError, match="5 bytes, not 6"):
        objects.adopt(address, size=6, checksum=checksum)
    with pytest.raises(ApiError, match="does not match"):
        objects.adopt(address, size=5, checksum="0" * 64)
    assert path.exists()
    assert list(objects.stored_files()) == []


def test_link_to_another_file_is_not_adopted(objects: Objects, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"hello")
    address = objects.new_staging_address()
    Path(address.removeprefix("local://")).symlink_to(secret)
    with pytest.raises(ApiError) as refused:
        objects.adopt(address, size=5, checksum=hashlib.md5(b"hello", usedforsecurity=False).hexdigest())
    assert refused.value.status == 400
    assert secret.exists()


@pytest.mark.parametrize(
    "address", ["", "/etc/passwd", "local:///etc/passwd", "s3://bucket/a", "local://{staging}/../x"]
)
def test_address_of_another_place_is_not_adopted(objects: Objects, address: str) -> None:
    ours = objects.new_staging_address().rpartition("/")[0].removeprefix("local://")
    with pytest.raises(ApiError) as refused:
        objects.adopt(address.format(staging=ours), size=1, checksum="0" * 32)
    assert refused.value.status == 400
