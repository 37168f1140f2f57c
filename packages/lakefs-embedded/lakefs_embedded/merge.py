"""New commits on a branch: committing what is staged, merging, reverting, cherry-picking.

Merging, reverting and cherry-picking are one operation: the changes from a `base` to a `source` are applied
to the branch's tree. A path conflicts if the branch also changed it since `base`, to something else
(https://docs.lakefs.io/understand/how/merge).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from lakefs_embedded import catalog, commits, refs, staging, trees
from lakefs_embedded.api_error import ApiError, bad_request
from lakefs_embedded.catalog import Branch, Repository
from lakefs_embedded.commits import Commit
from lakefs_embedded.entries import Entry, same
from lakefs_embedded.store import Transaction
from lakefs_embedded.trees import Change

STRATEGIES = ("", "source-wins", "dest-wins")


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a new commit says about itself; where it has no message, the operation gives one."""

    message: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    created: int | None = None


@dataclass(frozen=True, kw_only=True)
class Target:
    """The branch that gets a new commit, in the transaction that makes it."""

    tx: Transaction
    repository: Repository
    branch: Branch

    def commit(self, ref: str) -> Commit:
        return refs.resolve_commit(self.tx.db, self.repository, ref)

    def head(self) -> Commit:
        return commits.get(self.tx.db, self.repository.id, self.branch.commit_id)

    def clean_head(self) -> Commit:
        """The head of a branch without uncommitted changes; raises 400 if it has some."""
        view = refs.view_of_branch(self.tx.db, self.repository, self.branch)
        staging.check_clean(self.tx, view)
        return view.commit

    def advance(self, *, parents: list[str], tree: str, note: Note, message: str) -> Commit:
        """Adds a commit and moves the branch to it; `message` is for a note that has none."""
        new = commits.add(
            self.tx.db,
            self.repository.id,
            parents=parents,
            tree=tree,
            message=message if note.message is None else note.message,
            metadata=note.metadata,
            created=note.created,
        )
        catalog.move_branch(self.tx.db, self.branch, commit_id=new.id)
        return new


@dataclass(frozen=True, kw_only=True)
class Merged:
    """A merge done: the new head of the destination, and how many paths it changed how."""

    reference: str
    summary: dict[str, int]


def commit(target: Target, *, note: Note, allow_empty: bool, before_moving: Callable[[list[str]], None]) -> Commit:
    """Commits what is staged. `before_moving` gets the blobs that the new version refers to first."""
    tx, head = target.tx, target.head()
    view = refs.View(commit=head, branch=target.branch)
    changed: list[Change] = [(path, after) for path, _, after in staging.changes(tx, view)]
    if not changed and not allow_empty:
        raise bad_request("commit: no changes")
    tree = trees.edit(tx.nodes, head.tree, changed)
    before_moving([entry.blob for _, entry in changed if entry is not None])
    staging.clear(tx.db, target.branch)
    return target.advance(parents=[head.id], tree=tree, note=note, message="")


def merge(target: Target, *, source_ref: str, note: Note, strategy: str, allow_empty: bool, squash: bool) -> Merged:
    """Merges the committed data of `source_ref` into the branch. Raises 409 with the counts on conflict."""
    if strategy not in STRATEGIES:
        raise bad_request(f"merge strategy {strategy!r}: expected source-wins or dest-wins")
    source, head = target.commit(source_ref), target.clean_head()
    base = commits.merge_base(target.tx.db, target.repository.id, source.id, head.id)
    nothing = any(_equal(target.tx, source.tree, tree) for tree in (base.tree, head.tree))
    if nothing and not allow_empty:
        raise bad_request(f"update branch {target.branch.name}: no changes")
    tree, summary = _three_way(target.tx, base=base.tree, source=source.tree, onto=head.tree, strategy=strategy)
    merged = target.advance(
        parents=[head.id] if squash else [head.id, source.id],
        tree=tree,
        note=note,
        message=f"Merge '{source_ref}' into '{target.branch.name}'",
    )
    return Merged(reference=merged.id, summary=summary)


def revert(target: Target, *, ref: str, parent_number: int, note: Note, allow_empty: bool) -> Commit:
    """Undoes what the commit changed against one of its parents, on top of the branch."""
    undone = target.commit(ref)
    if len(undone.parents) > 1 and parent_number == 0:
        raise bad_request("must specify 1-based parent number for reverting a merge commit")
    return _apply(
        target,
        base=undone.tree,
        source=_parent_tree(target, undone, parent_number),
        note=note,
        message=f"Revert {undone.id}",
        allow_empty=allow_empty,
    )


def cherry_pick(target: Target, *, ref: str, parent_number: int, note: Note) -> Commit:
    """Repeats what the commit changed against a parent (the first unless told), on top of the branch."""
    picked = target.commit(ref)
    origin = {"cherry-pick-origin": picked.id, "cherry-pick-committer": picked.committer}
    return _apply(
        target,
        base=_parent_tree(target, picked, parent_number),
        source=picked.tree,
        note=Note(message=note.message, metadata={**picked.metadata, **note.metadata, **origin}),
        message=picked.message,
        allow_empty=False,
    )


def _apply(target: Target, *, base: str, source: str, note: Note, message: str, allow_empty: bool) -> Commit:
    head = target.clean_head()
    tree, summary = _three_way(target.tx, base=base, source=source, onto=head.tree, strategy="")
    if not any(summary.values()) and not allow_empty:
        raise bad_request(f"update branch {target.branch.name}: no changes")
    return target.advance(parents=[head.id], tree=tree, note=note, message=message)


def _three_way(tx: Transaction, *, base: str, source: str, onto: str, strategy: str) -> tuple[str, dict[str, int]]:
    changed: list[Change] = []
    counts: Counter[str] = Counter(added=0, removed=0, changed=0, conflict=0)
    for path, before, wanted in trees.diff(tx.nodes, base, source):
        current = trees.lookup(tx.nodes, onto, path)
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
    return trees.edit(tx.nodes, onto, changed), dict(counts)


def _kind(before: Entry | None, after: Entry | None) -> str:
    return "added" if before is None else "removed" if after is None else "changed"


def _parent_tree(target: Target, of: Commit, number: int) -> str:
    """The tree of parent `number`, counted from 1; 0 means the first. A commit without parents came from
    none.
    """
    if not 0 <= number <= max(len(of.parents), 1):
        raise bad_request(f"parent {number}: commit {of.id} has {len(of.parents)} parents")
    if not of.parents:
        return trees.EMPTY
    return commits.get(target.tx.db, target.repository.id, of.parents[max(number, 1) - 1]).tree


def _equal(tx: Transaction, left: str, right: str) -> bool:
    return left == right or next(trees.diff(tx.nodes, left, right), None) is None
