from __future__ import annotations

import pytest
from lakefs.branch import Branch
from lakefs.exceptions import TransactionException
from lakefs.repository import Repository


def fail_after(done: object) -> None:
    raise RuntimeError(f"after {done}")


def test_transaction_arrives_as_a_whole(main: Branch) -> None:
    with main.transact(commit_message="both") as transaction:
        transaction.object("a").upload(b"a")
        transaction.object("b").upload(b"b")
        assert list(main.objects()) == []
    assert [info.path for info in main.objects()] == ["a", "b"]
    assert "both" in [commit.message for commit in main.log()]


def test_transaction_leaves_no_branch(repo: Repository, main: Branch) -> None:
    with main.transact(commit_message="a") as transaction:
        transaction.object("a").upload(b"a")
    assert [branch.id for branch in repo.branches(show_hidden=True)] == ["main"]


def test_failed_transaction_changes_nothing(repo: Repository, main: Branch) -> None:
    with pytest.raises(RuntimeError), main.transact() as transaction:
        fail_after(transaction.object("a").upload(b"a"))
    assert list(main.objects()) == []
    assert [branch.id for branch in repo.branches(show_hidden=True)] == ["main"]


def test_conflicting_transaction_is_told(main: Branch) -> None:
    def race() -> None:
        with main.transact(commit_message="mine") as transaction:
            transaction.object("a").upload(b"mine")
            main.object("a").upload(b"theirs")
            main.commit("theirs")

    with pytest.raises(TransactionException):
        race()
    assert main.object("a").reader().read() == b"theirs"


def test_transaction_can_tag_its_result(repo: Repository, main: Branch) -> None:
    with main.transact(commit_message="a", tag="v1") as transaction:
        transaction.object("a").upload(b"a")
    assert repo.tag("v1").get_commit().id == main.head.id
