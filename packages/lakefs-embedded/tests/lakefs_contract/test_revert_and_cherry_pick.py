from __future__ import annotations

import pytest
from lakefs.branch import Branch
from lakefs.exceptions import BadRequestException, ConflictException, NotFoundException
from lakefs.repository import Repository


def write(branch: Branch, path: str, content: str, *, message: str = "write") -> str:
    branch.object(path).upload(content)
    return branch.commit(message).id


def contents(branch: Branch) -> dict[str, str]:
    return {info.path: branch.object(info.path).reader("r").read() for info in branch.objects()}


@pytest.fixture
def merged(repo: Repository, main: Branch) -> str:
    """A merge of dev (which wrote `dev`) into main (which wrote `main`)."""
    dev = repo.branch("dev").create("main")
    write(dev, "dev", "d")
    write(main, "main", "m")
    return dev.merge_into(main)


def test_revert_undoes_the_head(main: Branch) -> None:
    write(main, "a", "1")
    write(main, "a", "2")
    main.revert("main")
    assert contents(main) == {"a": "1"}


def test_revert_undoes_an_older_commit_only(main: Branch) -> None:
    older = write(main, "a", "1")
    write(main, "b", "2")
    main.revert(older)
    assert contents(main) == {"b": "2"}


def test_revert_adds_a_commit(main: Branch) -> None:
    head = write(main, "a", "1")
    reverted = main.revert(head)
    assert reverted.parents == [head]
    assert reverted.id == main.head.id
    assert head in reverted.message


def test_revert_of_a_later_changed_path_is_a_conflict(main: Branch) -> None:
    older = write(main, "a", "1")
    head = write(main, "a", "2")
    with pytest.raises(ConflictException):
        main.revert(older)
    assert main.head.id == head


def test_revert_of_what_is_undone_already_is_refused(main: Branch) -> None:
    head = write(main, "a", "1")
    main.revert(head)
    with pytest.raises(BadRequestException, match="no changes"):
        main.revert(head)


def test_revert_of_a_revert_brings_it_back(main: Branch) -> None:
    head = write(main, "a", "1")
    main.revert(main.revert(head).id)
    assert contents(main) == {"a": "1"}


def test_revert_of_a_merge_needs_a_parent(main: Branch, merged: str) -> None:
    with pytest.raises(BadRequestException):
        main.revert(merged)


@pytest.mark.parametrize(("parent", "left"), [(1, {"main": "m"}), (2, {"dev": "d"})])
def test_revert_of_a_merge_against_a_parent(main: Branch, merged: str, parent: int, left: dict[str, str]) -> None:
    main.revert(merged, parent_number=parent)
    assert contents(main) == left


def test_revert_against_a_parent_that_does_not_exist_is_refused(main: Branch) -> None:
    head = write(main, "a", "1")
    with pytest.raises((BadRequestException, NotFoundException)):
        main.revert(head, parent_number=3)


def test_revert_on_a_branch_with_uncommitted_data_is_refused(main: Branch) -> None:
    head = write(main, "a", "1")
    main.object("uncommitted").upload(b"u")
    with pytest.raises(BadRequestException):
        main.revert(head)


def test_revert_of_an_unknown_ref_is_not_found(main: Branch) -> None:
    with pytest.raises(NotFoundException):
        main.revert("nowhere")


def test_cherry_pick_repeats_one_commit(repo: Repository, main: Branch) -> None:
    dev = repo.branch("dev").create("main")
    write(dev, "a", "1")
    picked = write(dev, "b", "2", message="the good one")
    write(dev, "c", "3")
    commit = main.cherry_pick(picked)
    assert contents(main) == {"b": "2"}
    assert commit.id == main.head.id
    assert commit.message == "the good one"
    assert len(commit.parents) == 1


def test_cherry_pick_repeats_a_deletion(repo: Repository, main: Branch) -> None:
    write(main, "a", "1")
    dev = repo.branch("dev").create("main")
    dev.object("a").delete()
    main.cherry_pick(dev.commit("gone"))
    assert contents(main) == {}


def test_cherry_pick_conflicts_with_what_changed_differently(repo: Repository, main: Branch) -> None:
    dev = repo.branch("dev").create("main")
    picked = write(dev, "a", "theirs")
    write(main, "a", "ours")
    with pytest.raises(ConflictException):
        main.cherry_pick(picked)
    assert contents(main) == {"a": "ours"}


def test_cherry_pick_of_what_is_there_already_is_refused(main: Branch) -> None:
    head = write(main, "a", "1")
    with pytest.raises(BadRequestException):
        main.cherry_pick(head)


@pytest.mark.parametrize(("parent", "got"), [(1, {"dev": "d"}), (2, {"main": "m"})])
def test_cherry_pick_of_a_merge_against_a_parent(
    repo: Repository, main: Branch, merged: str, parent: int, got: dict[str, str]
) -> None:
    other = repo.branch("other").create("main~2")
    other.cherry_pick(merged, parent_number=parent)
    assert contents(other) == got


def test_cherry_pick_on_a_branch_with_uncommitted_data_is_refused(repo: Repository, main: Branch) -> None:
    picked = write(repo.branch("dev").create("main"), "a", "1")
    main.object("uncommitted").upload(b"u")
    with pytest.raises(BadRequestException):
        main.cherry_pick(picked)


def test_cherry_pick_of_an_unknown_ref_is_not_found(main: Branch) -> None:
    with pytest.raises(NotFoundException):
        main.cherry_pick("nowhere")
