"""Which code is running: the git commit, whether the tree was changed since, and a fingerprint of a set of files."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class GitState:
    """``commit`` is ``unknown`` outside a git checkout; ``diff_hash`` names uncommitted changes, empty without any."""

    commit: str
    dirty: bool
    diff_hash: str


@cache
def git_state(folder: Path = PACKAGE) -> GitState:
    """The state of the checkout that holds ``folder``, read once per process."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return GitState(commit=UNKNOWN, dirty=True, diff_hash="")
    changes = (_git(folder, "status", "--porcelain") or "") + (_git(folder, "diff", "HEAD") or "")
    diff_hash = hashlib.sha256(changes.encode()).hexdigest()[:12] if changes.strip() else ""
    return GitState(commit=commit.strip(), dirty=bool(diff_hash), diff_hash=diff_hash)


def code_version(files: Iterable[Path]) -> str:
    """Twelve hex digits over the names and contents of ``files``: the same files give the same version anywhere."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


@cache
def use_case_code_version(use_case: str) -> str:
    """The version of everything that decides a use case's results: its own folder and ``ml/``."""
    folders = (PACKAGE / "use_cases" / use_case, PACKAGE / "ml")
    return code_version(path for folder in folders for path in _code_of(folder))


@cache
def feature_files(use_case: str) -> Mapping[str, str]:
    """The version of each file of a use case's own folder, by its path there."""
    folder = PACKAGE / "use_cases" / use_case
    return {path.relative_to(folder).as_posix(): code_version([path]) for path in sorted(_code_of(folder))}


def _code_of(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix in {".py", ".sql"})


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers, or ``None`` where there is no git or no checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, timeout=20
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
