from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from lakefs.repository import Repository

from lakefs_embedded_tests.plain_http import Http

BRANCH = "/repositories/flights/branches/main"


def test_write_on_condition_of_the_present_content(http_client: Http, repo: Repository) -> None:
    stats = http_client.send("POST", f"{BRANCH}/objects?path=a", b"one").json
    current = {"If-Match": f'"{stats["checksum"]}"'}
    assert http_client.send("POST", f"{BRANCH}/objects?path=a", b"two", headers=current).status == 201
    assert http_client.send("POST", f"{BRANCH}/objects?path=a", b"three", headers=current).status == 412
    assert repo.branch("main").object("a").reader().read() == b"two"


@pytest.mark.parametrize("condition", ["abc", '"abc"', "**"])
def test_unknown_condition_is_refused(http_client: Http, repo: Repository, condition: str) -> None:
    headers = {"If-None-Match": condition}
    assert http_client.send("POST", f"{BRANCH}/objects?path=a", b"a", headers=headers).status == 400


def test_linked_file_must_be_what_the_client_says(http_client: Http, repo: Repository) -> None:
    backing = f"{BRANCH}/staging/backing?path=a"
    location = http_client.send("GET", backing).json
    Path(location["physical_address"].removeprefix("local://")).write_bytes(b"hello")
    checksum = hashlib.sha256(b"hello").hexdigest()
    claims = [(checksum, 4), ("0" * 64, 5), ("", 5)]
    for claimed, size in claims:
        body = {"staging": location, "checksum": claimed, "size_bytes": size}
        assert http_client.send("PUT", backing, body).status == 400
    assert list(repo.branch("main").objects()) == []
    body = {"staging": location, "checksum": checksum, "size_bytes": 5}
    assert http_client.send("PUT", backing, body).status == 200
    assert repo.branch("main").object("a").reader().read() == b"hello"
