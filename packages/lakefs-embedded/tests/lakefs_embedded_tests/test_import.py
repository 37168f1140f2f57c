from __future__ import annotations

from pathlib import Path

import pytest
from lakefs.exceptions import BadRequestException
from lakefs.repository import Repository

from lakefs_embedded_tests.plain_http import Http

IMPORT = "/repositories/flights/branches/main/import"


def staged(http_client: Http, content: bytes) -> str:
    """The address of a file written where the server takes files over."""
    backing = "/repositories/flights/branches/main/staging/backing?path=x"
    address = str(http_client.send("GET", backing).json["physical_address"])
    Path(address.removeprefix("local://")).write_bytes(content)
    return address


def test_imported_files_arrive_in_one_commit(http_client: Http, repo: Repository) -> None:
    main = repo.branch("main")
    manager = main.import_data(commit_message="days", metadata={"run": "7"})
    for number in range(5):
        manager.object(staged(http_client, b"%d" % number), destination=f"day={number}")
    status = manager.run()
    assert status.completed
    assert status.commit.id == main.head.id
    assert (main.get_commit().message, main.get_commit().metadata) == ("days", {"run": "7"})
    assert [main.object(f"day={number}").reader().read() for number in range(5)] == [b"%d" % n for n in range(5)]
    assert list(main.uncommitted()) == []


def test_import_is_all_or_nothing(http_client: Http, repo: Repository) -> None:
    good = {"type": "object", "path": staged(http_client, b"x"), "destination": "good"}
    bad = {"type": "object", "path": "local:///etc/passwd", "destination": "bad"}
    answer = http_client.send("POST", IMPORT, {"paths": [good, bad], "commit": {"message": "m"}})
    assert answer.status == 400
    assert list(repo.branch("main").objects()) == []


def test_import_of_a_prefix_is_not_offered(http_client: Http, repo: Repository) -> None:
    paths = [{"type": "common_prefix", "path": "local:///tmp/", "destination": ""}]
    assert http_client.send("POST", IMPORT, {"paths": paths}).status == 501


def test_import_to_a_traversing_path_is_refused(http_client: Http, repo: Repository) -> None:
    paths = [{"type": "object", "path": staged(http_client, b"x"), "destination": "../x"}]
    assert http_client.send("POST", IMPORT, {"paths": paths}).status == 400


def test_import_onto_uncommitted_data_is_refused(http_client: Http, repo: Repository) -> None:
    repo.branch("main").object("a").upload(b"uncommitted")
    manager = repo.branch("main").import_data(commit_message="m").object(staged(http_client, b"x"), "b")
    with pytest.raises(BadRequestException, match="uncommitted"):
        manager.run()
