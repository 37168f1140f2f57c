from __future__ import annotations

import base64
import re
import stat
import threading
from pathlib import Path

import pytest

from lakefs_embedded import EmbeddedLakeFS
from lakefs_embedded.app import NOT_OFFERED, OPERATIONS
from lakefs_embedded.auth import Credentials, load_or_create
from lakefs_embedded_tests.plain_http import Http

ROUTES = [
    *OPERATIONS,
    ("POST", "/repositories/{repository}/branches/{branch}/objects"),
    ("GET", "/repositories/{repository}/refs/{ref}/objects"),
    ("HEAD", "/repositories/{repository}/refs/{ref}/objects"),
    *(("POST", path) for path in NOT_OFFERED),
    ("GET", "/no/such/route"),
]


def test_key_is_readable_by_its_owner_only(server: EmbeddedLakeFS, root: Path) -> None:
    assert stat.S_IMODE((root / "credentials.json").stat().st_mode) == 0o600


def test_key_stays_the_same(tmp_path: Path) -> None:
    assert load_or_create(tmp_path) == load_or_create(tmp_path)


def test_key_made_by_many_at_once_is_one(tmp_path: Path) -> None:
    found: list[Credentials] = []
    threads = [threading.Thread(target=lambda: found.append(load_or_create(tmp_path))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["credentials.json"]


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[1] != "/healthcheck"])
def test_nothing_is_done_without_the_key(http_client: Http, method: str, path: str) -> None:
    filled = re.sub(r"\{[^}]+\}", "main", path)
    answer = http_client.send(method, filled, None if method in ("GET", "HEAD") else b"{}", key=False)
    assert answer.status == 401
    if method != "HEAD":
        assert answer.message == "error authenticating request"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"a:b").decode(),
        "Bearer abc",
        "Digest x",
        "Basic w6k=",
    ],
)
def test_wrong_key_is_refused(http_client: Http, authorization: str) -> None:
    answer = http_client.send("GET", "/config", key=False, headers={"Authorization": authorization})
    assert answer.status == 401
