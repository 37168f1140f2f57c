from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from lakefs.branch import Branch
from lakefs.client import Client
from lakefs.exceptions import BadRequestException, ConflictException, NotFoundException, ServerException
from lakefs.repository import Repository


@pytest.fixture
def branch(repo: Repository) -> Branch:
    return repo.branch("main")


def staged(client: Client, content: bytes) -> str:
    """Writes a file at a staging address, as a client on this machine may."""
    address = client.sdk_client.staging_api.get_physical_address("flights", "main", "any").physical_address
    assert isinstance(address, str)
    Path(address.removeprefix("local://")).write_bytes(content)
    return address


def test_files_at_staging_addresses_become_one_commit(client: Client, branch: Branch) -> None:
    manager = branch.import_data("a day", metadata={"asset": "raw"})
    for name in ("a", "b/c"):
        manager.object(staged(client, name.encode()), destination=name)
    status = manager.start() and manager.status()
    assert status.completed
    assert status.commit.id == branch.head.id
    assert [(info.path, branch.object(info.path).reader().read()) for info in branch.objects()] == [
        ("a", b"a"),
        ("b/c", b"b/c"),
    ]
    commit = branch.get_commit()
    assert (commit.message, commit.metadata) == ("a day", {"asset": "raw"})


def test_one_bad_address_imports_nothing(client: Client, branch: Branch) -> None:
    before = branch.head.id
    manager = branch.import_data("a day").object(staged(client, b"a"), destination="a")
    manager.object(f"{staged(client, b'x')}0", destination="b")
    with pytest.raises(BadRequestException, match="not a staging address"):
        manager.start()
    assert branch.head.id == before
    assert list(branch.objects()) == []


@pytest.mark.parametrize("address", ["local:///etc/passwd", "s3://bucket/a", "", "local://../../etc/passwd"])
def test_files_elsewhere_are_not_imported(branch: Branch, address: str) -> None:
    with pytest.raises(BadRequestException):
        branch.import_data("a day").object(address, destination="a").start()


def test_a_link_at_a_staging_address_is_not_followed(client: Client, branch: Branch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for the lake")
    address = staged(client, b"")
    place = Path(address.removeprefix("local://"))
    place.unlink()
    place.symlink_to(secret)
    with pytest.raises(BadRequestException, match="nothing to link there"):
        branch.import_data("a day").object(address, destination="a").start()


@pytest.mark.parametrize("destination", ["", "../up", "a/../../b"])
def test_a_destination_must_be_an_object_path(client: Client, branch: Branch, destination: str) -> None:
    with pytest.raises(BadRequestException):
        branch.import_data("a day").object(staged(client, b"a"), destination=destination).start()


def test_importing_a_prefix_is_not_offered(branch: Branch) -> None:
    with pytest.raises(ServerException, match="501"):
        branch.import_data("a day").prefix("local:///tmp/", destination="a/").start()


def test_importing_to_a_missing_branch_is_not_found(client: Client, repo: Repository) -> None:
    missing = repo.branch("missing")
    with pytest.raises(NotFoundException):
        missing.import_data("a day").object(staged(client, b"a"), destination="a").start()


def test_importing_over_uncommitted_changes_is_refused(client: Client, branch: Branch) -> None:
    branch.object("dirty").upload(b"x", pre_sign=False)
    with pytest.raises(BadRequestException, match="uncommitted changes"):
        branch.import_data("a day").object(staged(client, b"a"), destination="a").start()


def test_importing_what_is_there_already_changes_nothing(client: Client, branch: Branch) -> None:
    content = secrets.token_bytes(10)
    branch.import_data("first").object(staged(client, content), destination="a").start()
    with pytest.raises(BadRequestException, match="no changes"):
        branch.import_data("again").object(staged(client, content), destination="a").start()


def test_an_import_that_is_done_cannot_be_cancelled_and_an_unknown_one_not_found(
    client: Client, branch: Branch
) -> None:
    manager = branch.import_data("a day").object(staged(client, b"a"), destination="a")
    manager.start()
    with pytest.raises(ConflictException, match="already completed"):
        manager.cancel()
    with pytest.raises(Exception, match="404"):
        client.sdk_client.import_api.import_status("flights", "main", "f" * 64)
