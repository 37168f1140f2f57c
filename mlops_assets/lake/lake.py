"""The lake: where every version of every file lives, on the embedded server or a real lakeFS alike.

This is the one door: connect here, read through ``Lake.at``, write through ``Lake.publish``, and work with
branches as `mlops lake` does. How each of them works is in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from mlops_assets.lake import branches as lake_branches
from mlops_assets.lake import history as lake_history
from mlops_assets.lake.branches import BranchInfo
from mlops_assets.lake.cache import ObjectCache, Verified
from mlops_assets.lake.connection import Connection, connect, plain_errors
from mlops_assets.lake.history import Change, CommitInfo
from mlops_assets.lake.publishing import Audit, Publication, Publisher
from mlops_assets.lake.settings import LakeSettings
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.write import Write


class Lake:
    """One repository and one target branch of it. Safe for use by many threads; make it with
    ``Lake.connect``.
    """

    def __init__(self, settings: LakeSettings, *, connection: Connection) -> None:
        self.settings = settings
        self.connection = connection
        self.target = settings.branch
        self._verified = Verified()
        self._cache = ObjectCache(settings.cache, limit=settings.cache_bytes)
        self._publisher = Publisher(connection, target=settings.branch, at=self._at_commit)

    @classmethod
    def connect(cls, settings: LakeSettings | None = None) -> Lake:
        """Connects, by default as the environment says, and makes the repository and target branch if
        missing.

        With no lakeFS configured this starts the embedded server inside this process, once however many lakes
        are connected. Raises LakeError when the lake cannot be reached or used.
        """
        chosen = settings or LakeSettings.from_environment()
        return cls(chosen, connection=connect(chosen))

    def head(self, branch: str | None = None) -> str:
        """The commit id at the head of ``branch`` (the target branch unless named)."""
        name = branch or self.target
        with plain_errors(f"reading the head of branch '{name}'"):
            commit: str = self.connection.repository.branch(name).head.id
        return commit

    def at(self, ref: str | None = None) -> Snapshot:
        """The lake as ``ref`` (branch, tag, commit id or prefix, ``main~1``) shows it now, pinned to that
        commit.
        """
        if ref is None:
            return self._at_commit(self.head())
        with plain_errors(f"resolving '{ref}'"):
            commit = self.connection.repository.ref(ref).get_commit().id
        return self._at_commit(commit)

    def publish(
        self, write: Write, *, files: Mapping[str, bytes | Path], deletes: Sequence[str] = (), audit: Audit
    ) -> Publication:
        """Stages ``files`` (path in the lake to bytes or local file) and ``deletes``, audits them, and
        publishes.

        ``audit`` is given the staged snapshot and answers check results. If none blocks, one merge makes
        everything visible on the target branch at once. If others have published the same paths since, the
        write is staged and audited anew on their result, a bounded number of times. Content that is already
        there is not written again; if nothing differs nothing is published (``changed`` is False), though the
        audit still runs.

        Raises WriteRefused (an AuditFailed) if a check blocks, with the branch kept and the verdict in its
        last commit, and LakeError if the lake fails; in both cases the target branch shows nothing of this
        write.
        """
        return self._publisher.publish(write, files=files, deletes=deletes, audit=audit)

    def log(self, path: str | None = None, *, ref: str | None = None, limit: int = 100) -> tuple[CommitInfo, ...]:
        """The newest commits of ``ref`` (the target branch), newest first, touching ``path`` (a folder ends
        in '/').
        """
        return lake_history.log(self.connection, ref or self.target, path=path, limit=limit)

    def diff(self, other: str, *, base: str | None = None, prefix: str = "") -> tuple[Change, ...]:
        """What merging ``other`` into ``base`` (the target branch) would bring."""
        return lake_history.diff(self.connection, base=base or self.target, other=other, prefix=prefix)

    def merge(
        self,
        source: str,
        *,
        into: str | None = None,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> str | None:
        """Merges ``source`` into ``into`` (the target branch); the merge commit, ``None`` if there was
        nothing new.

        Raises LakeError naming the files both changed.
        """
        onto = into or self.target
        text = message or f"Merge '{source}' into '{onto}'"
        return lake_history.merge(self.connection, source=source, into=onto, message=text, metadata=metadata or {})

    def revert(self, commit: str, *, branch: str | None = None) -> CommitInfo:
        """Undoes ``commit`` on ``branch`` (the target branch) by a new commit; LakeError on conflict."""
        return lake_history.revert(self.connection, commit, branch=branch or self.target)

    def branch(self, name: str, *, source: str | None = None) -> str:
        """Makes a zero-copy branch of ``source`` (the target branch); the commit it starts from."""
        return lake_branches.create_branch(self.connection, name, source=source or self.target)

    def branches(self) -> tuple[BranchInfo, ...]:
        """Every branch with what it is for and when it was last worked on."""
        return lake_branches.list_branches(self.connection, target=self.target)

    def delete_branch(self, name: str) -> None:
        """Deletes a branch; the target branch and pins are refused."""
        lake_branches.delete_branch(self.connection, name, target=self.target)

    def clean_branches(self, *, older_than: timedelta, now: datetime) -> tuple[BranchInfo, ...]:
        """Deletes what unfinished and failed writes left before ``now - older_than``; answers what was
        deleted.
        """
        return lake_branches.clean_branches(self.connection, target=self.target, older_than=older_than, now=now)

    def pin(self, name: str, *, commit: str) -> str:
        """Keeps ``commit`` from lakeFS garbage collection under ``name`` (a model version); the branch that
        does it.
        """
        return lake_branches.pin(self.connection, name, commit=commit)

    def unpin(self, name: str) -> None:
        """Gives a pinned commit free again."""
        lake_branches.unpin(self.connection, name)

    def pins(self) -> dict[str, str]:
        """Pinned commits by the name they are pinned under."""
        return lake_branches.pins(self.connection)

    def _at_commit(self, commit: str) -> Snapshot:
        return Snapshot(commit, connection=self.connection, verified=self._verified, cache=self._cache)
