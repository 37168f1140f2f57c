"""Which backend of the online store a URL means: ours, or one that another distribution brings.

    [project.entry-points."mlops_assets.online_stores"]
    dynamodb = "our_store:DynamoBackend"

The name is the scheme of the URLs it serves, the value a ``Backend`` (``online_backend.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Protocol

from mlops_assets.contract.errors import SettingError
from mlops_assets.contract.plugins import entry_points_of
from mlops_assets.stores.features.online_backend import Backend

GROUP = "mlops_assets.online_stores"
OURS = tuple(
    EntryPoint(name=scheme, value="mlops_assets.stores.features.online_redis:RedisBackend", group=GROUP)
    for scheme in ("redis", "rediss", "unix")
)


class MakesBackend(Protocol):
    """What an entry point names."""

    def __call__(self, url: str, *, use_case: str) -> Backend:
        """The backend of one use case where ``url`` says."""
        ...


def backend_of(url: str) -> MakesBackend:
    """Raises SettingError naming the schemes there are, or what is missing for this one."""
    scheme, separator, _ = url.partition("://")
    known = _by_scheme()
    if not separator or scheme not in known:
        schemes = ", ".join(f"{each}://" for each in known)
        raise SettingError(f"MLOPS_ONLINE_STORE_URL is '{url}'; it must begin with one of {schemes}.")
    try:  # the client of a store is an optional part of the installation
        made: MakesBackend = known[scheme].load()
    except ModuleNotFoundError as error:
        raise SettingError(f"MLOPS_ONLINE_STORE_URL needs '{error.name}' for {scheme}://: pip install it.") from error
    return made


def outside_distributions() -> tuple[str, ...]:
    """The installed distributions that bring backends: a service's image needs them too."""
    return tuple(sorted({point.dist.name for point in entry_points_of(GROUP) if point.dist}))


def _by_scheme() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in (*entry_points_of(GROUP), *OURS)}
