"""What happened and what would change: log, diff, merge between branches, revert.

A write's own merge is in ``publishing.py``; this is what people do by hand between environments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from lakefs.exceptions import ConflictException, ServerException

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.connection import Connection, nothing_changed, plain_errors, reason_of
from mlops_assets.lake.write import AUDIT_KEY


@dataclass(frozen=True, kw_only=True)
class CommitInfo:
    """One commit as the log tells it. ``metadata`` says who wrote what (see ``Write``) and the audit's
    verdict.
    """

    id: str
    parents: tuple[str, ...]
    message: str
    created: datetime
    committer: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One differing path: ``kind`` is added, removed, changed or conflict."""

    kind: str
    path: str
    size: int | None


def log(
    connection: Connection,
    ref: str,
    *,
    path: str | None = None,
    limit: int = 100,
    first_parent: bool = False,
) -> tuple[CommitInfo, ...]:
    """The newest ``limit`` commits of ``ref``, newest first; only those that touched ``path`` if it is given.

    ``path`` names a file, or everything below a folder when it ends in '/'. ``first_parent`` leaves out what
    came in by merges, and shows the merges.
    """
    narrowed: dict[str, Any] = {"first_parent": True} if first_parent else {}
    if path is not None:
        narrowed |= {"prefixes": [path]} if path.endswith("/") else {"objects": [path]}
    with plain_errors(f"reading the log of '{ref}'"):
        commits = connection.repository.ref(ref).log(amount=min(limit, 1000), **narrowed)
        return tuple(_commit_info(commit) for commit in islice(commits, limit))


def diff(
    connection: Connection, *, base: str, other: str, prefix: str = "", since_fork: bool = True
) -> tuple[Change, ...]:
    """What ``other`` changed. ``since_fork`` compares with where it left ``base`` (what a merge would bring);
    without it, the two states themselves are compared.
    """
    kind = "three_dot" if since_fork else "two_dot"
    with plain_errors(f"comparing '{base}' with '{other}'"):
        found = connection.repository.ref(base).diff(other, prefix=prefix, type=kind, amount=1000)
        return tuple(Change(kind=each.type, path=each.path, size=each.size_bytes) for each in found)


def merge(connection: Connection, *, source: str, into: str, message: str, metadata: Mapping[str, str]) -> str | None:
    """Merges ``source`` into the branch ``into``; the merge commit's id, ``None`` when there was nothing to
    merge. The audit's verdict on the head of ``source`` goes with it, as server-side guards want to see it.

    Raises LakeError naming the files both have changed, having merged nothing.
    """
    with plain_errors(f"merging '{source}' into '{into}'"):
        head = connection.repository.ref(source).get_commit()
        verdict = {key: value for key, value in (head.metadata or {}).items() if key == AUDIT_KEY}
        try:
            merged: str = connection.repository.ref(source).merge_into(
                into, message=message, metadata={**verdict, "merged_head": head.id, **metadata}
            )
        except ConflictException as error:
            ours = {change.path for change in diff(connection, base=source, other=into)}
            both = sorted(ours & {change.path for change in diff(connection, base=into, other=source)})
            named = ", ".join(both[:10]) + (f" and {len(both) - 10} more" if len(both) > 10 else "")
            raise LakeError(
                f"'{source}' and '{into}' both changed {named or 'the same files'}: nothing was merged "
                f"({reason_of(error)}). Bring '{into}' into '{source}' first, or rebuild those files there."
            ) from error
        except ServerException as error:
            if nothing_changed(error):
                return None
            raise
    return merged


def revert(connection: Connection, commit: str, *, branch: str) -> CommitInfo:
    """Undoes ``commit`` by a new commit on ``branch``; what has happened since stays. Raises LakeError on
    conflict.
    """
    with plain_errors(f"reverting {commit[:12]} on '{branch}'"):
        parents = connection.repository.commit(commit).get_commit().parents
        number = 1 if len(parents) > 1 else 0
        return _commit_info(connection.repository.branch(branch).revert(commit, parent_number=number))


def _commit_info(commit: Any) -> CommitInfo:
    return CommitInfo(
        id=commit.id,
        parents=tuple(commit.parents),
        message=commit.message,
        created=datetime.fromtimestamp(commit.creation_date, tz=UTC),
        committer=commit.committer,
        metadata=commit.metadata or {},
    )
