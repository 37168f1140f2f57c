"""What a URL in a setting means: a backend of ours, or one that another distribution brings.

    [project.entry-points."mlops_assets.online_stores"]
    dynamodb = "our_store:DynamoBackend"

    [project.entry-points."mlops_assets.prediction_logs"]
    kafka = "our_log:kafka_log"

    [project.entry-points."mlops_assets.alert_channels"]
    pager = "our_pager:Pager"

The name is the scheme of the URLs it serves, the value a ``MakesBackend`` (``features/online_backend.py``), a
``MakesLog`` (``predictions/prediction_log.py``) or a ``MakesChannel`` (``alerts/channels.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

from mlops_assets.contract.errors import SettingError
from mlops_assets.contract.plugins import entry_points_of

_REDIS = "mlops_assets.stores.features.online_redis:RedisBackend"
_POSTGRES = "mlops_assets.stores.predictions.postgres_database:postgres_log"
_APPRISE = "mlops_assets.stores.alerts.apprise_channel:AppriseChannel"


@dataclass(frozen=True, kw_only=True)
class Backends:
    """The backends that ``setting`` may name: those of the entry point ``group``, and ``ours`` by their schemes.

    ``otherwise`` serves the schemes that none of them has.
    """

    setting: str
    group: str
    ours: Mapping[str, str]
    otherwise: str = ""

    def load(self, url: str) -> Any:
        """What serves ``url``. SettingError naming the schemes there are, or what is missing for this one."""
        scheme, separator, _ = url.partition("://")
        by_scheme = self._by_scheme()
        if separator and self.otherwise:
            by_scheme = {scheme: self._point(scheme, self.otherwise), **by_scheme}
        if not separator or scheme not in by_scheme:
            schemes = ", ".join(f"{name}://" for name in by_scheme) or "a scheme, such as mailto://"
            told = f"{scheme}://…" if separator else "no URL"  # a URL may hold a password
            raise SettingError(f"{self.setting} is {told}; it must begin with one of {schemes}.")
        try:  # the client of a store is an optional part of the installation
            return by_scheme[scheme].load()
        except ModuleNotFoundError as error:
            raise SettingError(f"{self.setting} needs '{error.name}' for {scheme}://: pip install it.") from error

    def _by_scheme(self) -> dict[str, EntryPoint]:
        ours = [self._point(scheme, value) for scheme, value in self.ours.items()]
        return {point.name: point for point in (*entry_points_of(self.group), *ours)}

    def _point(self, scheme: str, value: str) -> EntryPoint:
        return EntryPoint(name=scheme, value=value, group=self.group)


ONLINE_STORES = Backends(
    setting="MLOPS_ONLINE_STORE_URL",
    group="mlops_assets.online_stores",
    ours={"redis": _REDIS, "rediss": _REDIS, "unix": _REDIS},
)
PREDICTION_LOGS = Backends(
    setting="MLOPS_PREDICTION_LOG_URL",
    group="mlops_assets.prediction_logs",
    ours={"postgresql": _POSTGRES, "postgres": _POSTGRES},
)
ALERT_CHANNELS = Backends(setting="MLOPS_ALERT_URLS", group="mlops_assets.alert_channels", ours={}, otherwise=_APPRISE)


def outside_distributions() -> tuple[str, ...]:
    """The installed distributions that bring backends: a service's image needs them too."""
    points = [point for kind in (ONLINE_STORES, PREDICTION_LOGS) for point in entry_points_of(kind.group)]
    return tuple(sorted({point.dist.name for point in points if point.dist}))
