from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lakefs.branch import Branch
from lakefs.exceptions import NotFoundException
from lakefs.repository import Repository


def put(branch: Branch, path: str, *, date: int | None = None) -> str:
    branch.object(path).upload(path)
    return branch.commit(path, date=date).id


def messages(branch: Branch, **options: object) -> list[str]:
    return [commit.message for commit in branch.log(**options)]


def test_newest_commit_comes_first(main: Branch) -> None:
    for path in "abc":
        put(main, path)
    assert messages(main) == ["c", "b", "a", "Repository created"]


def test_log_is_paged(main: Branch) -> None:
    for path in "abcde":
        put(main, path)
    assert messages(main, amount=2) == ["e", "d", "c", "b", "a", "Repository created"]


def test_no_more_commits_than_asked_for(main: Branch) -> None:
    for path in "abc":
        put(main, path)
    assert messages(main, max_amount=2) == ["c", "b"]


def test_log_after_a_commit(main: Branch) -> None:
    put(main, "a")
    b = put(main, "b")
    put(main, "c")
    assert messages(main, after=b) == ["a", "Repository created"]


def test_log_of_an_older_ref(repo: Repository, main: Branch) -> None:
    for path in "abc":
        put(main, path)
    assert [commit.message for commit in repo.ref("main~2").log()] == ["a", "Repository created"]


def test_log_of_an_object(main: Branch) -> None:
    for path in ("a", "b", "a2"):
        put(main, path)
    main.object("a").upload(b"again")
    main.commit("a again")
    assert messages(main, objects=["a"]) == ["a again", "a"]


def test_log_of_a_deleted_object(main: Branch) -> None:
    put(main, "a")
    put(main, "b")
    main.object("a").delete()
    main.commit("gone")
    assert messages(main, objects=["a"]) == ["gone", "a"]


def test_log_of_prefixes(main: Branch) -> None:
    for path in ("x/1", "y/1", "x/2", "z/1"):
        put(main, path)
    assert messages(main, prefixes=["x/", "z/"]) == ["z/1", "x/2", "x/1"]


def test_log_of_objects_and_prefixes(main: Branch) -> None:
    for path in ("x/1", "y/1", "z"):
        put(main, path)
    assert messages(main, objects=["z"], prefixes=["x/"]) == ["z", "x/1"]


def test_log_of_a_path_nobody_wrote_is_empty(main: Branch) -> None:
    put(main, "a")
    assert messages(main, objects=["b"]) == []


def test_log_by_first_parent_leaves_the_merged_side_out(repo: Repository, main: Branch) -> None:
    dev = repo.branch("dev").create("main")
    put(dev, "dev")
    put(main, "main")
    dev.merge_into(main, message="merge")
    assert messages(main, first_parent=True) == ["merge", "main", "Repository created"]
    assert sorted(messages(main)) == sorted(["merge", "main", "dev", "Repository created"])


def test_log_since_a_time(main: Branch) -> None:
    for day, path in enumerate("abc"):
        put(main, path, date=1_900_000_000 + day * 86_400)
    since = datetime.fromtimestamp(1_900_000_000 + 43_200, tz=UTC)
    assert messages(main, since=since) == ["c", "b"]


def test_log_stops_at_a_commit(main: Branch) -> None:
    put(main, "a")
    b = put(main, "b")
    put(main, "c")
    assert messages(main, stop_at=b) == ["c", "b"]


def test_limit_ends_after_one_page(main: Branch) -> None:
    for path in "abc":
        put(main, path)
    assert messages(main, amount=2, limit=True) == ["c", "b"]


def test_log_of_an_unknown_ref_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        list(repo.ref("nowhere").log())


def test_every_commit_comes_before_its_parents(repo: Repository, main: Branch) -> None:
    for number in range(4):
        dev = repo.branch(f"dev{number}").create("main")
        put(dev, f"dev{number}")
        put(main, f"main{number}")
        dev.merge_into(main)
    commits = list(main.log())
    position = {commit.id: at for at, commit in enumerate(commits)}
    assert len(position) == len(commits) == 13
    assert all(position[commit.id] < position[parent] for commit in commits for parent in commit.parents)
