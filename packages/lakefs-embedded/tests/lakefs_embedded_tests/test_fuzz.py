"""Random requests to every route: each gets an answer that the API documents, none brings the server down."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lakefs.repository import Repository

from lakefs_embedded.app import NOT_OFFERED, OPERATIONS
from lakefs_embedded_tests.plain_http import Answer, Http

ROUTES = [
    *OPERATIONS,
    *(("PATCH", path) for path in NOT_OFFERED),
    ("POST", "/repositories/{repository}/branches/{branch}/objects"),
    ("GET", "/repositories/{repository}/refs/{ref}/objects"),
    ("HEAD", "/repositories/{repository}/refs/{ref}/objects"),
]
PARAMETERS = [
    *("path", "dest_path", "prefix", "after", "amount", "delimiter", "type", "since", "stop_at", "objects"),
    *(
        "prefixes",
        "limit",
        "first_parent",
        "force",
        "presign",
        "ref",
        "user_metadata",
        "show_hidden",
        "search",
    ),
]
FIELDS = [
    *("name", "source", "storage_namespace", "default_branch", "message", "metadata", "date", "allow_empty"),
    *(
        "force",
        "strategy",
        "squash_merge",
        "ref",
        "parent_number",
        "commit_overrides",
        "type",
        "path",
        "paths",
    ),
    *("src_path", "src_ref", "set", "staging", "physical_address", "checksum", "size_bytes", "content_type"),
    *("user_metadata", "id", "read_only", "hidden", "sample_data", "commit", "destination"),
]
KNOWN = ["flights", "main", "dev", "v1", "a", "a/b", "main~1", "main@", "main$", "main^2", "reset", "object"]
HOSTILE = [
    *(
        "..",
        "../../etc/passwd",
        "",
        " ",
        "%",
        "%2e%2e",
        "\x00",
        "\n",
        "'; DROP TABLE commits; --",
        "🦆",
        "~",
        "^",
    ),
    *(
        "@",
        "$",
        "main~999999",
        "main^^^^",
        "a" * 5000,
        "-1",
        "1e9",
        "NaN",
        "true",
        "[]",
        "{}",
        "local://",
        "*",
    ),
]
HEADERS = [
    *("bytes=0-", "bytes=-1", "bytes=9-1", "bytes=", "*", '"abc"', "text/plain", "é", "x" * 300),
    *("multipart/form-data", "multipart/form-data; boundary=b"),
]

texts = st.one_of(st.sampled_from(KNOWN), st.sampled_from(KNOWN), st.sampled_from(HOSTILE), st.text(max_size=20))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)
bodies = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), texts | values, max_size=8),
    st.fixed_dictionaries({"name": texts, "source": texts, "message": texts, "ref": texts, "id": texts}),
    st.fixed_dictionaries({"type": texts, "parent_number": st.integers(-2, 3), "ref": texts}),
    st.binary(max_size=40),
)
headers = st.dictionaries(
    st.sampled_from(["Range", "If-None-Match", "If-Match", "Content-Type", "X-Lakefs-Meta-K"]),
    st.sampled_from(HEADERS),
    max_size=2,
)
LAWFUL = {200, 201, 202, 204, 206, 304, 400, 403, 404, 405, 409, 410, 412, 413, 416, 501}


def prepare(http_client: Http) -> None:
    """Makes again what an earlier request may have deleted, so that requests find something to work on."""
    if http_client.send("GET", "/repositories/flights/refs/dev/objects/stat?path=a").status == 200:
        return
    http_client.send("POST", "/repositories", {"name": "flights", "storage_namespace": "local://flights"})
    http_client.send("POST", "/repositories/flights/branches", {"name": "dev", "source": "main"})
    http_client.send("POST", "/repositories/flights/tags", {"id": "v1", "ref": "main"})
    for branch in ("main", "dev"):
        http_client.send("POST", f"/repositories/flights/branches/{branch}/objects?path=a", branch.encode())


def segment(name: str) -> st.SearchStrategy[str]:
    """What a part of a route may be: mostly something that exists."""
    fitting = {"repository": ["flights"], "branch": ["main", "dev"], "destination": ["main", "dev"]}
    lawful = st.sampled_from(fitting.get(name, ["main", "dev", "v1", "main~1", "main@", "dev$"]))
    return st.integers(0, 9).flatmap(lambda die: texts if die == 0 else lawful)


def requested(http_client: Http, route: tuple[str, str], data: st.DataObject) -> Answer:
    method, template = route
    path = re.sub(r"\{([^}]+)\}", lambda part: quote(data.draw(segment(part[1])), safe=""), template)
    query = data.draw(st.dictionaries(st.sampled_from(PARAMETERS), texts, max_size=4))
    if "/objects" in template or "/staging" in template:
        query = {"path": data.draw(st.sampled_from(["a", "a/b"]) | texts), **query}
    body = data.draw(bodies) if method in ("POST", "PUT", "PATCH") else None
    sent = {name: value.encode() for name, value in data.draw(headers).items()}
    return http_client.send(method, f"{path}?{urlencode(query)}", body, headers=sent)  # type: ignore[arg-type]


@settings(
    max_examples=600,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(route=st.sampled_from(ROUTES), data=st.data())
def test_every_request_gets_a_lawful_answer(
    http_client: Http, repo: Repository, route: tuple[str, str], data: st.DataObject
) -> None:
    prepare(http_client)
    answer = requested(http_client, route, data)
    assert answer.status in LAWFUL, (route, answer)
    if answer.status >= 400 and route[0] != "HEAD":
        assert isinstance(answer.message, str)


def test_server_is_well_after_many_refusals(http_client: Http, repo: Repository) -> None:
    for path in ("/repositories/../../x", "/%00", "/repositories/flights/refs/%F0%9F%A6%86/commits"):
        assert http_client.send("GET", path).status in (400, 404)
    repo.branch("main").object("a").upload(b"a")
    assert repo.branch("main").commit("a").id
