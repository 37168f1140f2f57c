"""Ref expressions: `main`, `main@`, `main$`, `v1~3`, `main^2`, commit ids and their unique prefixes.

A branch name means the branch as its writer sees it, staged entries included; `@` leaves those out, `$` asks
for them explicitly. `~n` goes n first parents back, `^n` to the n-th parent, and both mean committed data.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from lakefs_embedded import catalog, commits
from lakefs_embedded.api_error import bad_request, not_found
from lakefs_embedded.catalog import Branch, Repository
from lakefs_embedded.commits import Commit

MIN_PREFIX = 4

_EXPRESSION = re.compile(r"(?P<base>.*?)(?P<modifiers>[@$]|(?:[~^]\d{0,6})+)?", re.DOTALL)
_MODIFIER = re.compile(r"([~^])(\d*)")
_COMMIT_ID = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, kw_only=True)
class View:
    """What a ref shows: a commit, and the branch whose staged entries lie over it, if any."""

    commit: Commit
    branch: Branch | None = None


def resolve(db: sqlite3.Connection, repository: Repository, ref: str) -> View:
    """Raises 404 for what does not exist, 400 for what cannot be a ref."""
    match = _EXPRESSION.fullmatch(ref)
    assert match is not None
    modifiers = match["modifiers"] or ""
    found = _named(db, repository, match["base"])
    if modifiers == "$" and found.branch is None:
        raise bad_request(f"ref {ref}: only a branch has uncommitted data")
    if modifiers in ("", "$"):
        return found
    if modifiers == "@":
        return View(commit=found.commit)
    return View(commit=_walked(db, repository, found.commit, modifiers))


def resolve_commit(db: sqlite3.Connection, repository: Repository, ref: str) -> Commit:
    """The commit a ref names, leaving out what is uncommitted."""
    return resolve(db, repository, ref).commit


def view_of_branch(db: sqlite3.Connection, repository: Repository, branch: Branch) -> View:
    return View(commit=commits.get(db, repository.id, branch.commit_id), branch=branch)


def _named(db: sqlite3.Connection, repository: Repository, name: str) -> View:
    branch = catalog.find_branch(db, repository, name)
    if branch is not None:
        return view_of_branch(db, repository, branch)
    tag = catalog.find_tag(db, repository, name)
    if tag is not None:
        return View(commit=commits.get(db, repository.id, tag.commit_id))
    if len(name) >= MIN_PREFIX and _COMMIT_ID.fullmatch(name):
        candidates = commits.with_prefix(db, repository.id, name)
        if len(candidates) == 1:
            return View(commit=commits.get(db, repository.id, candidates[0]))
        if candidates:
            raise bad_request(f"ref {name}: more than one commit begins so")
    raise not_found(f"ref {name}")


def _walked(db: sqlite3.Connection, repository: Repository, commit: Commit, modifiers: str) -> Commit:
    for kind, digits in _MODIFIER.findall(modifiers):
        number = int(digits or 1)
        steps = [1] * number if kind == "~" else [number] if number else []
        for parent in steps:
            if parent > len(commit.parents):
                raise not_found(f"parent {parent} of commit {commit.id}")
            commit = commits.get(db, repository.id, commit.parents[parent - 1])
    return commit
