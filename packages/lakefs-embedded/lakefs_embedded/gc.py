"""Garbage collection: removing what no branch, tag or commit of a kept age reaches.

Kept are the commits that branches and tags point to, commits younger than the kept age, all ancestors of
those, everything staged on a branch, and the stored bytes that any of it refers to. Safe beside running
servers: they wait while a collection runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from lakefs_embedded import commits
from lakefs_embedded.nodes import SqliteNodes
from lakefs_embedded.store import Store, Transaction
from lakefs_embedded.trees import EMPTY

UNFINISHED_AGE = timedelta(days=1)
"""How old an unfinished upload must be to count as abandoned."""


@dataclass(frozen=True, kw_only=True)
class GarbageReport:
    """What was removed, or with `dry_run` would have been."""

    commits: int
    tree_nodes: int
    objects: int
    unfinished_uploads: int
    bytes_freed: int
    dry_run: bool

    def __str__(self) -> str:
        return (
            f"{'Would remove' if self.dry_run else 'Removed'} {self.commits} commits, {self.objects} objects and "
            f"{self.unfinished_uploads} unfinished uploads: {self.bytes_freed:,} bytes."
        )


def collect_garbage(root: Path, *, keep: timedelta, now: datetime, dry_run: bool = False) -> GarbageReport:
    """Removes what nothing reaches and no commit younger than `keep` needs. `now` is timezone-aware.

    A collection that is killed has removed some of it; the next one removes the rest.
    """
    store = Store(root)
    try:
        with store.objects.collecting():
            with store.committing() as tx:
                dead_commits = _dead_commits(tx.db, younger_than=(now - keep).timestamp())
                nodes, blobs = _reached(tx, dead=set(dead_commits))
                dead_nodes = [name for (name,) in tx.db.execute("SELECT name FROM nodes") if name not in nodes]
                if not dry_run:
                    tx.db.executemany("DELETE FROM commits WHERE repository = ? AND id = ?", dead_commits)
                    tx.db.executemany("DELETE FROM nodes WHERE name = ?", ((name,) for name in dead_nodes))
            dead_files = [path for path in store.objects.stored_files() if path.name not in blobs]
            abandoned = _abandoned(store, before=(now - max(keep, UNFINISHED_AGE)).timestamp())
            freed = _removed([*dead_files, *abandoned], dry_run=dry_run)
    finally:
        store.close()
    return GarbageReport(
        commits=len(dead_commits),
        tree_nodes=len(dead_nodes),
        objects=len(dead_files),
        unfinished_uploads=len(abandoned),
        bytes_freed=freed,
        dry_run=dry_run,
    )


def _dead_commits(db: sqlite3.Connection, *, younger_than: float) -> list[tuple[int, str]]:
    live: set[tuple[int, str]] = set()
    waiting: list[tuple[int, str]] = [
        *db.execute("SELECT repository, commit_id FROM branches"),
        *db.execute("SELECT repository, commit_id FROM tags"),
        *db.execute("SELECT repository, id FROM commits WHERE created >= ?", (younger_than,)),
    ]
    while waiting:
        repository, commit_id = waiting.pop()
        if (repository, commit_id) not in live:
            live.add((repository, commit_id))
            waiting += [(repository, parent) for parent in commits.get(db, repository, commit_id).parents]
    return [key for key in db.execute("SELECT repository, id FROM commits") if key not in live]


def _reached(tx: Transaction, *, dead: set[tuple[int, str]]) -> tuple[set[str], set[str]]:
    """The tree nodes and the blobs that live commits and staged entries refer to."""
    roots = {
        tree
        for repository, commit_id, tree in tx.db.execute("SELECT repository, id, tree FROM commits")
        if (repository, commit_id) not in dead
    }
    staged = tx.db.execute("SELECT json_extract(entry, '$[0]') FROM staged WHERE entry IS NOT NULL")
    nodes, blobs = _walked(tx.nodes, roots)
    return nodes, blobs | {blob for (blob,) in staged}


def _walked(store: SqliteNodes, roots: Iterable[str]) -> tuple[set[str], set[str]]:
    seen: set[str] = {EMPTY}
    blobs: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for value in store.load(name).values:
            if isinstance(value, str):
                waiting.append(value)
            else:
                blobs.add(value.blob)
    return seen, blobs


def _abandoned(store: Store, *, before: float) -> list[Path]:
    return [path for path in store.objects.unfinished_files() if path.lstat().st_mtime < before]


def _removed(paths: Iterable[Path], *, dry_run: bool) -> int:
    """Removes files and returns how many bytes they held."""
    freed = 0
    for path in paths:
        freed += path.lstat().st_size
        if not dry_run:
            path.unlink(missing_ok=True)
    return freed
