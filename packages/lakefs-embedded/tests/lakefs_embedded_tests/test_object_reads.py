from __future__ import annotations

from pathlib import Path

import pytest
from lakefs.repository import Repository

from lakefs_embedded.objects import ALWAYS_VERIFIED_BYTES
from lakefs_embedded_tests.plain_http import Http

BRANCH = "/repositories/flights/branches/main"
REF = "/repositories/flights/refs/main"
LARGE = b"0123456789abcdef" * (ALWAYS_VERIFIED_BYTES // 16 + 1)


def place(http_client: Http, path: str) -> Path:
    """The stored file of an object, as a client on this machine may read it in place."""
    address = http_client.send("GET", f"{REF}/objects/stat?path={path}").json["physical_address"]
    assert address.startswith("local:///")
    return Path(address.removeprefix("local://"))


def test_object_can_be_read_in_place(http_client: Http, repo: Repository) -> None:
    repo.branch("main").object("a").upload(b"hello")
    assert place(http_client, "a").read_bytes() == b"hello"


@pytest.mark.parametrize("content", [b"hello world", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-3"}], ids=["whole", "range"])
def test_damaged_object_is_named_and_not_served(
    http_client: Http, repo: Repository, content: bytes, headers: dict[str, str]
) -> None:
    repo.branch("main").object("a").upload(content)
    assert http_client.send("GET", f"{REF}/objects?path=a", headers=headers).status in (200, 206)
    file = place(http_client, "a")
    file.chmod(0o600)
    file.write_bytes(content[:-1] + b"!")
    answer = http_client.send("GET", f"{REF}/objects?path=a", headers=headers)
    assert answer.status == 500
    assert "object a of main" in answer.message
    assert str(file) in answer.message


@pytest.mark.parametrize(("start", "end"), [(0, 0), (5, 1_500_000), (len(LARGE) - 3, len(LARGE) + 9)])
def test_large_object_is_served_in_parts(http_client: Http, repo: Repository, start: int, end: int) -> None:
    repo.branch("main").object("large").upload(LARGE)
    answer = http_client.send("GET", f"{REF}/objects?path=large", headers={"Range": f"bytes={start}-{end}"})
    assert answer.status == 206
    assert answer.content == LARGE[start : end + 1]


@pytest.mark.parametrize("asked", ["bytes=", "bytes=-", "bytes=5-2", "bytes=-0", "lines=1-2", "bytes=0-1,3-4", "x"])
def test_range_that_cannot_be_served_says_the_size(http_client: Http, repo: Repository, asked: str) -> None:
    repo.branch("main").object("a").upload(b"hello")
    answer = http_client.send("GET", f"{REF}/objects?path=a", headers={"Range": asked})
    assert answer.status == 416
    assert answer.headers["content-range"] == "bytes */5"


def test_user_metadata_is_left_out_when_asked(http_client: Http, repo: Repository) -> None:
    repo.branch("main").object("a").upload(b"a", metadata={"k": "v"})
    assert "metadata" in http_client.send("GET", f"{REF}/objects/stat?path=a").json
    assert "metadata" not in http_client.send("GET", f"{REF}/objects/stat?path=a&user_metadata=false").json
    (listed,) = http_client.send("GET", f"{REF}/objects/ls?user_metadata=false").json["results"]
    assert "metadata" not in listed


def test_underlying_properties_are_told(http_client: Http, repo: Repository) -> None:
    repo.branch("main").object("a").upload(b"a")
    assert http_client.send("GET", f"{REF}/objects/underlyingProperties?path=a").json == {"storage_class": None}
    assert http_client.send("GET", f"{REF}/objects/underlyingProperties?path=b").status == 404
