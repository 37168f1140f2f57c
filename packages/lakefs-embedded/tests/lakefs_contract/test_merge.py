from __future__ import annotations

import pytest
from lakefs.branch import Branch
from lakefs.client import Client
from lakefs.exceptions import BadRequestException, ConflictException, NotFoundException
from lakefs.repository import Repository


def write(branch: Branch, **contents: str | None) -> str:
    """Commits contents by path; None deletes."""
    for path, content in contents.items():
        if content is None:
            branch.object(path).delete()
        else:
            branch.object(path).upload(content)
    return branch.commit("write").id


def contents(branch: Branch) -> dict[str, str]:
    return {info.path: branch.object(info.path).reader("r").read() for info in branch.objects()}


@pytest.fixture
def dev(repo: Repository, main: Branch) -> Branch:
    """A branch of main, which holds `base`."""
    write(main, base="A")
    return repo.branch("dev").create("main")


def test_merge_brings_the_changes(main: Branch, dev: Branch) -> None:
    write(dev, base=None, new="n")
    dev.merge_into(main)
    assert contents(main) == {"new": "n"}


def test_merge_answers_with_the_new_head(main: Branch, dev: Branch) -> None:
    write(dev, new="n")
    assert dev.merge_into(main) == main.head.id


def test_merge_commit_has_both_parents(main: Branch, dev: Branch) -> None:
    theirs, ours = write(dev, dev="d"), write(main, main="m")
    dev.merge_into(main)
    assert main.get_commit().parents == [ours, theirs]


def test_merge_makes_a_commit_even_where_it_could_fast_forward(main: Branch, dev: Branch) -> None:
    theirs, ours = write(dev, dev="d"), main.head.id
    dev.merge_into(main)
    assert main.get_commit().parents == [ours, theirs]


def test_merge_commit_says_what_it_was_told(main: Branch, dev: Branch) -> None:
    write(dev, new="n")
    dev.merge_into(main, message="publish", metadata={"run": "7"})
    commit = main.get_commit()
    assert commit.message == "publish"
    assert commit.metadata is not None
    assert commit.metadata["run"] == "7"


def test_merge_commit_names_the_branches_by_itself(main: Branch, dev: Branch) -> None:
    write(dev, new="n")
    dev.merge_into(main)
    assert "dev" in main.get_commit().message
    assert "main" in main.get_commit().message


def test_merge_keeps_both_sides(main: Branch, dev: Branch) -> None:
    write(dev, dev="d")
    write(main, main="m")
    dev.merge_into(main)
    assert contents(main) == {"base": "A", "dev": "d", "main": "m"}


def test_merge_leaves_the_source_alone(main: Branch, dev: Branch) -> None:
    theirs = write(dev, dev="d")
    write(main, main="m")
    dev.merge_into(main)
    assert dev.head.id == theirs
    assert contents(dev) == {"base": "A", "dev": "d"}


@pytest.mark.parametrize(
    ("theirs", "ours", "result"),
    [
        ("B", "A", "B"),
        ("A", "B", "B"),
        ("B", "B", "B"),
        (None, None, None),
        ("A", None, None),
        (None, "A", None),
    ],
)
def test_three_way_merge(main: Branch, dev: Branch, theirs: str | None, ours: str | None, result: str) -> None:
    write(dev, base=theirs if theirs != "A" else "A2", other="1")
    if theirs == "A":
        write(dev, base="A")
    write(main, base=ours if ours != "A" else "A2", another="2")
    if ours == "A":
        write(main, base="A")
    dev.merge_into(main)
    assert contents(main).get("base") == result


@pytest.mark.parametrize(("theirs", "ours"), [("B", "C"), ("B", None), (None, "B")])
def test_conflict_is_refused_and_changes_nothing(
    main: Branch, dev: Branch, theirs: str | None, ours: str | None
) -> None:
    write(dev, base=theirs, harmless="h")
    head = write(main, base=ours)
    with pytest.raises(ConflictException):
        dev.merge_into(main)
    assert main.head.id == head
    assert not main.object("harmless").exists()


def test_both_sides_adding_differently_is_a_conflict(main: Branch, dev: Branch) -> None:
    write(dev, new="theirs")
    write(main, new="ours")
    with pytest.raises(ConflictException):
        dev.merge_into(main)


def test_both_sides_adding_the_same_is_none(main: Branch, dev: Branch) -> None:
    write(dev, new="same", dev="d")
    write(main, new="same", main="m")
    dev.merge_into(main)
    assert contents(main) == {"base": "A", "dev": "d", "main": "m", "new": "same"}


@pytest.mark.parametrize(
    ("strategy", "theirs", "ours", "result"),
    [
        ("source-wins", "B", "C", "B"),
        ("source-wins", None, "C", None),
        ("source-wins", "B", None, "B"),
        ("dest-wins", "B", "C", "C"),
        ("dest-wins", None, "C", "C"),
        ("dest-wins", "B", None, None),
    ],
)
def test_strategy_settles_conflicts(
    main: Branch, dev: Branch, strategy: str, theirs: str | None, ours: str | None, result: str | None
) -> None:
    write(dev, base=theirs, dev="d")
    write(main, base=ours, main="m")
    dev.merge_into(main, strategy=strategy)
    assert contents(main).get("base") == result
    assert (contents(main)["dev"], contents(main)["main"]) == ("d", "m")


def test_unknown_strategy_is_refused(main: Branch, dev: Branch) -> None:
    write(dev, new="n")
    with pytest.raises(BadRequestException):
        dev.merge_into(main, strategy="mine")


def test_merging_nothing_is_refused(main: Branch, dev: Branch) -> None:
    write(main, main="m")
    with pytest.raises(BadRequestException, match="no changes"):
        dev.merge_into(main)


def test_merging_twice_is_refused(main: Branch, dev: Branch) -> None:
    write(dev, dev="d")
    dev.merge_into(main)
    with pytest.raises(BadRequestException, match="no changes"):
        dev.merge_into(main)


@pytest.mark.parametrize("option", ["allow_empty", "force"])
def test_merging_nothing_is_accepted_when_asked(main: Branch, dev: Branch, option: str) -> None:
    before = write(main, main="m")
    dev.merge_into(main, **{option: True})
    assert main.get_commit().parents == [before, dev.head.id]
    assert contents(main) == {"base": "A", "main": "m"}


def test_squash_has_one_parent(main: Branch, dev: Branch) -> None:
    write(dev, one="1")
    write(dev, two="2")
    before = main.head.id
    dev.merge_into(main, squash_merge=True)
    assert main.get_commit().parents == [before]
    assert contents(main) == {"base": "A", "one": "1", "two": "2"}


def test_uncommitted_data_of_the_source_stays_behind(main: Branch, dev: Branch) -> None:
    write(dev, dev="d")
    dev.object("uncommitted").upload(b"u")
    dev.merge_into(main)
    assert not main.object("uncommitted").exists()


def test_uncommitted_data_on_the_destination_refuses(main: Branch, dev: Branch) -> None:
    write(dev, dev="d")
    main.object("uncommitted").upload(b"u")
    with pytest.raises(BadRequestException, match="uncommitted"):
        dev.merge_into(main)


def test_commit_and_tag_can_be_merged(repo: Repository, main: Branch, dev: Branch) -> None:
    first = write(dev, one="1")
    write(dev, two="2")
    repo.tag("v2").create("dev")
    repo.commit(first).merge_into(main)
    assert contents(main) == {"base": "A", "one": "1"}
    repo.tag("v2").merge_into(main)
    assert contents(main) == {"base": "A", "one": "1", "two": "2"}


def test_merge_base_moves_with_every_merge(main: Branch, dev: Branch) -> None:
    write(dev, base="B")
    dev.merge_into(main)
    write(main, base="C")
    main.merge_into(dev)
    write(dev, base="D")
    dev.merge_into(main)
    assert contents(main) == {"base": "D"}


def test_unknown_destination_is_not_found(dev: Branch) -> None:
    write(dev, dev="d")
    with pytest.raises(NotFoundException):
        dev.merge_into("nowhere")


def test_unknown_source_is_not_found(repo: Repository, main: Branch) -> None:
    with pytest.raises(NotFoundException):
        repo.ref("nowhere").merge_into(main)


def test_merge_base_is_found(client: Client, repo: Repository, main: Branch, dev: Branch) -> None:
    base = main.head.id
    theirs, ours = write(dev, dev="d"), write(main, main="m")
    found = client.sdk_client.refs_api.find_merge_base(repo.id, "dev", "main")
    assert (found.base_commit_id, found.source_commit_id, found.destination_commit_id) == (base, theirs, ours)
