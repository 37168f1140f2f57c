"""Branches beside the target: what unfinished or failed writes left, colleagues' environments, pins of
deployed models.

Writing to stage branches is in ``publishing.py``; comparing and moving history in ``lake_history.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from lakefs.exceptions import ConflictException, NotFoundException

from mlops_assets.contract.errors import LakeError
from mlops_assets.contract.severity import Severity
from mlops_assets.lake.connection import Connection, plain_errors
from mlops_assets.lake.write import AUDIT_KEY, FAILED, PASSED, STAGE_NAME, STAGE_PREFIX

PIN_PREFIX = "pin-"


class BranchKind(StrEnum):
    """What a branch is for, told by its name and its last commit."""

    TARGET = "target"
    ENVIRONMENT = "environment"
    PIN = "pin"
    AUDIT_FAILED = "audit failed"
    INTERRUPTED = "interrupted after its audit passed"
    UNFINISHED = "unfinished write"


@dataclass(frozen=True, kw_only=True)
class BranchInfo:
    """A branch, its head commit, and when it was last worked on. ``metadata`` is its last commit's."""

    name: str
    kind: BranchKind
    commit: str
    updated: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def staged(self) -> bool:
        """Whether a write left it behind: such branches are cleaned when they are old."""
        return self.name.startswith(STAGE_PREFIX)

    @property
    def refusals(self) -> dict[str, str]:
        """Why its audit failed, by batch (the first ones only); what has no batch is under the empty name."""
        if self.kind is not BranchKind.AUDIT_FAILED:
            return {}
        found: dict[str, list[str]] = {}
        for check in json.loads(self.metadata.get("verdict", "{}")).get("failed", ()):
            if check["severity"] == Severity.ERROR:
                found.setdefault(check["batch"] or "", []).extend(check["reasons"])
        return {batch: " ".join(dict.fromkeys(reasons)) for batch, reasons in found.items()}


def list_branches(connection: Connection, *, target: str) -> tuple[BranchInfo, ...]:
    """Every branch, in order of name."""
    with plain_errors("listing branches"):
        names = [branch.id for branch in connection.repository.branches(amount=1000)]
        found = [_describe(connection, name, target=target) for name in names]
    return tuple(info for info in found if info is not None)


def clean_branches(
    connection: Connection, *, target: str, older_than: timedelta, now: datetime
) -> tuple[BranchInfo, ...]:
    """Deletes the stage branches last worked on before ``now - older_than`` and answers what they were."""
    old = [info for info in list_branches(connection, target=target) if info.staged and info.updated < now - older_than]
    for info in old:
        delete_branch(connection, info.name, target=target)
    return tuple(old)


def create_branch(connection: Connection, name: str, *, source: str) -> str:
    """Makes a branch of ``source`` without copying anything; the commit it starts from.

    Raises LakeError when it exists already, or its name is none lakeFS takes.
    """
    with plain_errors(f"making branch '{name}' from '{source}'"):
        try:
            connection.repository.branch(name).create(source)
        except ConflictException as error:
            raise LakeError(f"Branch '{name}' exists already.") from error
        commit: str = connection.repository.branch(name).head.id
    return commit


def delete_branch(connection: Connection, name: str, *, target: str) -> None:
    """Deletes a branch if it exists; the target branch and pins are refused."""
    if name == target or name.startswith(PIN_PREFIX):
        raise LakeError(f"Branch '{name}' is not deleted: it is {'the target' if name == target else 'a pin'}.")
    _delete(connection, name)


def pin(connection: Connection, name: str, *, commit: str) -> str:
    """Keeps ``commit`` from garbage collection, which tags would not; the name of the branch that does.

    Pinning the same again is fine; another commit under a name that is taken is refused.
    """
    branch = connection.repository.branch(pin_branch(name))
    with plain_errors(f"pinning '{name}' to {commit[:12]}"):
        try:
            branch.create(commit)
        except ConflictException as error:
            held = branch.head.id
            if held != commit:
                raise LakeError(f"'{name}' already pins {held[:12]}, not {commit[:12]}; unpin it first.") from error
    name_of_branch: str = branch.id
    return name_of_branch


def unpin(connection: Connection, name: str) -> None:
    """Gives a pinned commit free again; no error if it was not pinned."""
    _delete(connection, pin_branch(name))


def pins(connection: Connection) -> dict[str, str]:
    """Pinned commits by the name they are pinned under."""
    with plain_errors("listing pins"):
        found = connection.repository.branches(prefix=PIN_PREFIX, amount=1000)
        return {branch.id.removeprefix(PIN_PREFIX): branch.head.id for branch in found}


def pin_branch(name: str) -> str:
    """The branch that pins ``name``, in signs that lakeFS takes."""
    return PIN_PREFIX + re.sub(r"[^A-Za-z0-9_-]+", "_", name)


def _delete(connection: Connection, name: str) -> None:
    with plain_errors(f"deleting branch '{name}'"):
        try:
            connection.repository.branch(name).delete()
        except NotFoundException:
            return


def _describe(connection: Connection, name: str, *, target: str) -> BranchInfo | None:
    """``None`` when the branch has gone since it was listed."""
    try:
        head = connection.repository.ref(name).get_commit()
    except NotFoundException:
        return None
    updated = datetime.fromtimestamp(head.creation_date, tz=UTC)
    made = STAGE_NAME.fullmatch(name)
    if made:
        updated = max(updated, datetime.fromtimestamp(int(made["made"], 16), tz=UTC))
    metadata = head.metadata or {}
    return BranchInfo(
        name=name,
        kind=_kind(name, target=target, metadata=metadata),
        commit=head.id,
        updated=updated,
        metadata=metadata,
    )


def _kind(name: str, *, target: str, metadata: Mapping[str, str]) -> BranchKind:
    if name == target:
        return BranchKind.TARGET
    if name.startswith(PIN_PREFIX):
        return BranchKind.PIN
    if not name.startswith(STAGE_PREFIX):
        return BranchKind.ENVIRONMENT
    verdicts = {FAILED: BranchKind.AUDIT_FAILED, PASSED: BranchKind.INTERRUPTED}
    return verdicts.get(metadata.get(AUDIT_KEY, ""), BranchKind.UNFINISHED)
