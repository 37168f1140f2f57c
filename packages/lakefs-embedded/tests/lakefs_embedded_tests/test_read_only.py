from __future__ import annotations

import pytest

from lakefs_embedded_tests.plain_http import Http

REPO = "/repositories/archive"
BRANCH = f"{REPO}/branches/main"


@pytest.fixture(autouse=True)
def archive(http_client: Http) -> None:
    body = {"name": "archive", "storage_namespace": "local://archive", "read_only": True}
    assert http_client.send("POST", "/repositories", body).json["read_only"] is True


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{REPO}/branches", {"name": "dev", "source": "main"}),
        ("POST", f"{REPO}/tags", {"id": "v1", "ref": "main"}),
        ("POST", f"{BRANCH}/commits", {"message": "x", "allow_empty": True}),
        ("PUT", BRANCH, {"type": "reset"}),
        ("POST", f"{BRANCH}/objects/delete", {"paths": ["a"]}),
        ("DELETE", f"{BRANCH}/objects?path=a", None),
        ("POST", f"{BRANCH}/objects?path=a", b"x"),
        ("DELETE", REPO, None),
    ],
)
def test_read_only_repository_is_written_only_by_force(http_client: Http, method: str, path: str, body: object) -> None:
    assert http_client.send(method, path, body).status == 403
    forced = {**body, "force": True} if isinstance(body, dict) else body
    separator = "&" if "?" in path else "?"
    assert http_client.send(method, f"{path}{separator}force=true", forced).status < 300


def test_read_only_repository_is_read(http_client: Http) -> None:
    assert http_client.send("GET", f"{REPO}/refs/main/commits").status == 200
