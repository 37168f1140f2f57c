"""What counts as a change, where the public documentation leaves it open."""

from __future__ import annotations

import pytest
from lakefs.branch import Branch
from lakefs.exceptions import BadRequestException
from lakefs.repository import Repository


@pytest.fixture
def main(repo: Repository) -> Branch:
    main = repo.branch("main")
    main.object("a").upload(b"a", metadata={"k": "v"})
    main.commit("a")
    return main


def test_same_content_again_is_no_change(main: Branch) -> None:
    main.object("a").upload(b"a", metadata={"k": "v"})
    assert list(main.uncommitted()) == []
    with pytest.raises(BadRequestException, match="no changes"):
        main.commit("again")


def test_other_metadata_is_a_change(main: Branch) -> None:
    main.object("a").upload(b"a", metadata={"k": "w"})
    assert [change.type for change in main.uncommitted()] == ["changed"]
    main.commit("metadata")
    assert main.object("a").stat().metadata == {"k": "w"}


def test_written_and_deleted_again_is_no_change(main: Branch) -> None:
    main.object("b").upload(b"b")
    main.object("b").delete()
    with pytest.raises(BadRequestException, match="no changes"):
        main.commit("nothing")


def test_branch_with_the_same_content_written_again_can_be_merged_into(repo: Repository, main: Branch) -> None:
    dev = repo.branch("dev").create("main")
    dev.object("b").upload(b"b")
    dev.commit("b")
    main.object("a").upload(b"a", metadata={"k": "v"})
    dev.merge_into(main)
    assert [info.path for info in main.objects()] == ["a", "b"]


def test_equal_contents_have_an_equal_meta_range(repo: Repository, main: Branch) -> None:
    before = main.get_commit().meta_range_id
    main.object("b").upload(b"b")
    main.commit("b")
    main.object("b").delete()
    main.commit("gone")
    assert main.get_commit().meta_range_id == before
