"""Commits and their ancestry: making one, walking the log, finding a merge base."""

from __future__ import annotations

import hashlib
import heapq
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lakefs_embedded.api_error import not_found

COMMITTER = "embedded"


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One version. `generation` is one more than that of its furthest parent: parents always come later in a
    log.
    """

    id: str
    parents: tuple[str, ...]
    tree: str
    message: str
    metadata: dict[str, str]
    committer: str
    created: int
    generation: int


_COLUMNS = "id, parents, tree, message, metadata, committer, created, generation"


def add(
    db: sqlite3.Connection,
    repository: int,
    *,
    parents: Sequence[str],
    tree: str,
    message: str,
    metadata: dict[str, str],
    created: int | None = None,
) -> Commit:
    """Records a commit; its id is the digest of everything in it."""
    created = int(time.time()) if created is None else created
    generation = 1 + max((get(db, repository, parent).generation for parent in parents), default=0)
    content = json.dumps([list(parents), tree, message, metadata, COMMITTER, created], sort_keys=True)
    commit = Commit(
        id=hashlib.sha256(content.encode()).hexdigest(),
        parents=tuple(parents),
        tree=tree,
        message=message,
        metadata=metadata,
        committer=COMMITTER,
        created=created,
        generation=generation,
    )
    db.execute(
        f"INSERT OR IGNORE INTO commits (repository, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            repository,
            commit.id,
            json.dumps(commit.parents),
            tree,
            message,
            json.dumps(metadata),
            COMMITTER,
            created,
            generation,
        ),
    )
    return commit


def get(db: sqlite3.Connection, repository: int, commit_id: str) -> Commit:
    row = db.execute(
        f"SELECT {_COLUMNS} FROM commits WHERE repository = ? AND id = ?", (repository, commit_id)
    ).fetchone()
    if row is None:
        raise not_found(f"commit {commit_id}")
    return _commit(row)


def with_prefix(db: sqlite3.Connection, repository: int, prefix: str) -> list[str]:
    """Ids of at most two commits that begin with `prefix`: enough to see whether it is unique."""
    rows = db.execute(
        "SELECT id FROM commits WHERE repository = ? AND id >= ? AND id < ? LIMIT 2",
        (repository, prefix, prefix + "g"),
    )
    return [row[0] for row in rows]


def log(db: sqlite3.Connection, repository: int, head: str, *, first_parent: bool) -> Iterator[Commit]:
    """The head and its ancestors, every commit before its parents, newest first where there is a choice."""
    first = get(db, repository, head)
    waiting = [(-first.generation, -first.created, first.id, first)]
    seen = {first.id}
    while waiting:
        commit = heapq.heappop(waiting)[-1]
        yield commit
        for parent in commit.parents[:1] if first_parent else commit.parents:
            if parent not in seen:
                seen.add(parent)
                found = get(db, repository, parent)
                heapq.heappush(waiting, (-found.generation, -found.created, found.id, found))


def merge_base(db: sqlite3.Connection, repository: int, left: str, right: str) -> Commit:
    """The nearest common ancestor: the first commit, furthest generation first, that both sides reach."""
    reached: dict[str, int] = {}
    waiting: list[tuple[int, str]] = []

    def reach(commit_id: str, side: int) -> None:
        before = reached.get(commit_id, 0)
        if before | side != before:
            reached[commit_id] = before | side
            if not before:
                heapq.heappush(waiting, (-get(db, repository, commit_id).generation, commit_id))

    reach(left, 1)
    reach(right, 2)
    while waiting:
        _, commit_id = heapq.heappop(waiting)
        commit, sides = get(db, repository, commit_id), reached[commit_id]
        if sides == 3:
            return commit
        for parent in commit.parents:
            reach(parent, sides)
    raise not_found("common ancestor")


def _commit(row: tuple[str, str, str, str, str, str, int, int]) -> Commit:
    key, parents, tree, message, metadata, committer, created, generation = row
    return Commit(
        id=key,
        parents=tuple(json.loads(parents)),
        tree=tree,
        message=message,
        metadata=json.loads(metadata),
        committer=committer,
        created=created,
        generation=generation,
    )
