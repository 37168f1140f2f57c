from __future__ import annotations

import pytest
from lakefs.branch import Branch
from lakefs.exceptions import NotFoundException
from lakefs.models import CommonPrefix
from lakefs.repository import Repository

PATHS = ["a", "b/1", "b/2", "b/c/1", "b/c/2", "d", "e/1"]


@pytest.fixture(params=["committed", "uncommitted", "mixed"])
def filled(request: pytest.FixtureRequest, main: Branch) -> Branch:
    """A branch that shows PATHS, however they came there."""
    paths = {"committed": PATHS, "uncommitted": [], "mixed": [*PATHS[::2], "removed"]}[request.param]
    for path in paths:
        main.object(path).upload(path)
    if paths:
        main.commit("some")
    for path in PATHS:
        if path not in paths:
            main.object(path).upload(path)
    if "removed" in paths:
        main.object("removed").delete()
    return main


def listed(branch: Branch, **options: object) -> list[str]:
    return [info.path for info in branch.objects(**options)]


def test_objects_are_listed_in_order(filled: Branch) -> None:
    assert listed(filled) == PATHS


def test_objects_are_listed_by_prefix(filled: Branch) -> None:
    assert listed(filled, prefix="b/") == ["b/1", "b/2", "b/c/1", "b/c/2"]
    assert listed(filled, prefix="b/c") == ["b/c/1", "b/c/2"]
    assert listed(filled, prefix="nothing") == []


def test_objects_are_listed_after_a_path(filled: Branch) -> None:
    assert listed(filled, after="b/2") == ["b/c/1", "b/c/2", "d", "e/1"]
    assert listed(filled, prefix="b/", after="b/c/1") == ["b/c/2"]


@pytest.mark.parametrize("amount", [1, 2, 3, 7, 100])
def test_pages_leave_nothing_out(filled: Branch, amount: int) -> None:
    assert listed(filled, amount=amount) == PATHS


def test_no_more_objects_than_asked_for(filled: Branch) -> None:
    assert listed(filled, max_amount=3) == PATHS[:3]


def test_delimiter_groups_by_folder(filled: Branch) -> None:
    found = list(filled.objects(delimiter="/"))
    assert [info.path for info in found] == ["a", "b/", "d", "e/"]
    assert [isinstance(info, CommonPrefix) for info in found] == [False, True, False, True]


def test_delimiter_groups_below_a_prefix(filled: Branch) -> None:
    assert listed(filled, prefix="b/", delimiter="/") == ["b/1", "b/2", "b/c/"]


def test_grouped_pages_leave_nothing_out(filled: Branch) -> None:
    assert listed(filled, delimiter="/", amount=1) == ["a", "b/", "d", "e/"]


def test_listing_tells_what_stat_tells(main: Branch) -> None:
    main.object("a").upload(b"hello", content_type="text/plain", metadata={"k": "v"})
    (info,) = main.objects()
    assert info == main.object("a").stat()


def test_listing_of_an_unknown_ref_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        list(repo.ref("nowhere").objects())


def test_large_folder_is_grouped_and_paged(main: Branch) -> None:
    days = [f"day={number:03}" for number in range(40)]
    for day in days:
        for part in range(3):
            main.object(f"{day}/part-{part}").upload(b"x")
    main.commit("days")
    assert listed(main, delimiter="/", amount=7) == [f"{day}/" for day in days]
    assert len(listed(main, amount=50)) == 120
