from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from lakefs import Branch
from lakefs.exceptions import BadRequestException, ConflictException, NotFoundException, ServerException

from mlops_assets.lake.lake import Lake


@pytest.fixture
def branch(embedded_lake: Lake) -> Branch:
    return embedded_lake.connection.repository.branch("main")


def staged(lake: Lake, content: bytes) -> str:
    """Writes a file at a staging address, as a client on this machine may."""
    address = lake.connection.client.sdk_client.staging_api.get_physical_address(
        lake.settings.repository, "main", "any"
    ).physical_address
    assert isinstance(address, str)
    Path(address.removeprefix("local://")).write_bytes(content)
    return address


def test_files_at_staging_addresses_become_one_commit(embedded_lake: Lake, branch: Branch) -> None:
    manager = branch.import_data("a day", metadata={"asset": "raw"})
    for name in ("a", "b/c"):
        manager.object(staged(embedded_lake, name.encode()), destination=name)
    status = manager.start() and manager.status()
    assert status.completed
    assert status.commit.id == embedded_lake.head()
    assert [(info.path, embedded_lake.at().read(info.path)) for info in embedded_lake.at().paths()] == [
        ("a", b"a"),
        ("b/c", b"b/c"),
    ]
    commit = embedded_lake.log(limit=1)[0]
    assert (commit.message, commit.metadata) == ("a day", {"asset": "raw"})


def test_one_bad_address_imports_nothing(embedded_lake: Lake, branch: Branch) -> None:
    before = embedded_lake.head()
    manager = branch.import_data("a day").object(staged(embedded_lake, b"a"), destination="a")
    manager.object(f"{staged(embedded_lake, b'x')}0", destination="b")
    with pytest.raises(BadRequestException, match="not a staging address"):
        manager.start()
    assert embedded_lake.head() == before
    assert not embedded_lake.at().paths()


@pytest.mark.parametrize("address", ["local:///etc/passwd", "s3://bucket/a", "", "local://../../etc/passwd"])
def test_files_elsewhere_are_not_imported(branch: Branch, address: str) -> None:
    with pytest.raises(BadRequestException):
        branch.import_data("a day").object(address, destination="a").start()


def test_a_link_at_a_staging_address_is_not_followed(embedded_lake: Lake, branch: Branch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for the lake")
    address = staged(embedded_lake, b"")
    place = Path(address.removeprefix("local://"))
    place.unlink()
    place.symlink_to(secret)
    with pytest.raises(BadRequestException, match="nothing to link there"):
        branch.import_data("a day").object(address, destination="a").start()


@pytest.mark.parametrize("destination", ["", "../up", "a/../../b"])
def test_a_destination_must_be_an_object_path(embedded_lake: Lake, branch: Branch, destination: str) -> None:
    with pytest.raises(BadRequestException):
        branch.import_data("a day").object(staged(embedded_lake, b"a"), destination=destination).start()


def test_importing_a_prefix_is_not_offered(branch: Branch) -> None:
    with pytest.raises(ServerException, match="501"):
        branch.import_data("a day").prefix("local:///tmp/", destination="a/").start()


def test_importing_to_a_missing_branch_is_not_found(embedded_lake: Lake) -> None:
    missing = embedded_lake.connection.repository.branch("missing")
    with pytest.raises(NotFoundException):
        missing.import_data("a day").object(staged(embedded_lake, b"a"), destination="a").start()


def test_importing_over_uncommitted_changes_is_refused(embedded_lake: Lake, branch: Branch) -> None:
    branch.object("dirty").upload(b"x", pre_sign=False)
    with pytest.raises(BadRequestException, match="uncommitted changes"):
        branch.import_data("a day").object(staged(embedded_lake, b"a"), destination="a").start()


def test_importing_what_is_there_already_changes_nothing(embedded_lake: Lake, branch: Branch) -> None:
    content = secrets.token_bytes(10)
    branch.import_data("first").object(staged(embedded_lake, content), destination="a").start()
    with pytest.raises(BadRequestException, match="no changes"):
        branch.import_data("again").object(staged(embedded_lake, content), destination="a").start()


def test_an_import_that_is_done_cannot_be_cancelled_and_an_unknown_one_not_found(
    embedded_lake: Lake, branch: Branch
) -> None:
    manager = branch.import_data("a day").object(staged(embedded_lake, b"a"), destination="a")
    manager.start()
    with pytest.raises(ConflictException, match="already completed"):
        manager.cancel()
    api = embedded_lake.connection.client.sdk_client.import_api
    with pytest.raises(Exception, match="404"):
        api.import_status(embedded_lake.settings.repository, "main", "f" * 64)
