"""Records of repositories, branches and tags. Commits are in `commits.py`, uncommitted entries in
`staging.py`.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from lakefs_embedded import commits, names
from lakefs_embedded.api_error import ApiError, bad_request, not_found
from lakefs_embedded.trees import EMPTY


@dataclass(frozen=True, kw_only=True)
class Repository:
    id: int
    name: str
    storage_namespace: str
    default_branch: str
    created: int
    read_only: bool


@dataclass(frozen=True, kw_only=True)
class Branch:
    id: int
    name: str
    commit_id: str


@dataclass(frozen=True, kw_only=True)
class Tag:
    name: str
    commit_id: str


_REPOSITORY = "id, name, storage_namespace, default_branch, created, read_only"


def create_repository(
    db: sqlite3.Connection, *, name: str, storage_namespace: str, default_branch: str, read_only: bool
) -> Repository:
    """A repository with its first commit and default branch. Raises 409 if the name is taken."""
    names.check_repository(name)
    names.check_namespace(storage_namespace)
    names.check_branch(default_branch)
    if db.execute("SELECT 1 FROM repositories WHERE name = ?", (name,)).fetchone():
        raise ApiError(409, f"error creating repository: {name}: not unique")
    if db.execute("SELECT 1 FROM repositories WHERE storage_namespace = ?", (storage_namespace,)).fetchone():
        raise bad_request(f"failed to create repository: storage namespace {storage_namespace} is already in use")
    row = (name, storage_namespace, default_branch, int(time.time()), read_only)
    key = db.execute(
        "INSERT INTO repositories (name, storage_namespace, default_branch, created, read_only) VALUES (?, ?, ?, ?, ?)",
        row,
    ).lastrowid
    repository = get_repository(db, name)
    assert repository.id == key
    first = commits.add(db, repository.id, parents=(), tree=EMPTY, message="Repository created", metadata={})
    create_branch(db, repository, name=default_branch, commit_id=first.id)
    return repository


def get_repository(db: sqlite3.Connection, name: str) -> Repository:
    row = db.execute(f"SELECT {_REPOSITORY} FROM repositories WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise not_found(f"repository {name}")
    return _repository(row)


def get_writable(db: sqlite3.Connection, name: str, *, force: bool) -> Repository:
    """The repository, if it may be written to. Raises 403 for a read-only one unless `force`."""
    repository = get_repository(db, name)
    if repository.read_only and not force:
        raise ApiError(403, f"repository {name} is read-only")
    return repository


def list_repositories(db: sqlite3.Connection, *, after: str, prefix: str, search: str, limit: int) -> list[Repository]:
    rows = db.execute(
        f"SELECT {_REPOSITORY} FROM repositories WHERE name > ? AND substr(name, 1, length(?)) = ?"
        " AND instr(name, ?) > 0 ORDER BY name LIMIT ?",
        (after, prefix, prefix, search, limit),
    )
    return [_repository(row) for row in rows]


def delete_repository(db: sqlite3.Connection, repository: Repository) -> None:
    """Forgets it with everything in it. Stored bytes stay until garbage collection."""
    db.execute("DELETE FROM repositories WHERE id = ?", (repository.id,))


def create_branch(
    db: sqlite3.Connection, repository: Repository, *, name: str, commit_id: str, hidden: bool = False
) -> None:
    names.check_branch(name)
    if find_branch(db, repository, name) is not None:
        raise ApiError(409, f"branch {name}: branch already exists")
    db.execute(
        "INSERT INTO branches (repository, name, commit_id, hidden) VALUES (?, ?, ?, ?)",
        (repository.id, name, commit_id, hidden),
    )


def find_branch(db: sqlite3.Connection, repository: Repository, name: str) -> Branch | None:
    row = db.execute(
        "SELECT id, name, commit_id FROM branches WHERE repository = ? AND name = ?", (repository.id, name)
    ).fetchone()
    return None if row is None else Branch(id=row[0], name=row[1], commit_id=row[2])


def get_branch(db: sqlite3.Connection, repository: Repository, name: str) -> Branch:
    branch = find_branch(db, repository, name)
    if branch is None:
        raise not_found(f"branch {name}")
    return branch


def list_branches(
    db: sqlite3.Connection, repository: Repository, *, after: str, prefix: str, hidden: bool, limit: int
) -> list[Branch]:
    rows = db.execute(
        "SELECT id, name, commit_id FROM branches WHERE repository = ? AND name > ?"
        " AND substr(name, 1, length(?)) = ? AND hidden <= ? ORDER BY name LIMIT ?",
        (repository.id, after, prefix, prefix, hidden, limit),
    )
    return [Branch(id=row[0], name=row[1], commit_id=row[2]) for row in rows]


def move_branch(db: sqlite3.Connection, branch: Branch, *, commit_id: str) -> None:
    db.execute("UPDATE branches SET commit_id = ? WHERE id = ?", (commit_id, branch.id))


def delete_branch(db: sqlite3.Connection, repository: Repository, name: str) -> None:
    branch = get_branch(db, repository, name)
    if name == repository.default_branch:
        raise ApiError(403, f"branch {name} is the repository's default branch and cannot be deleted")
    db.execute("DELETE FROM branches WHERE id = ?", (branch.id,))


def create_tag(db: sqlite3.Connection, repository: Repository, *, name: str, commit_id: str, force: bool) -> Tag:
    names.check_tag(name)
    if find_tag(db, repository, name) is not None and not force:
        raise ApiError(409, f"tag {name}: tag already exists")
    db.execute(
        "INSERT OR REPLACE INTO tags (repository, name, commit_id) VALUES (?, ?, ?)",
        (repository.id, name, commit_id),
    )
    return Tag(name=name, commit_id=commit_id)


def find_tag(db: sqlite3.Connection, repository: Repository, name: str) -> Tag | None:
    row = db.execute(
        "SELECT name, commit_id FROM tags WHERE repository = ? AND name = ?", (repository.id, name)
    ).fetchone()
    return None if row is None else Tag(name=row[0], commit_id=row[1])


def get_tag(db: sqlite3.Connection, repository: Repository, name: str) -> Tag:
    tag = find_tag(db, repository, name)
    if tag is None:
        raise not_found(f"tag {name}")
    return tag


def list_tags(db: sqlite3.Connection, repository: Repository, *, after: str, prefix: str, limit: int) -> list[Tag]:
    rows = db.execute(
        "SELECT name, commit_id FROM tags WHERE repository = ? AND name > ?"
        " AND substr(name, 1, length(?)) = ? ORDER BY name LIMIT ?",
        (repository.id, after, prefix, prefix, limit),
    )
    return [Tag(name=row[0], commit_id=row[1]) for row in rows]


def delete_tag(db: sqlite3.Connection, repository: Repository, name: str) -> None:
    get_tag(db, repository, name)
    db.execute("DELETE FROM tags WHERE repository = ? AND name = ?", (repository.id, name))


def _repository(row: tuple[int, str, str, str, int, int]) -> Repository:
    key, name, namespace, default_branch, created, read_only = row
    return Repository(
        id=key,
        name=name,
        storage_namespace=namespace,
        default_branch=default_branch,
        created=created,
        read_only=bool(read_only),
    )
