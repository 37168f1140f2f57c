from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO

import pytest

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.cache import ObjectCache, Verified, cache_key


def key_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Source:
    """Counts how often it was asked for its bytes."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.fetches = 0

    def fetch(self, stream: IO[bytes]) -> None:
        self.fetches += 1
        stream.write(self.content)


def get(cache: ObjectCache, source: Source, *, expected: bytes) -> Path:
    key = key_of(expected)
    return cache.get(
        key,
        fetch=source.fetch,
        verify=lambda path: Verified().check(path, size=len(expected), checksum=key, named="'a'"),
    )


def test_a_second_reader_gets_the_copy_without_fetching(tmp_path: Path) -> None:
    source = Source(b"rows")
    first = get(ObjectCache(tmp_path, limit=1000), source, expected=b"rows")
    second = get(ObjectCache(tmp_path, limit=1000), source, expected=b"rows")
    assert first == second
    assert first.read_bytes() == b"rows"
    assert source.fetches == 1


def test_a_copy_gone_bad_is_fetched_again(tmp_path: Path) -> None:
    cache, source = ObjectCache(tmp_path, limit=1000), Source(b"rows")
    get(cache, source, expected=b"rows").write_bytes(b"rowz")
    assert get(cache, source, expected=b"rows").read_bytes() == b"rows"
    assert source.fetches == 2


@pytest.mark.parametrize("sent", [b"row", b"rowz", b""], ids=["short", "flipped", "empty"])
def test_bytes_that_arrive_damaged_are_never_kept(tmp_path: Path, sent: bytes) -> None:
    with pytest.raises(LakeError, match="'a' is damaged"):
        get(ObjectCache(tmp_path, limit=1000), Source(sent), expected=b"rows")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_least_recently_used_go_when_the_cache_is_full(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path, limit=20)
    paths = [get(cache, Source(content), expected=content) for content in (b"a" * 8, b"b" * 8)]
    os.utime(paths[0], (2_000_000_000, 2_000_000_000))
    os.utime(paths[1], (1_000_000_000, 1_000_000_000))
    newest = get(cache, Source(b"c" * 8), expected=b"c" * 8)
    assert [path.exists() for path in (*paths, newest)] == [True, False, True]


def test_a_file_larger_than_the_cache_is_still_served(tmp_path: Path) -> None:
    assert get(ObjectCache(tmp_path, limit=2), Source(b"large"), expected=b"large").read_bytes() == b"large"


def test_a_file_is_compared_with_its_checksum_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path, verified, checksum = tmp_path / "a", Verified(), key_of(b"rows")
    path.write_bytes(b"rows")
    verified.check(path, size=4, checksum=checksum, named="'a'")
    path.write_bytes(b"rowz")
    os.utime(path, (1, 1))
    with pytest.raises(LakeError, match="'a' is damaged: its sha256 is"):
        verified.check(path, size=4, checksum=checksum, named="'a'")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="'a' is missing from the store"):
        Verified().check(tmp_path / "gone", size=4, checksum=key_of(b"rows"), named="'a'")


def test_a_checksum_that_names_no_bytes_is_told_apart_by_where_they_lie() -> None:
    one = cache_key("d41d8cd98f00b204e9800998ecf8427e-3", address="s3://bucket/one")
    other = cache_key("d41d8cd98f00b204e9800998ecf8427e-3", address="s3://bucket/other")
    assert one != other
    assert cache_key("../../etc/passwd", address="s3://bucket/x").isalnum()
