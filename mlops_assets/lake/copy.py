"""Moving house: one lake's branches and their history carried into another, usually embedded into a real
lakeFS.

Every commit of a branch's first-parent line is committed anew, with its message, metadata and date, and gets
a tag named after its old id, so that records naming the old commit still find their data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from lakefs.exceptions import NotFoundException

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake import history as lake_history
from mlops_assets.lake.branches import BranchInfo
from mlops_assets.lake.connection import plain_errors
from mlops_assets.lake.history import Change, CommitInfo
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.staging import Content, delete, upload

COPIED_FROM = "copied_from"
_ALL = 1_000_000
_COMMIT_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class CopiedBranch:
    """What was carried over for one branch; zeros when it was there already."""

    branch: str
    commits: int
    files: int
    bytes: int


def copy_repository(source: Lake, destination: Lake, *, heads_only: bool = False) -> Iterator[CopiedBranch]:
    """Copies every branch except those of unpublished writes, the target branch first, yielding one at a
    time.

    ``heads_only`` carries the newest state of each branch instead of every commit. Running it again carries
    over what is new. Raises LakeError before it changes a branch of the destination that holds anything else.
    """
    branches = [branch for branch in source.branches() if not branch.staged]
    for branch in sorted(branches, key=lambda each: (each.name != source.target, each.name)):
        yield _copy_branch(source, destination, branch=branch, heads_only=heads_only)


def _copy_branch(source: Lake, destination: Lake, *, branch: BranchInfo, heads_only: bool) -> CopiedBranch:
    line = lake_history.log(source.connection, branch.commit, limit=_ALL, first_parent=True)
    arrived = _arrived(destination, branch.name)
    missing = list(takewhile(lambda commit: commit.id not in arrived, line))
    known = line[len(missing)].id if len(missing) < len(line) else None
    _prepare(destination, branch.name, start=arrived.get(known or ""))
    before = source.at(known) if known else None
    files = size = 0
    commits = missing[:1] if heads_only else missing[::-1]
    for commit in commits:
        after = source.at(commit.id)
        if before is None:
            changes = _everything(after, over=destination.at(branch.name))
        else:
            changes = lake_history.diff(source.connection, base=before.commit, other=after.commit, since_fork=False)
        _replay(destination, branch.name, commit=commit, changes=changes, after=after)
        files += len(changes)
        size += sum(change.size or 0 for change in changes if change.kind != "removed")
        before = after
    return CopiedBranch(branch=branch.name, commits=len(commits), files=files, bytes=size)


def _arrived(destination: Lake, name: str) -> dict[str, str]:
    """The destination's commits by the id they had, with the tag added that a killed copy may have missed."""
    repository = destination.connection.repository
    with plain_errors("looking for what was copied before"):
        try:
            head = repository.ref(name).get_commit()
        except NotFoundException:
            head = None
        origin = (head.metadata or {}).get(COPIED_FROM) if head else None
        if head and origin:
            repository.tag(origin).create(head.id, exist_ok=True)
        tags = [tag.id for tag in repository.tags(amount=1000) if _COMMIT_ID.fullmatch(tag.id)]
        return {tag: repository.tag(tag).get_commit().id for tag in tags}


def _prepare(destination: Lake, name: str, *, start: str | None) -> None:
    """Makes the branch at ``start``, or checks that it is where a copy may go on, and drops what is
    uncommitted.
    """
    repository = destination.connection.repository
    with plain_errors(f"preparing branch '{name}'"):
        try:
            head: str = repository.branch(name).head.id
        except NotFoundException:
            repository.branch(name).create(start or repository.properties.default_branch)
            return
        repository.branch(name).reset_changes()
    if head != start and (start is not None or destination.at(head).paths()):
        raise LakeError(
            f"Branch '{name}' of the destination holds other work ({head[:12]}): nothing was copied onto it. "
            "Copy into an empty repository, or remove that branch."
        )


def _everything(after: Snapshot, *, over: Snapshot) -> Sequence[Change]:
    """What puts all of ``after`` in the place of what ``over`` holds."""
    wanted = [Change(kind="added", path=info.path, size=info.size) for info in after.paths()]
    paths = {change.path for change in wanted}
    unwanted = [info.path for info in over.paths() if info.path not in paths]
    return [*wanted, *(Change(kind="removed", path=path, size=None) for path in unwanted)]


def _replay(destination: Lake, name: str, *, commit: CommitInfo, changes: Sequence[Change], after: Snapshot) -> None:
    """Makes one commit anew and tags it."""
    repository = destination.connection.repository
    branch = repository.branch(name)
    removed = [change.path for change in changes if change.kind == "removed"]
    written = [
        Content(path=change.path, source=after.local(change.path)) for change in changes if change.kind != "removed"
    ]
    with plain_errors(f"copying commit {commit.id[:12]} to branch '{name}'"):
        upload(destination.connection, branch, written)
        delete(branch, removed)
        made = branch.commit(
            commit.message or "(no message)",
            metadata={**commit.metadata, COPIED_FROM: commit.id},
            date=int(commit.created.timestamp()),
            allow_empty=True,
        )
        repository.tag(commit.id).create(made.id, exist_ok=True)
