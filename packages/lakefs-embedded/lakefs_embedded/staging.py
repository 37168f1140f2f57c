"""Uncommitted entries: what has been written to a branch and not committed yet, and how it covers a tree."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator

from lakefs_embedded import trees
from lakefs_embedded.api_error import bad_request
from lakefs_embedded.catalog import Branch
from lakefs_embedded.entries import Entry, from_row, same, to_row
from lakefs_embedded.refs import View
from lakefs_embedded.store import Transaction
from lakefs_embedded.trees import Change


def stage(db: sqlite3.Connection, branch: Branch, path: str, entry: Entry | None) -> None:
    """Writes an entry, or its deletion for None, over what the branch shows at `path`."""
    row = None if entry is None else json.dumps(to_row(entry), ensure_ascii=False)
    db.execute("INSERT OR REPLACE INTO staged (branch, path, entry) VALUES (?, ?, ?)", (branch.id, path, row))


def staged(db: sqlite3.Connection, branch: Branch, *, start: str = "") -> Iterator[Change]:
    """Everything staged at paths >= start, in path order."""
    rows = db.execute("SELECT path, entry FROM staged WHERE branch = ? AND path >= ? ORDER BY path", (branch.id, start))
    for path, row in rows:
        yield path, _entry(row)


def lookup(tx: Transaction, view: View, path: str) -> Entry | None:
    """The entry a reader sees at `path`: the staged one if there is one, else the tree's."""
    if view.branch is not None:
        row = tx.db.execute("SELECT entry FROM staged WHERE branch = ? AND path = ?", (view.branch.id, path)).fetchone()
        if row is not None:
            return _entry(row[0])
    return trees.lookup(tx.nodes, view.commit.tree, path)


def scan(tx: Transaction, view: View, *, start: str) -> Iterator[tuple[str, Entry]]:
    """What a reader sees at paths >= start, in path order."""
    committed = trees.scan(tx.nodes, view.commit.tree, start=start)
    if view.branch is None:
        return committed
    return _overlaid(committed, staged(tx.db, view.branch, start=start))


def changes(tx: Transaction, view: View, *, start: str = "") -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """Staged paths that differ from the commit: path, entry before, entry after."""
    assert view.branch is not None
    for path, entry in staged(tx.db, view.branch, start=start):
        before = trees.lookup(tx.nodes, view.commit.tree, path)
        if not same(before, entry):
            yield path, before, entry


def check_clean(tx: Transaction, view: View) -> None:
    """Raises 400 if the branch holds uncommitted changes."""
    assert view.branch is not None
    if next(changes(tx, view), None) is not None:
        raise bad_request(f"branch {view.branch.name}: uncommitted changes (dirty branch)")


def clear(db: sqlite3.Connection, branch: Branch) -> None:
    db.execute("DELETE FROM staged WHERE branch = ?", (branch.id,))


def reset(db: sqlite3.Connection, branch: Branch, *, kind: str, path: str) -> None:
    """Drops staged changes: all (`reset`), of one `object`, or below a `common_prefix`."""
    if kind == "reset":
        clear(db, branch)
    elif kind == "object":
        db.execute("DELETE FROM staged WHERE branch = ? AND path = ?", (branch.id, path))
    elif kind == "common_prefix":
        db.execute(
            "DELETE FROM staged WHERE branch = ? AND path >= ? AND substr(path, 1, length(?)) = ?",
            (branch.id, path, path, path),
        )
    else:
        raise bad_request(f"unknown reset type {kind!r}: object, common_prefix or reset")


def _entry(row: str | None) -> Entry | None:
    return None if row is None else from_row(json.loads(row))


def _overlaid(committed: Iterable[tuple[str, Entry]], over: Iterable[Change]) -> Iterator[tuple[str, Entry]]:
    below = iter(committed)
    kept = next(below, None)
    for path, entry in over:
        while kept is not None and kept[0] < path:
            yield kept
            kept = next(below, None)
        if kept is not None and kept[0] == path:
            kept = next(below, None)
        if entry is not None:
            yield path, entry
    while kept is not None:
        yield kept
        kept = next(below, None)
