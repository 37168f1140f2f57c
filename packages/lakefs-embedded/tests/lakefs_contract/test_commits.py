from __future__ import annotations

import pytest
from lakefs.branch import Branch
from lakefs.exceptions import BadRequestException, NotFoundException
from lakefs.repository import Repository


def test_commit_records_message_metadata_and_parent(main: Branch) -> None:
    before = main.head.id
    main.object("a").upload(b"a")
    commit = main.commit("add a", metadata={"run": "7", "who": "ü"}).get_commit()
    assert commit.message == "add a"
    assert commit.metadata == {"run": "7", "who": "ü"}
    assert commit.parents == [before]
    assert commit.committer
    assert commit.creation_date > 1_500_000_000


def test_commit_moves_the_branch(main: Branch) -> None:
    main.object("a").upload(b"a")
    assert main.commit("a").id == main.head.id


def test_commit_leaves_nothing_uncommitted(main: Branch) -> None:
    main.object("a").upload(b"a")
    main.commit("a")
    assert list(main.uncommitted()) == []


def test_commit_without_changes_is_refused(main: Branch) -> None:
    with pytest.raises(BadRequestException, match="no changes"):
        main.commit("nothing")


def test_commit_without_changes_is_accepted_when_asked(main: Branch) -> None:
    before = main.head
    after = main.commit("nothing", allow_empty=True)
    assert after.get_commit().parents == [before.id]
    assert after.get_commit().meta_range_id == before.get_commit().meta_range_id


def test_commit_date_can_be_given(main: Branch) -> None:
    main.object("a").upload(b"a")
    assert main.commit("a", date=1_600_000_000).get_commit().creation_date == 1_600_000_000


def test_commit_to_an_unknown_branch_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        repo.branch("nowhere").commit("a")


def test_committed_version_stays_as_it_was(repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"1")
    first = main.commit("1")
    main.object("a").upload(b"2")
    main.object("b").upload(b"b")
    main.commit("2")
    assert repo.commit(first.id).object("a").reader().read() == b"1"
    assert [info.path for info in repo.commit(first.id).objects()] == ["a"]


def test_deletion_is_committed(repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"a")
    main.commit("a")
    main.object("a").delete()
    gone = main.commit("gone")
    assert list(repo.commit(gone.id).objects()) == []


def test_many_objects_are_committed_at_once(repo: Repository, main: Branch) -> None:
    paths = [f"day={number:03}/part.csv" for number in range(150)]
    for path in paths:
        main.object(path).upload(path)
    head = main.commit("150 days")
    assert [info.path for info in repo.commit(head.id).objects()] == paths


def test_unknown_commit_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        repo.commit("f" * 64).get_commit()
