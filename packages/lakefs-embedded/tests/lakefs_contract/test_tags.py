from __future__ import annotations

import pytest
from lakefs.branch import Branch
from lakefs.exceptions import BadRequestException, ConflictException, NotFoundException
from lakefs.repository import Repository


def test_tag_names_a_commit(repo: Repository, main: Branch) -> None:
    assert repo.tag("v1").create("main").get_commit().id == main.head.id


def test_tag_stays_when_the_branch_moves_on(repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"1")
    main.commit("1")
    repo.tag("v1").create("main")
    main.object("a").upload(b"2")
    main.commit("2")
    assert repo.tag("v1").object("a").reader().read() == b"1"


def test_tag_can_be_made_from_a_commit(repo: Repository, main: Branch) -> None:
    assert repo.tag("v1").create(main.head).get_commit().id == main.head.id


def test_tag_name_is_unique(repo: Repository) -> None:
    repo.tag("v1").create("main")
    with pytest.raises(ConflictException):
        repo.tag("v1").create("main")


def test_existing_tag_is_accepted_when_asked(repo: Repository) -> None:
    repo.tag("v1").create("main")
    assert repo.tag("v1").create("main", exist_ok=True).id == "v1"


def test_tag_of_an_unknown_ref_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        repo.tag("v1").create("nowhere")


@pytest.mark.parametrize("tag_name", ["a b", "a..b", "a~b", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a.lock", "a@{b"])
def test_unlawful_tag_name_is_refused(repo: Repository, tag_name: str) -> None:
    with pytest.raises(BadRequestException):
        repo.tag(tag_name).create("main")


@pytest.mark.parametrize("tag_name", ["v1", "v1.2.3", "release-2013_06", "champion-7"])
def test_lawful_tag_name_is_accepted(repo: Repository, tag_name: str) -> None:
    repo.tag(tag_name).create("main")
    assert [tag.id for tag in repo.tags()] == [tag_name]


def test_tags_are_listed_in_order_by_prefix_after_and_page(repo: Repository) -> None:
    for name in ("v2", "v1", "w1", "v3"):
        repo.tag(name).create("main")
    assert [tag.id for tag in repo.tags()] == ["v1", "v2", "v3", "w1"]
    assert [tag.id for tag in repo.tags(prefix="v")] == ["v1", "v2", "v3"]
    assert [tag.id for tag in repo.tags(after="v2")] == ["v3", "w1"]
    assert [tag.id for tag in repo.tags(amount=1)] == ["v1", "v2", "v3", "w1"]
    assert [tag.id for tag in repo.tags(max_amount=2)] == ["v1", "v2"]


def test_deleted_tag_is_gone(repo: Repository) -> None:
    tag = repo.tag("v1").create("main")
    tag.delete()
    with pytest.raises(NotFoundException):
        tag.get_commit()


def test_deleting_an_unknown_tag_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        repo.tag("v1").delete()


def test_reading_an_unknown_tag_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        repo.tag("v1").get_commit()
