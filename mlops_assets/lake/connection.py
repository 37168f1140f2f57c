"""Reaching the lake: one client for the settings, one embedded server per process and folder, errors in plain
words.

What is done with the client (reading, publishing, branches) is for the modules beside this one.
"""

from __future__ import annotations

import difflib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import lakefs
import urllib3
from lakefs.exceptions import (
    LakeFSException,
    NoAuthenticationFound,
    NotAuthorizedException,
    NotFoundException,
    ServerException,
)

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.settings import LakeKind, LakeSettings

if TYPE_CHECKING:
    from lakefs_embedded import EmbeddedLakeFS

_servers: dict[tuple[int, Path], EmbeddedLakeFS] = {}
_servers_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A client, the repository it works on, and whether objects lie on this machine (``embedded``)."""

    client: lakefs.Client
    repository: lakefs.Repository
    embedded: bool

    @cached_property
    def pre_sign(self) -> bool:
        """Whether bytes go straight to the object store instead of through lakeFS."""
        return not self.embedded and bool(self.client.storage_config.pre_sign_support)


def connect(settings: LakeSettings) -> Connection:
    """A connection whose repository and target branch exist: both are made if missing.

    Raises LakeError when the lake cannot be reached or refuses the credentials, or when a repository would
    have to be made on a real lakeFS and no storage namespace was named for it.
    """
    with plain_errors(f"connecting to the lake ({settings.source})"):
        client = _client(settings)
        embedded = settings.kind is LakeKind.EMBEDDED
        repository = lakefs.Repository(settings.repository, client=client)
        _ensure_repository(repository, settings=settings)
        _ensure_branch(repository, settings.branch)
    return Connection(client=client, repository=repository, embedded=embedded)


def refuse_unknown_branch(settings: LakeSettings) -> None:
    """LakeError, with the name that was meant, when the target branch does not exist; nothing is made."""
    with plain_errors(f"connecting to the lake ({settings.source})"):
        repository = lakefs.Repository(settings.repository, client=_client(settings))
        try:
            branches = [each.id for each in repository.branches()]
        except NotFoundException:
            branches = []
    if settings.branch not in branches:
        near = difflib.get_close_matches(settings.branch, branches, n=1)
        meant = f" Did you mean '{near[0]}'?" if near else ""
        raise LakeError(
            f"The lake has no branch '{settings.branch}', which MLOPS_LAKE_BRANCH names.{meant} "
            f"`mlops lake branch {settings.branch}` makes it."
        )


def close_embedded_servers() -> None:
    """Ends this process's embedded servers; the next connection starts them anew. For tests and orderly
    shutdown.
    """
    with _servers_lock:
        for (pid, _), server in list(_servers.items()):
            if pid == os.getpid():
                server.close()
        _servers.clear()


@contextmanager
def embedded_lakefs_needed() -> Iterator[None]:
    """Around an import of ``lakefs_embedded``, which whoever has a real lakeFS may do without."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "lakefs_embedded":
            raise
        raise LakeError(
            "The embedded lakeFS is not installed: pip install lakefs-embedded, or set LAKEFS_ENDPOINT."
        ) from error


@contextmanager
def plain_errors(doing: str) -> Iterator[None]:
    """Turns what the SDK and the network raise into LakeError: what was being done, and the reason."""
    try:
        yield
    except NoAuthenticationFound as error:
        raise LakeError(
            f"While {doing}: no credentials. Set LAKECTL_CREDENTIALS_ACCESS_KEY_ID and "
            "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY, or LAKEFS_ENDPOINT with its keys."
        ) from error
    except ServerException as error:
        raise LakeError(f"While {doing}: {reason_of(error)}") from error
    except (LakeFSException, ValueError) as error:  # ValueError: what the SDK finds wrong before it asks
        raise LakeError(f"While {doing}: {error}") from error
    except urllib3.exceptions.HTTPError as error:
        raise LakeError(
            f"While {doing}: the lake did not answer ({error}). Is it running? Nothing half-done is visible; "
            "run again once it is back."
        ) from error
    except OSError as error:
        raise LakeError(f"While {doing}: {error}. Nothing half-done is visible; mend it and run again.") from error


def reason_of(error: ServerException) -> str:
    """lakeFS's own reason, with its status code."""
    message = error.body.get("message") if isinstance(error.body, dict) else None
    return f"lakeFS answers {error.status_code}: {message or error.reason}"


def nothing_changed(error: ServerException) -> bool:
    """Whether lakeFS refused a commit or merge because it would change nothing."""
    return error.status_code == HTTPStatus.BAD_REQUEST and "no changes" in reason_of(error).lower()


def _client(settings: LakeSettings) -> lakefs.Client:
    """The SDK's client; without arguments it reads its own environment variables and ``.lakectl.yaml``."""
    host, key, secret = settings.endpoint, settings.access_key_id, settings.secret_access_key
    if settings.kind is LakeKind.EMBEDDED:
        server = embedded_server(settings.root)
        host, key, secret = server.endpoint, server.access_key_id, server.secret_access_key
    given = {} if settings.kind is LakeKind.LAKECTL else {"host": host, "username": key, "password": secret}
    return lakefs.Client(**given)  # type: ignore[no-untyped-call]  # the SDK leaves some signatures bare


def embedded_server(root: Path) -> EmbeddedLakeFS:
    """This process's server on ``root``, started at first use. A forked child starts its own.

    Raises LakeError where the distribution ``lakefs-embedded`` is not installed.
    """
    with embedded_lakefs_needed():
        from lakefs_embedded import EmbeddedLakeFS
    key = (os.getpid(), root.resolve())
    with _servers_lock:
        if key not in _servers:
            _servers[key] = EmbeddedLakeFS.start(key[1])
        return _servers[key]


def _ensure_repository(repository: lakefs.Repository, *, settings: LakeSettings) -> None:
    try:
        _ = repository.properties
    except NotAuthorizedException as error:
        raise LakeError(f"The lake refuses the credentials ({settings.source}): {reason_of(error)}") from error
    except NotFoundException as error:
        namespace = settings.storage_namespace
        if settings.kind is LakeKind.EMBEDDED:
            namespace = f"local://{settings.repository}"
        if namespace is None:
            raise LakeError(
                f"Repository '{settings.repository}' does not exist ({settings.source}). Set "
                "LAKEFS_STORAGE_NAMESPACE (such as s3://bucket/mlops) to have it made, or LAKEFS_REPOSITORY "
                "to name another."
            ) from error
        repository.create(storage_namespace=namespace, default_branch="main", exist_ok=True)


def _ensure_branch(repository: lakefs.Repository, branch: str) -> None:
    try:
        _ = repository.branch(branch).head
    except NotFoundException:
        repository.branch(branch).create(repository.properties.default_branch, exist_ok=True)
