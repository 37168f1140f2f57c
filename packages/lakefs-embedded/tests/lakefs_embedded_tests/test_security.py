"""What hostile or broken requests get: a clean refusal, and nothing outside the store is touched."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import quote

import pytest
from lakefs.repository import Repository

from lakefs_embedded_tests.plain_http import Http

OBJECTS = "/repositories/flights/branches/main/objects"
TRAVERSALS = ["../../../etc/passwd", "..", "a/../../b", "a/..", "..\\..\\windows", "a\x00b", "./../x"]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_traversal_in_an_object_path_is_refused(http_client: Http, repo: Repository, path: str) -> None:
    query = f"?path={quote(path, safe='')}"
    assert http_client.send("POST", OBJECTS + query, b"x").status == 400
    assert http_client.send("GET", f"/repositories/flights/refs/main/objects{query}").status == 400
    assert http_client.send("DELETE", OBJECTS + query).status == 400
    assert http_client.send("GET", f"/repositories/flights/branches/main/staging/backing{query}").status == 400


@pytest.mark.parametrize("path", TRAVERSALS)
def test_traversal_among_many_deleted_paths_is_named(http_client: Http, repo: Repository, path: str) -> None:
    answer = http_client.send("POST", f"{OBJECTS}/delete", {"paths": ["fine", path]})
    assert [(error["status_code"], error["path"]) for error in answer.json["errors"]] == [(400, path)]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_traversal_in_a_copy_is_refused(http_client: Http, repo: Repository, path: str) -> None:
    repo.branch("main").object("a").upload(b"a")
    encoded = quote(path, safe="")
    assert http_client.send("POST", f"{OBJECTS}/copy?dest_path={encoded}", {"src_path": "a"}).status == 400
    assert http_client.send("POST", f"{OBJECTS}/copy?dest_path=b", {"src_path": path}).status == 400


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "/etc", "%2e%2e", "a" * 300, "a\x00b", "A"])
def test_hostile_repository_name_is_refused(http_client: Http, root: Path, name: str) -> None:
    before = sorted(root.parent.rglob("*"))
    body = {"name": name, "storage_namespace": "local://x"}
    assert http_client.send("POST", "/repositories", body).status == 400
    assert http_client.send("GET", f"/repositories/{quote(name, safe='')}").status in (400, 404)
    assert sorted(path for path in root.parent.rglob("*") if "lake.db" not in path.name) == [
        path for path in before if "lake.db" not in path.name
    ]


@pytest.mark.parametrize("namespace", ["", "/tmp/x", "file:///etc", "local:x", "ftp://x", "local://a\x00"])
def test_hostile_storage_namespace_is_refused(http_client: Http, namespace: str) -> None:
    body = {"name": "flights", "storage_namespace": namespace}
    assert http_client.send("POST", "/repositories", body).status == 400


def test_storage_namespace_is_never_a_place_to_write(http_client: Http, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    body = {"name": "flights", "storage_namespace": f"local://{elsewhere}"}
    assert http_client.send("POST", "/repositories", body).status == 201
    assert http_client.send("POST", f"{OBJECTS}?path=a", b"x").status == 201
    assert not elsewhere.exists()


@pytest.mark.parametrize("size", [70_000, 400_000])
def test_oversized_headers_are_refused(http_client: Http, size: int) -> None:
    try:
        status = http_client.send("GET", "/config", headers={"X-Large": "x" * size}).status
    except ConnectionError:
        return
    assert 400 <= status < 500


def test_garbage_instead_of_http_is_refused(http_client: Http) -> None:
    host, port = http_client.address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert http_client.send("GET", "/config").status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"\xff\xfe",
        b'{"name": 1}',
        b'{"name": null}',
        b'{"name": "x", "source": []}',
        b'{"name": "x", "source": {"a": 1}}',
        b'{"name": "\\ud800", "source": "main"}',
        b'{"name": "x", "source": "main", "force": "yes"}',
        b"[" * 100_000,
        b'{"name": ' * 50_000,
    ],
)
def test_malformed_json_is_refused(http_client: Http, repo: Repository, body: bytes) -> None:
    answer = http_client.send("POST", "/repositories/flights/branches", body)
    assert answer.status == 400
    assert answer.message


@pytest.mark.parametrize("date", [-1, 253_402_300_800, 2**63, 1.5, "now"])
def test_date_beyond_all_reason_is_refused(http_client: Http, repo: Repository, date: object) -> None:
    body = {"message": "x", "allow_empty": True, "date": date}
    assert http_client.send("POST", "/repositories/flights/branches/main/commits", body).status == 400


def test_json_beyond_the_limit_is_refused(http_client: Http, repo: Repository) -> None:
    body = {"paths": ["x" * 1000] * 9000}
    assert http_client.send("POST", f"{OBJECTS}/delete", body).status == 413


def test_more_paths_than_allowed_are_refused(http_client: Http, repo: Repository) -> None:
    answer = http_client.send("POST", f"{OBJECTS}/delete", {"paths": [f"p{n}" for n in range(1001)]})
    assert answer.status == 400


BOUNDARY = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "multipart/form-data"}, b"x"),
        (BOUNDARY, b""),
        (BOUNDARY, b"garbage"),
        (BOUNDARY, b"--b\r\n\r\n--b--\r\n"),
        (
            BOUNDARY,
            b'--b\r\nContent-Disposition: form-data; name="other"; filename="f"\r\n\r\nx\r\n--b--\r\n',
        ),
        (BOUNDARY, b'--b\r\nContent-Disposition: form-data; name="content"; filename="f"\r\n\r\nunended'),
        (BOUNDARY, b"--b\r\n" + b"X: y\r\n" * 5000 + b"\r\nx\r\n--b--\r\n"),
    ],
)
def test_malformed_multipart_is_refused(
    http_client: Http, repo: Repository, headers: dict[str, str], body: bytes
) -> None:
    assert http_client.send("POST", f"{OBJECTS}?path=a", body, headers=headers).status == 400
    assert list(repo.branch("main").objects()) == []


def test_upload_that_breaks_off_stores_nothing(http_client: Http, repo: Repository, root: Path) -> None:
    host, port = http_client.address.split(":")
    head = (
        f"POST /api/v1{OBJECTS}?path=a HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
        f"Authorization: {http_client.authorization}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode() + b"x" * 3_000_000)
    http_client.send("GET", "/config")
    assert list(repo.branch("main").objects()) == []


@pytest.mark.parametrize("amount", ["-2", "1001", "x", "9" * 30, "1.5", ""])
def test_amount_outside_its_limits_is_refused(http_client: Http, repo: Repository, amount: str) -> None:
    assert http_client.send("GET", f"/repositories?amount={amount}").status == 400


def test_path_that_is_not_utf8_is_refused(http_client: Http, repo: Repository) -> None:
    assert http_client.send("GET", "/repositories/%ff/branches").status == 400


def test_header_cannot_be_smuggled_through_a_content_type(http_client: Http, repo: Repository) -> None:
    repo.branch("main").object("a").upload(b"a")
    address = http_client.send("GET", "/repositories/flights/branches/main/staging/backing?path=b").json
    place = Path(address["physical_address"].removeprefix("local://"))
    place.write_bytes(b"a")
    link = {
        "staging": address,
        "checksum": "0cc175b9c0f1b6a831c399e269772661",
        "size_bytes": 1,
        "content_type": "text/plain\r\nX-Evil: yes",
    }
    backing = "/repositories/flights/branches/main/staging/backing?path=b"
    assert http_client.send("PUT", backing, link).status == 200
    answer = http_client.send("GET", "/repositories/flights/refs/main/objects?path=b")
    assert answer.status == 200
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/repositories/flights/branches/main/staging/pmpu"),
        ("GET", "/repositories/flights/actions/runs"),
        ("POST", "/repositories/flights/pulls"),
        ("GET", "/auth/users"),
        ("POST", "/auth/login"),
        ("GET", "/setup_lakefs"),
        ("PUT", "/repositories/flights/settings/gc_rules"),
        ("PUT", "/repositories/flights/branches/main/objects"),
        ("POST", "/repositories/flights/dump"),
        ("GET", "/repositories/flights/metadata/meta_range/abc"),
        ("GET", "/repositories/flights/refs/main/objects?path=a&presign=true"),
    ],
)
def test_what_is_not_offered_says_so(http_client: Http, repo: Repository, method: str, path: str) -> None:
    answer = http_client.send(method, path, None if method == "GET" else b"{}")
    assert answer.status == 501
    assert "not offered by the embedded server" in answer.message


def test_unknown_route_and_method_are_told(http_client: Http, repo: Repository) -> None:
    assert http_client.send("GET", "/no/such/route").status == 404
    assert http_client.send("PATCH", "/repositories/flights").status == 405
    assert http_client.send("GET", "/no/such/route").json == {"message": "invalid API endpoint"}
