"""Stage → audit → publish: the one way anything is written to the lake.

A branch is made for the write from the target branch's head, the files are staged and committed there, the
audit reads them as any reader will, its verdict becomes the branch's last commit, and one squashed merge
publishes them. What fails its audit stays on its branch; a process killed at any step leaves at most an
unmerged branch.

How bytes get to a branch is in ``staging.py``, what commits say in ``write.py``, branches that were left
behind in ``lake_branches.py``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakefs import Branch
from lakefs.exceptions import ConflictException, ServerException

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import AuditFailed, LakeError
from mlops_assets.lake.connection import Connection, nothing_changed, plain_errors
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.staging import Content, Difference, compare, stage
from mlops_assets.lake.write import AUDIT_KEY, Write, message_of, metadata_of, refusal_of, stage_name

__all__ = ["Audit", "Publication", "Publisher", "Write", "WriteRefused"]

Audit = Callable[[Snapshot], Iterable[CheckResult]]

_ATTEMPTS = 20
_SHORTEST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0
_BUSY = (423, 429, 503)


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What became of a write. ``commit`` is the merge commit, or the target's head when nothing had to
    change.

    ``branch`` is the stage branch (deleted by now), ``None`` if none was needed. ``files`` and ``bytes``
    count what was written or deleted, ``unchanged`` the files that were already there. ``attempts`` above 1
    means that others published the same paths meanwhile.
    """

    commit: str
    branch: str | None
    changed: bool
    audits: tuple[CheckResult, ...]
    files: int
    bytes: int
    unchanged: int
    attempts: int


class WriteRefused(AuditFailed):
    """AuditFailed with its evidence: the kept ``branch``, the staged ``commit`` and the ``audits``."""

    def __init__(self, branch: str, *, commit: str, audits: Sequence[CheckResult]) -> None:
        super().__init__(refusal_of(audits, branch=branch))
        self.branch = branch
        self.commit = commit
        self.audits = tuple(audits)


class Publisher:
    """Publishes to one target branch. ``at`` makes the snapshot of a commit; ``pause`` waits between
    attempts.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        target: str,
        at: Callable[[str], Snapshot],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._repository = connection.repository
        self._target = target
        self._at = at
        self._pause = pause

    def publish(
        self, write: Write, *, files: Mapping[str, bytes | Path], deletes: Sequence[str] = (), audit: Audit
    ) -> Publication:
        """As ``Lake.publish``."""
        both = set(deletes) & set(files)
        if both:
            raise LakeError(f"Both written and deleted by one write: {', '.join(sorted(both))}.")
        contents = [Content(path=path, source=source) for path, source in sorted(files.items())]
        for attempt in range(1, _ATTEMPTS + 1):
            published = self._attempt(write, contents=contents, deletes=deletes, audit=audit, attempt=attempt)
            if published is not None:
                return published
            self._back_off(attempt)
        raise LakeError(
            f"Others kept publishing the same files as {write.use_case}/{write.asset}: gave up after "
            f"{_ATTEMPTS} attempts. Nothing of this write is visible on '{self._target}'; run it again."
        )

    def _attempt(
        self,
        write: Write,
        *,
        contents: Sequence[Content],
        deletes: Sequence[str],
        audit: Audit,
        attempt: int,
    ) -> Publication | None:
        """One try from the present head; ``None`` when somebody else published the same paths first."""
        with plain_errors(f"reading the head of '{self._target}'"):
            head: str = self._repository.branch(self._target).head.id
        difference = compare(self._at(head), contents=contents, deletes=deletes)
        if not difference:
            return self._confirm(write, head=head, audit=audit, files=len(contents), attempt=attempt)
        branch = self._repository.branch(stage_name(write))
        staged = self._stage(branch, write=write, head=head, difference=difference)
        audits = self._judge(branch, write=write, staged=staged, audit=audit)
        merged = self._merge(branch, write=write, staged=staged.commit, audits=audits)
        with plain_errors(f"deleting branch '{branch.id}'"):
            branch.delete()
        if merged is None:
            return None
        return Publication(
            commit=merged,
            branch=branch.id,
            changed=True,
            audits=audits,
            files=len(difference.written) + len(difference.deleted),
            bytes=sum(content.size for content in difference.written),
            unchanged=len(contents) - len(difference.written),
            attempts=attempt,
        )

    def _confirm(self, write: Write, *, head: str, audit: Audit, files: int, attempt: int) -> Publication:
        """The target already holds everything: audits it there; a failure is kept on a branch as ever."""
        audits = tuple(audit(self._at(head)))
        if any(check.blocks for check in audits):
            branch = self._repository.branch(stage_name(write))
            with plain_errors(f"keeping the verdict on branch '{branch.id}'"):
                branch.create(head)
                self._record_verdict(branch, write=write, staged=head, audits=audits)
            raise WriteRefused(branch.id, commit=head, audits=audits)
        return Publication(
            commit=head,
            branch=None,
            changed=False,
            audits=audits,
            files=0,
            bytes=0,
            unchanged=files,
            attempts=attempt,
        )

    def _stage(self, branch: Branch, *, write: Write, head: str, difference: Difference) -> Snapshot:
        """Makes the branch, commits the difference to it and checks that it arrived."""
        with plain_errors(f"staging {write.use_case}/{write.asset} on branch '{branch.id}'"):
            branch.create(head)
            staged = stage(
                self._connection,
                branch,
                difference=difference,
                message=message_of(write),
                metadata=metadata_of(write),
            )
        snapshot = self._at(staged)
        lacking = compare(snapshot, contents=difference.written, deletes=difference.deleted)
        if lacking:
            paths = [*(content.path for content in lacking.written), *lacking.deleted]
            raise LakeError(f"Staged on branch '{branch.id}', but not as it was sent: {', '.join(paths[:10])}.")
        return snapshot

    def _judge(self, branch: Branch, *, write: Write, staged: Snapshot, audit: Audit) -> tuple[CheckResult, ...]:
        """Runs the audit on the staged commit and records its verdict; raises WriteRefused if it blocks."""
        try:
            audits = tuple(audit(staged))
        except Exception as error:
            error.add_note(f"The audit itself failed. What was staged is kept on lake branch '{branch.id}'.")
            raise
        with plain_errors(f"recording the verdict on branch '{branch.id}'"):
            self._record_verdict(branch, write=write, staged=staged.commit, audits=audits)
        if any(check.blocks for check in audits):
            raise WriteRefused(branch.id, commit=staged.commit, audits=audits)
        return audits

    def _record_verdict(self, branch: Branch, *, write: Write, staged: str, audits: Sequence[CheckResult]) -> None:
        metadata = metadata_of(write, audits=audits, staged=staged)
        branch.commit(f"Audit {metadata[AUDIT_KEY]}: {message_of(write)}", metadata=metadata, allow_empty=True)

    def _merge(self, branch: Branch, *, write: Write, staged: str, audits: Sequence[CheckResult]) -> str | None:
        """The merge commit's id; ``None`` if the target has changed the same paths, or holds them by now."""
        metadata = metadata_of(write, audits=audits, staged=staged)
        for attempt in range(1, _ATTEMPTS + 1):
            with plain_errors(f"merging '{branch.id}' into '{self._target}'"):
                try:
                    merged: str = branch.merge_into(
                        self._target, message=message_of(write), metadata=metadata, squash_merge=True
                    )
                    return merged
                except ConflictException:
                    return None
                except ServerException as error:
                    if nothing_changed(error):
                        return None
                    if error.status_code not in _BUSY or attempt == _ATTEMPTS:
                        raise
            self._back_off(attempt)
        return None

    def _back_off(self, attempt: int) -> None:
        self._pause(random.uniform(0, min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2**attempt)))
