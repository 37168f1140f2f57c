from __future__ import annotations

import pytest
from lakefs.branch import Branch
from lakefs.exceptions import BadRequestException, NotFoundException
from lakefs.repository import Repository


@pytest.fixture
def history(main: Branch) -> list[str]:
    """Four commits on main, oldest first; the first is the repository's own."""
    ids = [main.head.id]
    for letter in "abc":
        main.object(letter).upload(letter)
        ids.append(main.commit(letter).id)
    return ids


@pytest.fixture
def merged(repo: Repository, main: Branch) -> tuple[str, str, str]:
    """A merge commit with its two parents."""
    dev = repo.branch("dev").create("main")
    dev.object("dev").upload(b"dev")
    theirs = dev.commit("dev").id
    main.object("main").upload(b"main")
    ours = main.commit("main").id
    return dev.merge_into(main), ours, theirs


@pytest.mark.parametrize(
    ("expression", "index"),
    [
        ("main", 3),
        ("main@", 3),
        ("main~0", 3),
        ("main~", 2),
        ("main~1", 2),
        ("main~3", 0),
        ("main~1~1", 1),
        ("main^", 2),
        ("main^1", 2),
        ("main^^", 1),
        ("main~1^", 1),
    ],
)
def test_expression_names_a_commit(repo: Repository, history: list[str], expression: str, index: int) -> None:
    assert repo.ref(expression).get_commit().id == history[index]


def test_tag_can_be_walked_back_from(repo: Repository, history: list[str]) -> None:
    repo.tag("v1").create("main")
    assert repo.ref("v1~2").get_commit().id == history[1]


def test_commit_id_can_be_walked_back_from(repo: Repository, history: list[str]) -> None:
    assert repo.ref(f"{history[3]}~1").get_commit().id == history[2]


def test_commit_id_can_be_abbreviated(repo: Repository, history: list[str]) -> None:
    assert repo.ref(history[2][:12]).get_commit().id == history[2]


def test_second_parent_is_the_merged_side(repo: Repository, merged: tuple[str, str, str]) -> None:
    merge, ours, theirs = merged
    assert repo.ref(f"{merge}^1").get_commit().id == ours
    assert repo.ref(f"{merge}^2").get_commit().id == theirs


def test_parent_that_does_not_exist_is_not_found(repo: Repository, history: list[str]) -> None:
    with pytest.raises((NotFoundException, BadRequestException)):
        repo.ref("main~9").get_commit()


def test_unknown_ref_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        repo.ref("nowhere").get_commit()


def test_branch_shows_uncommitted_data(repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"a")
    assert [info.path for info in repo.ref("main").objects()] == ["a"]
    assert [info.path for info in repo.ref("main$").objects()] == ["a"]


def test_at_sign_leaves_uncommitted_data_out(repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"a")
    assert list(repo.ref("main@").objects()) == []


def test_object_is_read_at_any_ref(repo: Repository, history: list[str]) -> None:
    repo.tag("v1").create("main~1")
    for ref in ("main", "main~1", "v1", history[2], history[2][:16]):
        assert repo.ref(ref).object("b").reader().read() == b"b"
    assert not repo.ref("main~2").object("b").exists()
