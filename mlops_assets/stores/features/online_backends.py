"""Which backend of the online store a URL means: Redis, or one that another distribution brings by an entry point of
``GROUP``, a ``Backend`` (``online_backend.py``).
"""

from __future__ import annotations

from typing import Protocol

from mlops_assets.stores.backends import Backends
from mlops_assets.stores.features.online_backend import Backend

GROUP = "mlops_assets.online_stores"
_REDIS = "mlops_assets.stores.features.online_redis:RedisBackend"
ONLINE_BACKENDS = Backends(
    setting="MLOPS_ONLINE_STORE_URL", group=GROUP, ours={"redis": _REDIS, "rediss": _REDIS, "unix": _REDIS}
)


class MakesBackend(Protocol):
    """What an entry point names."""

    def __call__(self, url: str, *, use_case: str) -> Backend:
        """The backend of one use case where ``url`` says."""
        ...


def backend_of(url: str) -> MakesBackend:
    """SettingError naming the schemes there are, or what is missing for this one."""
    made: MakesBackend = ONLINE_BACKENDS.load(url)
    return made
