from __future__ import annotations

import pytest

from lakefs_embedded import names
from lakefs_embedded.api_error import ApiError


@pytest.mark.parametrize("name", ["abc", "0ab", "flights-2013", "a" * 63])
def test_lawful_repository_names(name: str) -> None:
    names.check_repository(name)


@pytest.mark.parametrize("name", ["", "ab", "a" * 64, "-abc", "Abc", "a_c", "a/../c", "..", "abc\n", "äbc"])
def test_unlawful_repository_names(name: str) -> None:
    with pytest.raises(ApiError) as refused:
        names.check_repository(name)
    assert refused.value.status == 400


@pytest.mark.parametrize("path", ["a", "a..b", "..a/b", "a/...", "/a", "a/", "a\nb", "x" * 4096])
def test_lawful_paths(path: str) -> None:
    names.check_path(path)


@pytest.mark.parametrize("path", ["", "..", "../a", "a/../b", "a/..", "a\\..\\b", "a\x00b", "x" * 4097, "\ud800"])
def test_unlawful_paths(path: str) -> None:
    with pytest.raises(ApiError) as refused:
        names.check_path(path)
    assert refused.value.status == 400


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", ".a", "a/.b", "a.", "@", "a\x7f", "x" * 256])
def test_unlawful_tag_names(name: str) -> None:
    with pytest.raises(ApiError):
        names.check_tag(name)
