"""Stage → audit → publish: the one way anything is written to the lake.

A branch is made for the write from the target branch's head, the files are staged and committed there, the
audit reads them as any reader will, its verdict becomes the branch's last commit, and one squashed merge
publishes them. What fails its audit stays on its branch; a process killed at any step leaves at most an
unmerged branch.

Reading is in ``snapshot.py``; branches, pins and their cleaning in ``lake_branches.py``.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakefs import Branch
from lakefs.exceptions import BadRequestException, ConflictException, ServerException

from mlops_assets.ml.checks import CheckResult
from mlops_assets.ml.errors import AuditFailed, LakeError
from mlops_assets.stores.lake_cache import digest_of
from mlops_assets.stores.lake_connection import Connection, nothing_changed, plain_errors, reason_of
from mlops_assets.stores.snapshot import SHA256, ObjectInfo, Snapshot, common_prefix

STAGE_PREFIX = "stage-"
Audit = Callable[[Snapshot], Iterable[CheckResult]]

_ATTEMPTS = 8
_SHORTEST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0
_WRITERS = 4
_LISTED_PARTITIONS = 31
_LISTED_FAILURES = 20
_BUSY = (423, 429, 503)


@dataclass(frozen=True, kw_only=True)
class Write:
    """Who writes what and why; it becomes the metadata of the staged and of the merge commit."""

    use_case: str
    asset: str
    partitions: tuple[str, ...] = ()
    run_id: str = ""
    code_version: str = ""
    git_commit: str = ""
    message: str = ""


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
        self.branch = branch
        self.commit = commit
        self.audits = tuple(audits)
        failed = [check for check in audits if check.blocks]
        reasons = "; ".join(
            f"{_label(check)}: {' '.join(check.reasons)}" for check in failed[:_LISTED_FAILURES]
        )
        more = f" (and {len(failed) - _LISTED_FAILURES} more)" if len(failed) > _LISTED_FAILURES else ""
        super().__init__(f"Not published: {reasons}{more}. What was written is kept on branch '{branch}'.")


@dataclass(frozen=True, kw_only=True)
class _Content:
    """One file to write, measured once."""

    path: str
    source: bytes | Path
    size: int
    sha256: str
    md5: str

    def held_by(self, info: ObjectInfo | None) -> bool:
        """Whether the lake already holds exactly these bytes."""
        return info is not None and info.size == self.size and info.checksum in (self.sha256, self.md5)


@dataclass(frozen=True, kw_only=True)
class _Difference:
    """What the target branch lacks at the head the write starts from."""

    written: tuple[_Content, ...]
    deleted: tuple[str, ...]
    unchanged: int

    def __bool__(self) -> bool:
        return bool(self.written or self.deleted)


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
        contents = _measured(files)
        overlap = set(deletes) & set(files)
        if overlap:
            raise LakeError(f"Both written and deleted by one write: {', '.join(sorted(overlap))}.")
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
        contents: Sequence[_Content],
        deletes: Sequence[str],
        audit: Audit,
        attempt: int,
    ) -> Publication | None:
        """One try from the present head; ``None`` when somebody else published the same paths first."""
        with plain_errors(f"reading the head of '{self._target}'"):
            head: str = self._repository.branch(self._target).head.id
        difference = _compare(self._at(head), contents=contents, deletes=deletes)
        if not difference:
            return self._confirm(write, head=head, audit=audit, files=len(contents), attempt=attempt)
        branch = self._repository.branch(stage_name(write))
        with plain_errors(f"staging {write.use_case}/{write.asset} on branch '{branch.id}'"):
            branch.create(head)
            staged = self._stage(branch, write=write, difference=difference)
        audits = self._judge(branch, write=write, staged=staged, audit=audit)
        merged = self._merge(
            branch, metadata=_metadata(write, audits=audits, staged=staged), message=_message(write)
        )
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
            unchanged=difference.unchanged,
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

    def _stage(self, branch: Branch, *, write: Write, difference: _Difference) -> str:
        """Uploads and commits; the id of the staged commit."""
        pre_sign = not self._connection.embedded and bool(
            self._connection.client.storage_config.pre_sign_support
        )
        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(lambda content: _upload(branch, content, pre_sign=pre_sign), difference.written))
        if difference.deleted:
            branch.delete_objects(difference.deleted)
        staged: str = branch.commit(_message(write), metadata=_metadata(write)).id
        return staged

    def _judge(self, branch: Branch, *, write: Write, staged: str, audit: Audit) -> tuple[CheckResult, ...]:
        """Runs the audit on the staged commit and records its verdict; raises WriteRefused if it blocks."""
        try:
            audits = tuple(audit(self._at(staged)))
        except Exception as error:
            error.add_note(f"The audit itself failed. What was staged is kept on lake branch '{branch.id}'.")
            raise
        with plain_errors(f"recording the verdict on branch '{branch.id}'"):
            self._record_verdict(branch, write=write, staged=staged, audits=audits)
        if any(check.blocks for check in audits):
            raise WriteRefused(branch.id, commit=staged, audits=audits)
        return audits

    def _record_verdict(
        self, branch: Branch, *, write: Write, staged: str, audits: Sequence[CheckResult]
    ) -> None:
        metadata = _metadata(write, audits=audits, staged=staged)
        branch.commit(f"Audit {metadata['audit']}: {_message(write)}", metadata=metadata, allow_empty=True)

    def _merge(self, branch: Branch, *, metadata: dict[str, str], message: str) -> str | None:
        """The merge commit's id; ``None`` if the target has changed the same paths, or holds them by now."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                merged: str = branch.merge_into(
                    self._target, message=message, metadata=metadata, squash_merge=True
                )
                return merged
            except ConflictException:
                return None
            except BadRequestException as error:
                if nothing_changed(error):
                    return None
                raise LakeError(f"Merging '{branch.id}' into '{self._target}': {reason_of(error)}") from error
            except ServerException as error:
                if error.status_code not in _BUSY or attempt == _ATTEMPTS:
                    raise LakeError(
                        f"Merging '{branch.id}' into '{self._target}': {reason_of(error)}"
                    ) from error
                self._back_off(attempt)
        return None

    def _back_off(self, attempt: int) -> None:
        self._pause(random.uniform(0, min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2**attempt)))


def stage_name(write: Write) -> str:
    """`stage-<use case>-<asset>-<first 8 of run id>-<second it was made, hex><4 random hex>`.

    The time in the name lets old branches be recognised even when nothing was committed to them.
    """
    made = f"{int(time.time()):08x}{secrets.token_hex(2)}"
    parts = (write.use_case, write.asset, write.run_id[:8] or "norun", made)
    return STAGE_PREFIX + "-".join(re.sub(r"[^A-Za-z0-9_]+", "_", part) for part in parts)


def _measured(files: Mapping[str, bytes | Path]) -> tuple[_Content, ...]:
    with ThreadPoolExecutor(_WRITERS) as pool:
        return tuple(pool.map(lambda item: _measure(*item), sorted(files.items())))


def _measure(path: str, source: bytes | Path) -> _Content:
    if isinstance(source, bytes):
        sha256 = hashlib.sha256(source).hexdigest()
        md5 = hashlib.md5(source, usedforsecurity=False).hexdigest()
        return _Content(path=path, source=source, size=len(source), sha256=sha256, md5=md5)
    with source.open("rb") as stream:
        sha256 = digest_of(stream, algorithm="sha256")
        size = stream.tell()
        stream.seek(0)
        md5 = digest_of(stream, algorithm="md5")
    return _Content(path=path, source=source, size=size, sha256=sha256, md5=md5)


def _compare(head: Snapshot, *, contents: Sequence[_Content], deletes: Sequence[str]) -> _Difference:
    concerned = [content.path for content in contents] + list(deletes)
    if len(concerned) > _LISTED_PARTITIONS:
        known = {info.path: info for info in head.paths(common_prefix(concerned))}
        held = [known.get(path) for path in concerned]
    else:
        held = [head.find(path) for path in concerned]
    before = dict(zip(concerned, held, strict=True))
    written = tuple(content for content in contents if not content.held_by(before[content.path]))
    return _Difference(
        written=written,
        deleted=tuple(path for path in deletes if before[path] is not None),
        unchanged=len(contents) - len(written),
    )


def _upload(branch: Branch, content: _Content, *, pre_sign: bool) -> None:
    with branch.object(content.path).writer(
        "wb", pre_sign=pre_sign, metadata={SHA256: content.sha256}
    ) as writer:
        if isinstance(content.source, bytes):
            writer.write(content.source)
            return
        with content.source.open("rb") as stream:
            while chunk := stream.read(1024 * 1024):
                writer.write(chunk)


def _metadata(
    write: Write, *, audits: Sequence[CheckResult] | None = None, staged: str | None = None
) -> dict[str, str]:
    """What the commit says about itself, as lakeFS wants it: text by text."""
    metadata = {
        "use_case": write.use_case,
        "asset": write.asset,
        "run_id": write.run_id,
        "code_version": write.code_version,
        "git_commit": write.git_commit,
        **_partitions(write.partitions),
    }
    if audits is not None:
        metadata["audit"] = "failed" if any(check.blocks for check in audits) else "passed"
        metadata["verdict"] = json.dumps(_verdict(audits), sort_keys=True)
    if staged is not None:
        metadata["staged_commit"] = staged
    return {key: value for key, value in metadata.items() if value}


def _partitions(partitions: Sequence[str]) -> dict[str, str]:
    if not partitions:
        return {}
    summary = {
        "partition_first": min(partitions),
        "partition_last": max(partitions),
        "partition_count": str(len(partitions)),
    }
    return (
        {"partitions": ",".join(partitions)} | summary if len(partitions) <= _LISTED_PARTITIONS else summary
    )


def _verdict(audits: Sequence[CheckResult]) -> dict[str, Any]:
    """The counts, and the first failures in full; figures of what passed are Dagster's to keep."""
    failed = [check for check in audits if not check.passed]
    return {
        "checks": len(audits),
        "errors": sum(check.blocks for check in failed),
        "warnings": sum(not check.blocks for check in failed),
        "failed": [
            {
                "name": check.name,
                "severity": check.severity.value,
                "batch": check.batch,
                "reasons": [reason[:500] for reason in check.reasons[:5]],
            }
            for check in failed[:_LISTED_FAILURES]
        ],
    }


def _message(write: Write) -> str:
    if write.message:
        return write.message
    spans = {0: "", 1: f" {write.partitions[0]}" if write.partitions else ""}
    span = spans.get(len(write.partitions), f" {len(write.partitions)} partitions")
    return f"{write.use_case}/{write.asset}{span}"


def _label(check: CheckResult) -> str:
    return check.name if check.batch is None else f"{check.name}[{check.batch}]"
