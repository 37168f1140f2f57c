"""New commits on a branch: committing what is staged, merging, reverting, cherry-picking.

All of them are three-way: the changes from `base` to `source` are applied to the branch's tree. A path
conflicts if the branch also changed it since `base`, to something else
(https://docs.lakefs.io/understand/how/merge).
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from mlops_assets.stores.lakefs_server import catalog, commits, refs, staging, trees
from mlops_assets.stores.lakefs_server.api_error import ApiError, bad_request
from mlops_assets.stores.lakefs_server.catalog import Branch, Repository
from mlops_assets.stores.lakefs_server.commits import Commit
from mlops_assets.stores.lakefs_server.entries import Entry, same
from mlops_assets.stores.lakefs_server.trees import Change, NodeStore

STRATEGIES = ("", "source-wins", "dest-wins")


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a new commit says about itself; None leaves it to the operation."""

    message: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    created: int | None = None


@dataclass(frozen=True, kw_only=True)
class Merged:
    """A merge done: the new head of the destination, and how many paths it changed how."""

    reference: str
    summary: dict[str, int]


def commit(
    db: sqlite3.Connection,
    nodes: NodeStore,
    repository: Repository,
    branch: Branch,
    *,
    note: Note,
    allow_empty: bool,
    before_moving: Callable[[list[str]], None],
) -> Commit:
    """Commits what is staged. `before_moving` gets the blobs that the new version refers to first."""
    head = commits.get(db, repository.id, branch.commit_id)
    tree, changed = staging.committed_tree(db, nodes, tree=head.tree, branch=branch)
    if not changed and not allow_empty:
        raise bad_request("commit: no changes")
    before_moving([entry.blob for _, entry in changed if entry is not None])
    staging.clear(db, branch)
    return _advance(db, repository, branch, parents=[head.id], tree=tree, note=note, default="")


def merge(
    db: sqlite3.Connection,
    nodes: NodeStore,
    repository: Repository,
    *,
    source_ref: str,
    branch: Branch,
    note: Note,
    strategy: str = "",
    allow_empty: bool = False,
    squash: bool = False,
) -> Merged:
    """Merges the committed data of `source_ref` into the branch. Raises 409 with the counts on conflict."""
    if strategy not in STRATEGIES:
        raise bad_request(f"merge strategy {strategy!r}: expected source-wins or dest-wins")
    source = commits.get(db, repository.id, refs.resolve_commit(db, repository, source_ref))
    head = commits.get(db, repository.id, branch.commit_id)
    staging.check_clean(db, nodes, tree=head.tree, branch=branch)
    base = commits.merge_base(db, repository.id, source.id, head.id)
    nothing = _equal(nodes, base.tree, source.tree) or _equal(nodes, source.tree, head.tree)
    if nothing and not allow_empty:
        raise bad_request(f"update branch {branch.name}: no changes")
    tree, summary = _three_way(nodes, base=base.tree, source=source.tree, onto=head.tree, strategy=strategy)
    merged = _advance(
        db,
        repository,
        branch,
        parents=[head.id] if squash else [head.id, source.id],
        tree=tree,
        note=note,
        default=f"Merge '{source_ref}' into '{branch.name}'",
    )
    return Merged(reference=merged.id, summary=summary)


def revert(
    db: sqlite3.Connection,
    nodes: NodeStore,
    repository: Repository,
    branch: Branch,
    *,
    ref: str,
    parent_number: int,
    note: Note,
    allow_empty: bool,
) -> Commit:
    """Undoes what the commit changed against one of its parents, on top of the branch."""
    undone = commits.get(db, repository.id, refs.resolve_commit(db, repository, ref))
    parent = _parent_tree(db, repository, undone, parent_number, required=True)
    default = Note(message=f"Revert {undone.id}", metadata=note.metadata)
    return _apply(
        db, nodes, repository, branch, base=undone.tree, source=parent, note=_over(note, default),
        allow_empty=allow_empty, verb="revert",
    )  # fmt: skip


def cherry_pick(
    db: sqlite3.Connection,
    nodes: NodeStore,
    repository: Repository,
    branch: Branch,
    *,
    ref: str,
    parent_number: int,
    note: Note,
) -> Commit:
    """Repeats what the commit changed against one of its parents (the first unless told), on top of the
    branch.
    """
    picked = commits.get(db, repository.id, refs.resolve_commit(db, repository, ref))
    parent = _parent_tree(db, repository, picked, parent_number, required=False)
    origin = {"cherry-pick-origin": picked.id, "cherry-pick-committer": picked.committer}
    default = Note(message=picked.message, metadata={**picked.metadata, **note.metadata, **origin})
    return _apply(
        db, nodes, repository, branch, base=parent, source=picked.tree, note=_over(note, default),
        allow_empty=False, verb="cherry-pick",
    )  # fmt: skip


def _apply(
    db: sqlite3.Connection,
    nodes: NodeStore,
    repository: Repository,
    branch: Branch,
    *,
    base: str,
    source: str,
    note: Note,
    allow_empty: bool,
    verb: str,
) -> Commit:
    head = commits.get(db, repository.id, branch.commit_id)
    staging.check_clean(db, nodes, tree=head.tree, branch=branch)
    tree, summary = _three_way(nodes, base=base, source=source, onto=head.tree, strategy="")
    if not any(summary.values()) and not allow_empty:
        raise bad_request(f"{verb} on branch {branch.name}: no changes")
    return _advance(db, repository, branch, parents=[head.id], tree=tree, note=note, default="")


def _three_way(
    nodes: NodeStore, *, base: str, source: str, onto: str, strategy: str
) -> tuple[str, dict[str, int]]:
    changed: list[Change] = []
    counts: Counter[str] = Counter(added=0, removed=0, changed=0, conflict=0)
    for path, before, wanted in trees.diff(nodes, base, source):
        current = trees.lookup(nodes, onto, path)
        if same(current, wanted):
            continue
        if not same(current, before) and strategy != "source-wins":
            counts["conflict"] += strategy == ""
            continue
        changed.append((path, wanted))
        counts[_kind(current, wanted)] += 1
    if counts["conflict"]:
        raise ApiError(
            409,
            f"conflict found: {counts['conflict']} paths",
            fields={"reference": "", "summary": dict(counts)},
        )
    return trees.edit(nodes, onto, changed), dict(counts)


def _kind(before: Entry | None, after: Entry | None) -> str:
    return "added" if before is None else "removed" if after is None else "changed"


def _parent_tree(
    db: sqlite3.Connection, repository: Repository, of: Commit, number: int, *, required: bool
) -> str:
    if len(of.parents) > 1 and number == 0 and required:
        raise bad_request("must specify 1-based parent number for reverting a merge commit")
    if not 0 <= number <= len(of.parents) and not (number == 1 and not of.parents):
        raise bad_request(f"parent {number}: commit {of.id} has {len(of.parents)} parents")
    if not of.parents:
        return trees.EMPTY
    return commits.get(db, repository.id, of.parents[max(number, 1) - 1]).tree


def _over(note: Note, default: Note) -> Note:
    return Note(
        message=default.message if note.message is None else note.message,
        metadata=default.metadata,
        created=note.created,
    )


def _equal(nodes: NodeStore, left: str, right: str) -> bool:
    return left == right or next(trees.diff(nodes, left, right), None) is None


def _advance(
    db: sqlite3.Connection,
    repository: Repository,
    branch: Branch,
    *,
    parents: list[str],
    tree: str,
    note: Note,
    default: str,
) -> Commit:
    new = commits.add(
        db,
        repository.id,
        parents=parents,
        tree=tree,
        message=default if note.message is None else note.message,
        metadata=note.metadata,
        created=note.created,
    )
    catalog.move_branch(db, branch, commit_id=new.id)
    return new
