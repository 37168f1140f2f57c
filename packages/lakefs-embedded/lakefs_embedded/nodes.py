"""Tree nodes in SQLite: compressed JSON under the sha256 of its text, with a small cache of read ones."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import zlib
from collections import OrderedDict

from lakefs_embedded.entries import from_row
from lakefs_embedded.trees import Node

CACHED_NODES = 4096


class NodeCache:
    """Least recently used nodes, shared by the threads of a process. Nodes never change, so it never lies."""

    def __init__(self) -> None:
        self._nodes: OrderedDict[str, Node] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> Node | None:
        with self._lock:
            node = self._nodes.get(name)
            if node is not None:
                self._nodes.move_to_end(name)
            return node

    def put(self, name: str, node: Node) -> None:
        with self._lock:
            self._nodes[name] = node
            while len(self._nodes) > CACHED_NODES:
                self._nodes.popitem(last=False)


class SqliteNodes:
    """The `NodeStore` of one transaction."""

    def __init__(self, connection: sqlite3.Connection, cache: NodeCache) -> None:
        self._connection = connection
        self._cache = cache

    def load(self, name: str) -> Node:
        node = self._cache.get(name)
        if node is None:
            row = self._connection.execute("SELECT body FROM nodes WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise LookupError(f"tree node {name} is missing from the store")
            node = _decoded(zlib.decompress(row[0]))
            self._cache.put(name, node)
        return node

    def save(self, node: Node) -> str:
        text = json.dumps([node.level, node.keys, node.values], ensure_ascii=False, separators=(",", ":")).encode()
        name = hashlib.sha256(text).hexdigest()
        self._connection.execute(
            "INSERT OR IGNORE INTO nodes (name, body) VALUES (?, ?)", (name, zlib.compress(text, 1))
        )
        self._cache.put(name, node)
        return name


def _decoded(text: bytes) -> Node:
    level, keys, values = json.loads(text)
    return Node(level=level, keys=keys, values=[from_row(row) for row in values] if level == 0 else values)
