"""Uncommitted entries: what has been written to a branch and not committed yet."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator

from mlops_assets.stores.lakefs_server import trees
from mlops_assets.stores.lakefs_server.api_error import ApiError, bad_request
from mlops_assets.stores.lakefs_server.catalog import Branch
from mlops_assets.stores.lakefs_server.entries import Entry, from_row, same, to_row
from mlops_assets.stores.lakefs_server.trees import Change, NodeStore


def stage(db: sqlite3.Connection, branch: Branch, path: str, entry: Entry | None) -> None:
    """Writes an entry, or its deletion for None, over what the branch shows at `path`."""
    row = None if entry is None else json.dumps(to_row(entry), ensure_ascii=False)
    db.execute("INSERT OR REPLACE INTO staged (branch, path, entry) VALUES (?, ?, ?)", (branch.id, path, row))


def staged(db: sqlite3.Connection, branch: Branch, *, start: str = "") -> Iterator[Change]:
    """Everything staged at paths >= start, in path order."""
    rows = db.execute(
        "SELECT path, entry FROM staged WHERE branch = ? AND path >= ? ORDER BY path", (branch.id, start)
    )
    for path, row in rows:
        yield path, None if row is None else from_row(json.loads(row))


def lookup(
    db: sqlite3.Connection, nodes: NodeStore, *, tree: str, branch: Branch | None, path: str
) -> Entry | None:
    """The entry a reader sees at `path`: the staged one where there is a branch that has one, else the
    tree's.
    """
    if branch is not None:
        row = db.execute(
            "SELECT entry FROM staged WHERE branch = ? AND path = ?", (branch.id, path)
        ).fetchone()
        if row is not None:
            return None if row[0] is None else from_row(json.loads(row[0]))
    return trees.lookup(nodes, tree, path)


def scan(
    db: sqlite3.Connection, nodes: NodeStore, *, tree: str, branch: Branch | None, start: str
) -> Iterator[tuple[str, Entry]]:
    """What a reader sees at paths >= start, in path order."""
    committed = trees.scan(nodes, tree, start=start)
    if branch is None:
        return committed
    return _overlaid(committed, staged(db, branch, start=start))


def changes(
    db: sqlite3.Connection, nodes: NodeStore, *, tree: str, branch: Branch, start: str = ""
) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """Staged paths that differ from `tree`: path, entry before, entry after."""
    for path, entry in staged(db, branch, start=start):
        before = trees.lookup(nodes, tree, path)
        if not same(before, entry):
            yield path, before, entry


def check_clean(db: sqlite3.Connection, nodes: NodeStore, *, tree: str, branch: Branch) -> None:
    """Raises 400 if the branch holds uncommitted changes."""
    if next(changes(db, nodes, tree=tree, branch=branch), None) is not None:
        raise bad_request(f"branch {branch.name}: uncommitted changes (dirty branch)")


def committed_tree(
    db: sqlite3.Connection, nodes: NodeStore, *, tree: str, branch: Branch
) -> tuple[str, list[Change]]:
    """The tree with everything staged put in, and what changed."""
    changed: list[Change] = [(path, after) for path, _, after in changes(db, nodes, tree=tree, branch=branch)]
    return trees.edit(nodes, tree, changed), changed


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
        raise ApiError(400, f"unknown reset type {kind!r}: object, common_prefix or reset")


def _overlaid(committed: Iterable[tuple[str, Entry]], over: Iterable[Change]) -> Iterator[tuple[str, Entry]]:
    below, above = iter(committed), iter(over)
    kept = next(below, None)
    for path, entry in above:
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
