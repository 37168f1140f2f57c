"""Which code is running: the git commit, whether the tree was changed since, and a fingerprint of a set of files.

What of the code decides a model's bytes, and so its version, is in ``models/identity.py``. The build of a wheel runs
this file by itself: it imports nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
UNKNOWN = "unknown"
BUILT_FROM = "built_from.json"
"""What a wheel says of the commit it was built from; a checkout has no such file."""


@dataclass(frozen=True, kw_only=True)
class GitState:
    """``commit`` is ``unknown`` where git does not tell it, and ``problem`` why; ``diff_hash`` names uncommitted
    changes, empty without any.
    """

    commit: str
    dirty: bool
    diff_hash: str
    problem: str = ""


@cache
def git_state(folder: Path = PACKAGE) -> GitState:
    """The state of the checkout that holds ``folder``, or that its wheel was built from; read once per process."""
    if (folder / BUILT_FROM).is_file():
        return GitState(**json.loads((folder / BUILT_FROM).read_text(encoding="utf-8")))
    try:
        commit = _git(folder, "rev-parse", "HEAD").strip()
        changes = _git(folder, "status", "--porcelain") + _git(folder, "diff", "HEAD")
    except _NotToldError as error:
        return GitState(commit=UNKNOWN, dirty=True, diff_hash="", problem=str(error))
    diff_hash = hashlib.sha256(changes.encode()).hexdigest()[:12] if changes.strip() else ""
    return GitState(commit=commit, dirty=bool(diff_hash), diff_hash=diff_hash)


def code_version(files: Iterable[Path]) -> str:
    """Twelve hex digits over the names and contents of ``files``: the same files give the same version anywhere."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


class _NotToldError(Exception):
    """Git does not tell; the text says why and what to do."""


def _git(folder: Path, *arguments: str) -> str:
    """What git answers about ``folder``, whatever another repository's hook or rebase left in the environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
            env={**environment, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise _NotToldError("git is not installed: install it, so that models record their commit.") from error
    if done.returncode == 0:
        return done.stdout
    raise _NotToldError(_reason(folder, told=done.stderr.strip()))


def _reason(folder: Path, *, told: str) -> str:
    if "dubious ownership" in told:
        return (
            f"git does not read {folder}: another user owns its repository. "
            "Run the `git config --global --add safe.directory …` that `git status` names there."
        )
    first = told.splitlines()[0] if told else "no reason given"
    return f"git does not tell the commit of {folder}: {first}."
