from __future__ import annotations

import pytest
from lakefs.branch import Branch
from lakefs.exceptions import NotFoundException
from lakefs.repository import Repository


def kinds(changes: object) -> list[tuple[str, str]]:
    return [(change.type, change.path) for change in changes]  # type: ignore[attr-defined]


@pytest.fixture
def dev(repo: Repository, main: Branch) -> Branch:
    """A branch that changed `changed`, removed `removed` and added `added` since it left main."""
    for path in ("changed", "kept", "removed"):
        main.object(path).upload(b"main")
    main.commit("main")
    dev = repo.branch("dev").create("main")
    dev.object("changed").upload(b"dev!")
    dev.object("added").upload(b"added")
    dev.object("removed").delete()
    dev.commit("dev")
    return dev


def test_diff_tells_what_was_added_changed_and_removed(main: Branch, dev: Branch) -> None:
    assert kinds(main.diff(dev)) == [("added", "added"), ("changed", "changed"), ("removed", "removed")]


def test_diff_tells_sizes(main: Branch, dev: Branch) -> None:
    assert [change.size_bytes for change in main.diff(dev)] == [5, 4, 4]


def test_diff_with_itself_is_empty(main: Branch, dev: Branch) -> None:
    assert kinds(main.diff(main)) == kinds(dev.diff(dev)) == []


def test_three_dots_leave_out_what_the_left_did_since(main: Branch, dev: Branch) -> None:
    main.object("later").upload(b"later")
    main.commit("later")
    assert kinds(main.diff(dev)) == [("added", "added"), ("changed", "changed"), ("removed", "removed")]
    assert kinds(main.diff(dev, type="three_dot")) == kinds(main.diff(dev))


def test_two_dots_compare_the_refs_as_they_are(main: Branch, dev: Branch) -> None:
    main.object("later").upload(b"later")
    main.commit("later")
    assert kinds(main.diff(dev, type="two_dot")) == [
        ("added", "added"),
        ("changed", "changed"),
        ("removed", "later"),
        ("removed", "removed"),
    ]


def test_diff_ignores_uncommitted_data(main: Branch, dev: Branch) -> None:
    dev.object("uncommitted").upload(b"x")
    assert "uncommitted" not in [change.path for change in main.diff(dev)]


def test_diff_by_prefix(main: Branch, dev: Branch) -> None:
    assert kinds(main.diff(dev, prefix="re")) == [("removed", "removed")]


def test_diff_after_a_path(main: Branch, dev: Branch) -> None:
    assert kinds(main.diff(dev, after="changed")) == [("removed", "removed")]


def test_diff_is_paged(main: Branch, dev: Branch) -> None:
    assert kinds(main.diff(dev, amount=1)) == kinds(main.diff(dev))


def test_diff_groups_by_delimiter(repo: Repository, main: Branch) -> None:
    dev = repo.branch("dev").create("main")
    for path in ("x/1", "x/2", "y"):
        dev.object(path).upload(b"x")
    dev.commit("dev")
    found = [(change.path_type, change.path) for change in main.diff(dev, delimiter="/")]
    assert found == [("common_prefix", "x/"), ("object", "y")]


def test_uploading_the_same_content_again_is_no_difference(repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"a")
    main.commit("a")
    dev = repo.branch("dev").create("main")
    dev.object("a").upload(b"a")
    dev.commit("again", allow_empty=True)
    assert kinds(main.diff(dev)) == []


def test_diff_between_commits_of_one_branch(repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"a")
    first = main.commit("a")
    main.object("b").upload(b"b")
    second = main.commit("b")
    assert kinds(repo.commit(first.id).diff(second.id)) == [("added", "b")]


def test_diff_of_few_among_many(repo: Repository, main: Branch) -> None:
    for number in range(300):
        main.object(f"f{number:03}").upload(b"x")
    main.commit("many")
    dev = repo.branch("dev").create("main")
    for number in (0, 150, 299):
        dev.object(f"f{number:03}").upload(b"changed")
    dev.commit("few")
    assert kinds(main.diff(dev)) == [("changed", "f000"), ("changed", "f150"), ("changed", "f299")]


def test_diff_with_an_unknown_ref_is_not_found(main: Branch) -> None:
    with pytest.raises(NotFoundException):
        list(main.diff("nowhere"))


def test_uncommitted_changes_are_told(main: Branch) -> None:
    for path in ("changed", "removed"):
        main.object(path).upload(b"1")
    main.commit("1")
    main.object("added").upload(b"2")
    main.object("changed").upload(b"2")
    main.object("removed").delete()
    assert kinds(main.uncommitted()) == [("added", "added"), ("changed", "changed"), ("removed", "removed")]


def test_uncommitted_changes_are_told_by_prefix_and_page(main: Branch) -> None:
    for path in ("a/1", "a/2", "a/3", "b/1"):
        main.object(path).upload(b"x")
    assert [change.path for change in main.uncommitted(prefix="a/", amount=2)] == ["a/1", "a/2", "a/3"]
    assert [change.path for change in main.uncommitted(after="a/2")] == ["a/3", "b/1"]


def test_uncommitted_changes_of_an_unknown_branch_are_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        list(repo.branch("nowhere").uncommitted())
