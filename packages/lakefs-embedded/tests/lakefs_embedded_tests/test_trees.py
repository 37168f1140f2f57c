from __future__ import annotations

import functools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakefs_embedded import trees
from lakefs_embedded.entries import Entry
from lakefs_embedded.trees import EMPTY, Change, Node

Contents = dict[str, Entry]


class CountingNodes:
    """Nodes in a dictionary, with the number of reads and writes."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.loads = 0
        self.saves = 0

    def load(self, name: str) -> Node:
        self.loads += 1
        return self.nodes[name]

    def save(self, node: Node) -> str:
        self.saves += 1
        name = json.dumps([node.level, node.keys, node.values])
        name = f"{node.level}:{hash(name)}"
        self.nodes[name] = node
        return name

    def reset(self) -> None:
        self.loads = self.saves = 0


def entry(value: int, *, mtime: int = 0) -> Entry:
    return Entry(f"{value:064}", value, f"{value:032}", mtime, "text/csv", {})


def sorted_changes(contents: Contents) -> list[Change]:
    return sorted(contents.items())


@functools.cache
def large(count: int) -> tuple[CountingNodes, str]:
    """A tree of `count` entries, made once for all that only add to its nodes."""
    nodes = CountingNodes()
    return nodes, trees.edit(nodes, EMPTY, [(f"day={day:06}/part.csv", entry(day)) for day in range(count)])


paths = st.text(st.sampled_from("abcdefghij/é"), min_size=1, max_size=3)
contents = st.dictionaries(paths, st.integers(0, 3).map(entry), max_size=400)
edits = st.dictionaries(paths, st.none() | st.integers(0, 3).map(entry), max_size=60)


@given(contents, st.lists(edits, max_size=4))
def test_edits_give_what_a_dictionary_gives(start: Contents, steps: list[dict[str, Entry | None]]) -> None:
    nodes, model = CountingNodes(), dict(start)
    root = trees.edit(nodes, EMPTY, sorted_changes(start))
    for step in steps:
        root = trees.edit(nodes, root, sorted(step.items()))
        for path, value in step.items():
            if value is None:
                model.pop(path, None)
            else:
                model[path] = value
    assert list(trees.scan(nodes, root)) == sorted(model.items())
    assert all(trees.lookup(nodes, root, path) == model.get(path) for path in [*model, "nothing"])


@given(contents, edits)
def test_equal_contents_make_equal_trees(start: Contents, step: dict[str, Entry | None]) -> None:
    nodes = CountingNodes()
    edited = trees.edit(nodes, trees.edit(nodes, EMPTY, sorted_changes(start)), sorted(step.items()))
    afresh = trees.edit(nodes, EMPTY, list(trees.scan(nodes, edited)))
    assert edited == afresh


@given(contents, edits, st.just("") | paths)
def test_diff_gives_what_differs(start: Contents, step: dict[str, Entry | None], after: str) -> None:
    nodes = CountingNodes()
    left = trees.edit(nodes, EMPTY, sorted_changes(start))
    right = trees.edit(nodes, left, sorted(step.items()))
    changed = {**start, **step}
    expected = [
        (path, start.get(path), changed[path])
        for path in sorted(changed)
        if path >= after and start.get(path) != changed[path]
    ]
    assert list(trees.diff(nodes, left, right, start=after)) == expected
    assert list(trees.diff(nodes, right, left, start=after)) == [(p, b, a) for p, a, b in expected]


@given(contents, paths)
def test_scan_starts_where_it_is_told(start: Contents, at: str) -> None:
    nodes = CountingNodes()
    root = trees.edit(nodes, EMPTY, sorted_changes(start))
    assert list(trees.scan(nodes, root, start=at)) == [item for item in sorted(start.items()) if item[0] >= at]


def test_time_of_upload_is_no_difference() -> None:
    nodes = CountingNodes()
    left = trees.edit(nodes, EMPTY, [("a", entry(1, mtime=1))])
    right = trees.edit(nodes, EMPTY, [("a", entry(1, mtime=2))])
    assert list(trees.diff(nodes, left, right)) == []


@pytest.mark.parametrize("count", [1_000, 100_000])
def test_one_change_writes_one_node_per_level(count: int) -> None:
    nodes, root = large(count)
    nodes.reset()
    trees.edit(nodes, root, [(f"day={count // 2:06}/part.csv", entry(7_777_777))])
    assert nodes.saves <= 5


def test_diff_of_one_change_reads_few_nodes_of_many() -> None:
    nodes, left = large(100_000)
    right = trees.edit(nodes, left, [("day=050000/part.csv", entry(1))])
    nodes.reset()
    assert [path for path, _, _ in trees.diff(nodes, left, right)] == ["day=050000/part.csv"]
    assert nodes.loads <= 20


def test_lookup_reads_one_node_per_level() -> None:
    nodes, root = large(100_000)
    nodes.reset()
    assert trees.lookup(nodes, root, "day=099999/part.csv") == entry(99_999)
    assert nodes.loads <= 5
