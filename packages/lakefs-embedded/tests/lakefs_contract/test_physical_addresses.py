"""Staging by physical address: the client writes to the storage itself, then links what it wrote."""

from __future__ import annotations

import hashlib
from pathlib import Path

import lakefs_sdk
import pytest
from lakefs.branch import Branch
from lakefs.client import Client
from lakefs.repository import Repository


def written(client: Client, repo: Repository, path: str, content: bytes) -> lakefs_sdk.StagingLocation:
    """A staging address with content, where this machine can write there."""
    location = client.sdk_client.staging_api.get_physical_address(repo.id, "main", path)
    assert location.physical_address
    scheme, _, target = location.physical_address.partition("://")
    if scheme != "local" or not Path(target).parent.is_dir():
        pytest.skip(f"cannot write to {scheme} from here")
    Path(target).write_bytes(content)
    return location


def link(
    client: Client, repo: Repository, path: str, location: lakefs_sdk.StagingLocation, content: bytes
) -> lakefs_sdk.ObjectStats:
    metadata = lakefs_sdk.StagingMetadata(
        staging=location,
        checksum=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        size_bytes=len(content),
        user_metadata={"k": "v"},
        content_type="text/plain",
    )
    return client.sdk_client.staging_api.link_physical_address(repo.id, "main", path, metadata)


def test_linked_object_is_read_back(client: Client, repo: Repository, main: Branch) -> None:
    content = b"large " * 100_000
    stats = link(client, repo, "big", written(client, repo, "big", content), content)
    assert (stats.path, stats.size_bytes, stats.content_type) == ("big", len(content), "text/plain")
    assert main.object("big").reader().read() == content
    assert main.object("big").stat().metadata == {"k": "v"}


def test_linked_object_is_uncommitted(client: Client, repo: Repository, main: Branch) -> None:
    link(client, repo, "big", written(client, repo, "big", b"x"), b"x")
    assert [change.path for change in main.uncommitted()] == ["big"]
    main.commit("big")
    assert main.object("big").reader().read() == b"x"


def test_addresses_differ(client: Client, repo: Repository) -> None:
    api = client.sdk_client.staging_api
    addresses = {api.get_physical_address(repo.id, "main", "a").physical_address for _ in range(3)}
    assert len(addresses) == 3


def test_address_for_an_unknown_branch_is_not_found(client: Client, repo: Repository) -> None:
    with pytest.raises(lakefs_sdk.ApiException) as refused:
        client.sdk_client.staging_api.get_physical_address(repo.id, "nowhere", "a")
    assert refused.value.status == 404


def test_address_is_used_once(client: Client, repo: Repository) -> None:
    location = written(client, repo, "a", b"x")
    link(client, repo, "a", location, b"x")
    with pytest.raises(lakefs_sdk.ApiException) as refused:
        link(client, repo, "b", location, b"x")
    assert refused.value.status == 400
