"""Ref expressions: `main`, `main@`, `main$`, `v1~3`, `main^2`, commit ids and their unique prefixes.

A branch name means the branch as its writer sees it, staged entries included; `@` leaves those out, `$` asks
for them explicitly. `~n` goes n first parents back, `^n` to the n-th parent, and both mean committed data.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from mlops_assets.stores.lakefs_server import catalog, commits
from mlops_assets.stores.lakefs_server.api_error import bad_request, not_found
from mlops_assets.stores.lakefs_server.catalog import Branch, Repository

MIN_PREFIX = 4

_EXPRESSION = re.compile(r"(?P<base>.*?)(?P<modifiers>[@$]|(?:[~^]\d{0,6})+)?", re.DOTALL)
_MODIFIER = re.compile(r"([~^])(\d*)")
_COMMIT_ID = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What a ref names: a commit, and the branch whose staged entries lie over it, if any."""

    commit_id: str
    branch: Branch | None = None


def resolve(db: sqlite3.Connection, repository: Repository, ref: str) -> Resolved:
    """Raises 404 for what does not exist, 400 for what cannot be a ref."""
    match = _EXPRESSION.fullmatch(ref)
    assert match is not None
    base, modifiers = match["base"], match["modifiers"] or ""
    found = _named(db, repository, base)
    if modifiers == "@":
        return Resolved(commit_id=found.commit_id)
    if modifiers == "$":
        if found.branch is None:
            raise bad_request(f"ref {ref}: only a branch has uncommitted data")
        return found
    if not modifiers:
        return found
    return Resolved(commit_id=_walk(db, repository, found.commit_id, modifiers))


def resolve_commit(db: sqlite3.Connection, repository: Repository, ref: str) -> str:
    """The commit a ref names, leaving out what is uncommitted."""
    return resolve(db, repository, ref).commit_id


def _named(db: sqlite3.Connection, repository: Repository, name: str) -> Resolved:
    branch = catalog.find_branch(db, repository, name)
    if branch is not None:
        return Resolved(commit_id=branch.commit_id, branch=branch)
    tag = catalog.find_tag(db, repository, name)
    if tag is not None:
        return Resolved(commit_id=tag.commit_id)
    if len(name) >= MIN_PREFIX and _COMMIT_ID.fullmatch(name):
        candidates = commits.with_prefix(db, repository.id, name)
        if len(candidates) == 1:
            return Resolved(commit_id=candidates[0])
        if candidates:
            raise bad_request(f"ref {name}: more than one commit begins so")
    raise not_found(f"ref {name}")


def _walk(db: sqlite3.Connection, repository: Repository, commit_id: str, modifiers: str) -> str:
    for kind, digits in _MODIFIER.findall(modifiers):
        number = int(digits or 1)
        steps = [1] * number if kind == "~" else [number] if number else []
        for parent in steps:
            parents = commits.get(db, repository.id, commit_id).parents
            if parent > len(parents):
                raise not_found(f"parent {parent} of commit {commit_id}")
            commit_id = parents[parent - 1]
    return commit_id
