"""The keys of a deployment's service: who may ask it for what, and how fast.

Belongs here: what a key is, and the file of them. The verdict on a key that a caller sent is in ``key_ring.py``.

A key is written ``mlops_<id>_<secret>``. The id is public: logs and `mlops keys list` name it. The secret is 256 random
bits and is kept as its SHA-256 alone. A slow hash such as bcrypt makes guessing expensive where people choose
passwords; nobody guesses 256 bits, and a slow hash would cost every request what its model does not.

The file is replaced as a whole, by one process at a time, and readable by its owner alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from mlops_assets.contract.errors import ServingError, SettingError


class Scope(StrEnum):
    """A part of the service. None holds another: a key opens what it names."""

    PREDICT = "predict"
    OUTCOMES = "outcomes"
    ADMIN = "admin"


class Key(BaseModel):
    """One key without its secret. ``rate`` is requests per second, unlimited if None; ``burst`` is how many may come at
    once after a pause.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    scopes: tuple[Scope, ...]
    sha256: str
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    burst: int = Field(default=1, ge=1)

    def state(self, now: datetime) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = Field(default=1, ge=1, le=1)
    keys: tuple[Key, ...] = ()


def read_keys(path: Path) -> tuple[Key, ...]:
    """Every key ever made, revoked ones among them; none where there is no file. ServingError if it cannot be read."""
    try:
        return _Keys.model_validate_json(path.read_bytes()).keys
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else error.errors(include_url=False)[0]["msg"]
        raise ServingError(f"The keys in {path} cannot be read: {why}. Restore the file, or make new keys.") from error


def new_key(
    path: Path,
    *,
    name: str,
    scopes: tuple[Scope, ...],
    now: datetime,
    expires_at: datetime | None = None,
    rate: float | None = None,
    burst: int | None = None,
) -> str:
    """Makes a key and answers it as its owner writes it: the only time that anybody sees the secret.

    ``burst`` is one second's worth of ``rate`` unless it is said. SettingError for a name in use or no scope.
    """
    if not scopes:
        raise SettingError(f"A key needs a scope: {', '.join(Scope)}.")
    if expires_at is not None and expires_at <= now:
        raise SettingError(f"A key that expires at {expires_at:%Y-%m-%d %H:%M} UTC would never work.")
    public, secret = secrets.token_hex(6), secrets.token_hex(32)
    key = Key(
        id=public,
        name=name,
        scopes=tuple(dict.fromkeys(scopes)),
        sha256=hash_of(secret),
        created_at=now,
        expires_at=expires_at,
        rate=rate,
        burst=burst or max(1, round(rate or 1)),
    )
    with _alone(path):
        keys = read_keys(path)
        if any(each.name == name and each.state(now) == "active" for each in keys):
            raise SettingError(f"There is a key '{name}' already: revoke it, or take another name for this one.")
        _replace(path, (*keys, key))
    return f"mlops_{public}_{secret}"


def revoke_key(path: Path, *, name: str, now: datetime) -> Key:
    """Revokes the key of that id, or the active one of that name. SettingError that lists the active ones."""
    with _alone(path):
        keys = read_keys(path)
        active = [key for key in keys if key.revoked_at is None]
        named = [key for key in active if key.id == name] or [key for key in active if key.name == name]
        if not named:
            listed = ", ".join(f"{key.name} ({key.id})" for key in active) or "none"
            raise SettingError(f"There is no key '{name}' to revoke. Keys: {listed}.")
        revoked = named[-1].model_copy(update={"revoked_at": now})
        _replace(path, tuple(revoked if key.id == revoked.id else key for key in keys))
    return revoked


def hash_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other process of this machine changes the file meanwhile."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f".{path.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise SettingError(
            f"The keys in {path} cannot be changed: {error.strerror}. Change them where they come from."
        ) from error


def _replace(path: Path, keys: tuple[Key, ...]) -> None:
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_Keys(keys=keys).model_dump_json(indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
