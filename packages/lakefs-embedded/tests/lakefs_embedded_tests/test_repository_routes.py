from __future__ import annotations

from lakefs.repository import Repository

from lakefs_embedded_tests.plain_http import Http

BRANCH = "/repositories/flights/branches/main"


def test_hard_reset_moves_the_branch(http_client: Http, repo: Repository) -> None:
    main = repo.branch("main")
    main.object("a").upload(b"a")
    first = main.commit("a").id
    main.object("b").upload(b"b")
    main.commit("b")
    assert http_client.send("PUT", f"{BRANCH}/hard_reset?ref=main~1", {}).status == 204
    assert main.head.id == first
    assert [info.path for info in main.objects()] == ["a"]


def test_hard_reset_keeps_uncommitted_data_unless_forced(http_client: Http, repo: Repository) -> None:
    repo.branch("main").object("a").upload(b"a")
    assert http_client.send("PUT", f"{BRANCH}/hard_reset?ref=main", {}).status == 400
    assert http_client.send("PUT", f"{BRANCH}/hard_reset?ref=main&force=true", {}).status == 204
    assert list(repo.branch("main").objects()) == []


def test_repositories_are_searched(http_client: Http, repo: Repository) -> None:
    names = [found["id"] for found in http_client.send("GET", "/repositories?search=ligh").json["results"]]
    assert names == ["flights"]
    assert http_client.send("GET", "/repositories?search=nothing").json["results"] == []


def test_no_branch_is_protected(http_client: Http, repo: Repository) -> None:
    assert http_client.send("GET", "/repositories/flights/settings/branch_protection").json == []


def test_current_user_is_told(http_client: Http) -> None:
    assert http_client.send("GET", "/user").json["user"]["id"]


def test_tag_with_a_slash_can_be_used(http_client: Http, repo: Repository) -> None:
    repo.branch("main").object("a").upload(b"a")
    repo.branch("main").commit("a")
    repo.tag("release/1").create("main")
    assert http_client.send("GET", "/repositories/flights/tags/release%2F1").json["id"] == "release/1"
    assert http_client.send("GET", "/repositories/flights/refs/release%2F1/objects?path=a").content == b"a"
    assert repo.tag("release/1").object("a").reader().read() == b"a"


def test_tag_is_moved_only_by_force(http_client: Http, repo: Repository) -> None:
    repo.tag("v1").create("main")
    later = repo.branch("main").commit("empty", allow_empty=True).id
    tags = "/repositories/flights/tags"
    assert http_client.send("POST", tags, {"id": "v1", "ref": "main"}).status == 409
    assert http_client.send("POST", tags, {"id": "v1", "ref": "main", "force": True}).json["commit_id"] == later
