"""The verdict on a key that a caller sent: whose it is, whether it opens what is asked, and whether it asks too fast.

Belongs here: what one process of the service knows of the keys. The file is in ``keys.py``. HTTP is in ``serving/``; it
calls ``KeyRing.verify`` and gives each ``KeyRefused`` the status it has there.
"""

from __future__ import annotations

import hmac
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mlops_assets.contract.errors import (
    KeyExpired,
    KeyMissing,
    KeyRevoked,
    KeyUnknown,
    ScopeMissing,
    ServingError,
    TooFast,
)
from mlops_assets.stores.keys import Key, Scope, hash_of, read_keys

BEARER = re.compile(r"(?i:bearer) +mlops_([0-9a-f]{12})_([0-9a-f]{64}) *\Z")
RECHECK_SECONDS = 1.0
"""How old the view of the file may be: so long does a revoked key go on to work at most."""
NO_SECRET = hash_of("no secret has this hash")
NOBODY = Key(
    id="", name="this machine", scopes=tuple(Scope), sha256=NO_SECRET, created_at=datetime(1970, 1, 1, tzinfo=UTC)
)
"""Who asks from this machine while the deployment has no keys."""


class KeyRing:
    """The keys as one process of the service sees them. Safe for threads.

    Rates are counted in memory, so each worker counts for itself. ``clock`` is the time of day with a zone,
    ``monotonic`` seconds that only grow.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._clock, self._monotonic = path, clock, monotonic
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._needed = False
        self._stamp: object = None
        self._looked_at = float("-inf")
        self._buckets: dict[str, tuple[float, float]] = {}
        self._look()

    @property
    def needed(self) -> bool:
        """Whether there are keys, or were since this was opened: then nobody is answered without one."""
        with self._lock:
            self._look()
            return self._needed

    def verify(self, header: str | None, scope: Scope, *, from_here: bool = False) -> Key:
        """Who sent this ``Authorization`` header, if that key opens ``scope`` now.

        Without any key only this machine is answered: ``from_here`` says that the caller is on it. Raises a KeyRefused,
        or a ServingError while the file cannot be read: who may ask is not known then, so nobody is.
        """
        with self._lock:
            self._look()
            if not self._needed and from_here:
                return NOBODY
            key = self._known(header)
            if scope not in key.scopes:
                raise ScopeMissing(f"Key {key.id} is for {', '.join(key.scopes)}, this needs {scope}.")
            self._spend(key)
            return key

    def _known(self, header: str | None) -> Key:
        if not self._needed:
            raise KeyMissing("This service has no keys and answers its own machine alone: `mlops keys new` makes one.")
        written = BEARER.match(header or "")
        if written is None:
            raise KeyMissing("A key is needed: send `Authorization: Bearer mlops_…`.")
        key = self._keys.get(written[1])
        # compared also where no key has the id, so that the time it takes does not tell which ids there are
        right = hmac.compare_digest(hash_of(written[2]), key.sha256 if key else NO_SECRET)
        if key is None or not right:
            raise KeyUnknown("This key is not known here.")
        state = key.state(self._clock())
        if state == "revoked":
            raise KeyRevoked(f"Key {key.id} was revoked: ask who runs this service for another.")
        if state == "expired":
            raise KeyExpired(f"Key {key.id} has expired: ask who runs this service for another.")
        return key

    def _spend(self, key: Key) -> None:
        """A token of the key's bucket, which fills by ``rate`` up to ``burst``."""
        if key.rate is None:
            return
        now = self._monotonic()
        tokens, since = self._buckets.get(key.id, (float(key.burst), now))
        tokens = min(float(key.burst), tokens + (now - since) * key.rate)
        if tokens < 1:
            self._buckets[key.id] = (tokens, now)
            raise TooFast(f"Key {key.id} may ask {key.rate:g} times a second.", retry_after=(1 - tokens) / key.rate)
        self._buckets[key.id] = (tokens - 1, now)

    def _look(self) -> None:
        """Reads the file anew if it has changed, every ``RECHECK_SECONDS`` at most; at once where it could not be."""
        now = self._monotonic()
        if now - self._looked_at < RECHECK_SECONDS:
            return
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._keys = {key.id: key for key in read_keys(self._path)}
            self._needed = self._needed or bool(self._keys)
            self._stamp = stamp
        self._looked_at = now


def _stamp(path: Path) -> object:
    """What changes whenever the file is replaced; None without one."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServingError(f"The keys in {path} cannot be read: {error.strerror}.") from error
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
