from __future__ import annotations

import pytest
from lakefs.branch import Branch
from lakefs.exceptions import BadRequestException, ConflictException, ForbiddenException, NotFoundException
from lakefs.repository import Repository


def test_branch_starts_at_its_source(repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"a")
    head = main.commit("a")
    assert repo.branch("dev").create("main").head.id == head.id


def test_branch_can_start_at_an_older_commit(repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"a")
    first = main.commit("a")
    main.object("b").upload(b"b")
    main.commit("b")
    old = repo.branch("old").create(first)
    assert [info.path for info in old.objects()] == ["a"]


def test_branch_can_start_at_a_tag(repo: Repository, main: Branch) -> None:
    repo.tag("v1").create("main")
    assert repo.branch("dev").create("v1").head.id == main.head.id


def test_branch_is_isolated_from_its_source(repo: Repository, main: Branch) -> None:
    dev = repo.branch("dev").create("main")
    dev.object("a").upload(b"a")
    assert dev.object("a").exists()
    assert not main.object("a").exists()


def test_branch_does_not_take_uncommitted_data_along(repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"a")
    assert not repo.branch("dev").create("main").object("a").exists()


def test_branch_name_is_unique(repo: Repository) -> None:
    with pytest.raises(ConflictException):
        repo.branch("main").create("main")


def test_existing_branch_is_accepted_when_asked(repo: Repository, main: Branch) -> None:
    assert repo.branch("main").create("main", exist_ok=True).head.id == main.head.id


def test_unknown_source_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        repo.branch("dev").create("nowhere")


@pytest.mark.parametrize("branch_name", ["a b", "a/b", "-a", "a.b", "a~1", "a^", "a@", "ä", "a:b"])
def test_unlawful_branch_name_is_refused(repo: Repository, branch_name: str) -> None:
    with pytest.raises(BadRequestException):
        repo.branch(branch_name).create("main")


@pytest.mark.parametrize("branch_name", ["a", "_a", "dev-alice", "A_1-b", "0", "x" * 100])
def test_lawful_branch_name_is_accepted(repo: Repository, branch_name: str) -> None:
    repo.branch(branch_name).create("main")
    assert branch_name in [branch.id for branch in repo.branches()]


def test_branches_are_listed_in_order(repo: Repository) -> None:
    for name in ("c", "a", "b"):
        repo.branch(name).create("main")
    assert [branch.id for branch in repo.branches()] == ["a", "b", "c", "main"]


def test_branches_are_listed_by_prefix(repo: Repository) -> None:
    for name in ("dev-1", "dev-2", "prod"):
        repo.branch(name).create("main")
    assert [branch.id for branch in repo.branches(prefix="dev-")] == ["dev-1", "dev-2"]


def test_branches_are_listed_after_a_name(repo: Repository) -> None:
    for name in ("a", "b"):
        repo.branch(name).create("main")
    assert [branch.id for branch in repo.branches(after="a")] == ["b", "main"]


def test_branches_are_paged(repo: Repository) -> None:
    names = [f"b{number}" for number in range(5)]
    for name in names:
        repo.branch(name).create("main")
    assert [branch.id for branch in repo.branches(amount=2)] == [*names, "main"]


def test_no_more_branches_than_asked_for(repo: Repository) -> None:
    repo.branch("a").create("main")
    assert [branch.id for branch in repo.branches(max_amount=1)] == ["a"]


def test_hidden_branch_is_listed_only_when_asked(repo: Repository) -> None:
    repo.branch("secret").create("main", hidden=True)
    assert [branch.id for branch in repo.branches()] == ["main"]
    assert [branch.id for branch in repo.branches(show_hidden=True)] == ["main", "secret"]


def test_deleted_branch_is_gone(repo: Repository) -> None:
    dev = repo.branch("dev").create("main")
    dev.delete()
    with pytest.raises(NotFoundException):
        _ = dev.head


def test_branch_made_again_does_not_remember_uncommitted_data(repo: Repository) -> None:
    dev = repo.branch("dev").create("main")
    dev.object("a").upload(b"a")
    dev.delete()
    dev.create("main")
    assert list(dev.objects()) == []


def test_deleting_an_unknown_branch_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        repo.branch("nowhere").delete()


def test_default_branch_cannot_be_deleted(main: Branch) -> None:
    with pytest.raises(ForbiddenException):
        main.delete()


def test_head_of_an_unknown_branch_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        _ = repo.branch("nowhere").head


def test_reset_drops_everything_uncommitted(main: Branch) -> None:
    main.object("kept").upload(b"1")
    main.commit("kept")
    main.object("kept").upload(b"2")
    main.object("new").upload(b"new")
    main.reset_changes()
    assert [info.path for info in main.objects()] == ["kept"]
    assert main.object("kept").reader().read() == b"1"


def test_reset_of_one_object_keeps_the_others(main: Branch) -> None:
    main.object("a").upload(b"a")
    main.object("b").upload(b"b")
    main.reset_changes("object", "a")
    assert [info.path for info in main.objects()] == ["b"]


def test_reset_of_a_prefix_keeps_the_others(main: Branch) -> None:
    for path in ("a/1", "a/2", "b/1"):
        main.object(path).upload(b"x")
    main.reset_changes("common_prefix", "a/")
    assert [info.path for info in main.objects()] == ["b/1"]


def test_reset_brings_a_deleted_object_back(main: Branch) -> None:
    main.object("a").upload(b"a")
    main.commit("a")
    main.object("a").delete()
    main.reset_changes()
    assert main.object("a").exists()
