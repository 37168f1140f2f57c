from __future__ import annotations

import pytest
from lakefs.client import Client
from lakefs.exceptions import BadRequestException, ConflictException, NotFoundException
from lakefs.repository import Repository, repositories


def test_created_repository_has_its_properties(repo: Repository, name: str, namespace: str) -> None:
    properties = repo.properties
    assert (properties.id, properties.storage_namespace, properties.default_branch) == (
        name,
        namespace,
        "main",
    )
    assert properties.creation_date > 1_500_000_000


def test_repository_can_be_read_afresh(client: Client, repo: Repository) -> None:
    assert Repository(repo.id, client=client).properties.id == repo.id


def test_default_branch_can_be_named(client: Client, name: str, namespace: str) -> None:
    repository = Repository(name, client=client).create(namespace, default_branch="trunk")
    assert [branch.id for branch in repository.branches()] == ["trunk"]
    repository.delete()


def test_new_repository_has_one_commit_and_no_objects(repo: Repository) -> None:
    (first,) = repo.branch("main").log()
    assert first.parents == []
    assert first.message == "Repository created"
    assert list(repo.branch("main").objects()) == []


def test_repository_name_is_unique(client: Client, repo: Repository, namespace: str) -> None:
    with pytest.raises(ConflictException):
        Repository(repo.id, client=client).create(namespace + "-other")


def test_existing_repository_is_accepted_when_asked(client: Client, repo: Repository, namespace: str) -> None:
    again = Repository(repo.id, client=client).create(namespace + "-other", exist_ok=True)
    assert again.properties.storage_namespace == namespace


def test_storage_namespace_is_unique(client: Client, repo: Repository, namespace: str) -> None:
    with pytest.raises(BadRequestException):
        Repository(repo.id + "-2", client=client).create(namespace)


def test_unknown_repository_is_not_found(client: Client, name: str) -> None:
    with pytest.raises(NotFoundException):
        _ = Repository(name, client=client).properties


def test_repository_is_listed(client: Client, repo: Repository) -> None:
    assert repo.id in [found.id for found in repositories(client, prefix=repo.id)]


def test_repositories_are_listed_by_prefix_after_a_name(client: Client, name: str, namespace: str) -> None:
    made = [Repository(f"{name}-{letter}", client=client) for letter in "abc"]
    for repository in made:
        repository.create(f"{namespace}-{repository.id[-1]}")
    found = [found.id for found in repositories(client, prefix=name, after=f"{name}-a")]
    assert found == [f"{name}-b", f"{name}-c"]
    for repository in made:
        repository.delete()


def test_repositories_are_paged(client: Client, name: str, namespace: str) -> None:
    made = [Repository(f"{name}-{number}", client=client) for number in range(3)]
    for repository in made:
        repository.create(f"{namespace}-{repository.id[-1]}")
    found = [found.id for found in repositories(client, prefix=name, amount=1)]
    assert found == [repository.id for repository in made]
    for repository in made:
        repository.delete()


def test_deleted_repository_is_gone(client: Client, name: str, namespace: str) -> None:
    repository = Repository(name, client=client).create(namespace)
    repository.branch("main").object("a").upload(b"a")
    repository.delete()
    with pytest.raises(NotFoundException):
        list(repository.branches())


def test_deleting_an_unknown_repository_is_not_found(client: Client, name: str) -> None:
    with pytest.raises(NotFoundException):
        Repository(name, client=client).delete()


def test_repository_metadata_is_a_mapping(repo: Repository) -> None:
    assert isinstance(repo.metadata, dict)
