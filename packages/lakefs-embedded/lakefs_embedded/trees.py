"""Immutable trees from path to entry, with shared structure.

A tree is a prolly tree: a B-tree whose node boundaries depend only on the keys. A key ends a node of level L
when its hash has at least 6·(L+1) trailing zero bits, so nodes hold 64 items on average and equal contents
give equal trees, whatever the order in which they came about. Nodes are named by the hash of their contents;
an edit writes only the nodes on the paths to what changed, and a diff reads only the nodes that differ.

What belongs here: the pure algorithm over a `NodeStore`. Where nodes are kept is `nodes.py`. Background:
prolly trees, as in Noms and Dolt (https://docs.dolthub.com/architecture/storage-engine/prolly-tree).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from lakefs_embedded.entries import Entry, same

EMPTY = ""
"""The name of the tree without entries."""

Change = tuple[str, Entry | None]
"""A path with its new entry; `None` removes it."""

_BITS_PER_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Node:
    """Level 0 holds entries, level n > 0 names of nodes of level n - 1, under the greatest key below each."""

    level: int
    keys: list[str]
    values: Sequence[Entry | str]


class NodeStore(Protocol):
    def load(self, name: str) -> Node: ...

    def save(self, node: Node) -> str: ...


def lookup(nodes: NodeStore, root: str, path: str) -> Entry | None:
    """The entry at `path`, or None. Reads one node per level."""
    value: Entry | str = root
    while isinstance(value, str):
        if value == EMPTY:
            return None
        node = nodes.load(value)
        at = bisect_left(node.keys, path)
        if at == len(node.keys) or (node.level == 0 and node.keys[at] != path):
            return None
        value = node.values[at]
    return value


def scan(nodes: NodeStore, root: str, *, start: str = "") -> Iterator[tuple[str, Entry]]:
    """Entries with path >= start in path order, reading nodes as they are needed."""
    if root == EMPTY:
        return
    node = nodes.load(root)
    for at in range(bisect_left(node.keys, start), len(node.keys)):
        value = node.values[at]
        if isinstance(value, str):
            yield from scan(nodes, value, start=start)
        else:
            yield node.keys[at], value


def edit(nodes: NodeStore, root: str, changes: Sequence[Change]) -> str:
    """The tree `root` with `changes` applied; they are sorted by path, each path at most once.

    Cost: the changed entries times the height of the tree, not its size.
    """
    if not changes:
        return root
    builder = _Builder(nodes)
    if root == EMPTY:
        builder.add_entries(changes)
    else:
        _rebuild(builder, nodes, root, changes)
    return builder.finish()


def _rebuild(builder: _Builder, nodes: NodeStore, name: str, changes: Sequence[Change]) -> None:
    node = nodes.load(name)
    if node.level == 0:
        builder.add_entries(_merged(node, changes))
        return
    done = 0
    for at, (key, child) in enumerate(zip(node.keys, node.values, strict=True)):
        last = at == len(node.keys) - 1
        end = len(changes) if last else bisect_right(changes, key, lo=done, key=lambda change: change[0])
        mine = changes[done:end]
        done = end
        assert isinstance(child, str)
        if not mine and builder.aligned(node.level):
            builder.push(node.level, key, child)
        else:
            _rebuild(builder, nodes, child, mine)


def _merged(leaf: Node, changes: Sequence[Change]) -> Iterable[Change]:
    rows = zip(leaf.keys, cast("Sequence[Entry]", leaf.values), strict=True)
    if not changes:
        return rows
    merged: dict[str, Entry | None] = dict(rows)
    merged.update(changes)
    return sorted(merged.items(), key=lambda item: item[0])


class _Builder:
    """Cuts a sorted stream of entries, or of whole unchanged subtrees, into nodes."""

    def __init__(self, nodes: NodeStore) -> None:
        self._nodes = nodes
        self._open: list[list[tuple[str, Entry | str]]] = [[]]

    def aligned(self, level: int) -> bool:
        """Whether a node of `level - 1` may be taken over whole: nothing is open below it."""
        return not any(self._open[:level])

    def add_entries(self, entries: Iterable[Change]) -> None:
        for path, entry in entries:
            if entry is not None:
                self.push(0, path, entry)

    def push(self, level: int, key: str, value: Entry | str) -> None:
        while len(self._open) <= level:
            self._open.append([])
        self._open[level].append((key, value))
        if _rank(key) > level:
            self._close(level)

    def finish(self) -> str:
        """Closes what is open and returns the lowest node that holds everything."""
        level = 0
        while level < len(self._open):
            items = self._open[level]
            if level > 0 and level == len(self._open) - 1 and len(items) == 1:
                return self._collapsed(str(items[0][1]))
            if items:
                self._close(level)
            level += 1
        return EMPTY

    def _close(self, level: int) -> None:
        items = self._open[level]
        self._open[level] = []
        keys = [key for key, _ in items]
        name = self._nodes.save(Node(level=level, keys=keys, values=[value for _, value in items]))
        if len(self._open) == level + 1:
            self._open.append([])
        self.push(level + 1, keys[-1], name)

    def _collapsed(self, root: str) -> str:
        node = self._nodes.load(root)
        while node.level > 0 and len(node.values) == 1:
            root = str(node.values[0])
            node = self._nodes.load(root)
        return root


def _rank(key: str) -> int:
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") or 1
    return ((number & -number).bit_length() - 1) // _BITS_PER_LEVEL


def diff(
    nodes: NodeStore, left: str, right: str, *, start: str = ""
) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """Paths >= start that differ, in path order, each with its entry on the left and on the right."""
    ours, theirs = _Cursor(nodes, left, start), _Cursor(nodes, right, start)
    while ours.settle() | theirs.settle():
        if ours.is_node and theirs.is_node:
            if ours.value == theirs.value:
                ours.skip()
                theirs.skip()
            else:
                deeper = ours.level - theirs.level
                if deeper >= 0:
                    ours.expand()
                if deeper <= 0:
                    theirs.expand()
        elif ours.is_node:
            ours.expand()
        elif theirs.is_node:
            theirs.expand()
        else:
            path = min(cursor.key for cursor in (ours, theirs) if not cursor.done)
            before, after = ours.take(path), theirs.take(path)
            if not same(before, after):
                yield path, before, after


class _Cursor:
    """A position in a tree that can be a whole subtree, so that equal subtrees are passed over unread."""

    def __init__(self, nodes: NodeStore, root: str, start: str) -> None:
        self._nodes = nodes
        self._start = start
        self._stack: list[tuple[str, int, Entry | str]] = []
        self.done = root == EMPTY
        self.key: str = ""
        self.level: int = -1
        self.value: Entry | str = EMPTY
        if not self.done:
            self._stack.append(("", nodes.load(root).level, root))

    def settle(self) -> bool:
        """Shows what the cursor stands on; False at the end."""
        self.done = not self._stack
        if not self.done:
            self.key, self.level, self.value = self._stack[-1]
        return not self.done

    @property
    def is_node(self) -> bool:
        return not self.done and self.level >= 0

    def skip(self) -> None:
        self._stack.pop()

    def expand(self) -> None:
        """Steps into the subtree, leaving out what lies before the start."""
        _, _, name = self._stack.pop()
        node = self._nodes.load(str(name))
        first = bisect_left(node.keys, self._start)
        for at in range(len(node.keys) - 1, first - 1, -1):
            self._stack.append((node.keys[at], node.level - 1, node.values[at]))

    def take(self, path: str) -> Entry | None:
        """The entry at `path` if the cursor stands on it, moving past it."""
        if self.done or self.key != path:
            return None
        _, _, entry = self._stack.pop()
        assert isinstance(entry, Entry)
        return entry
