"""What a URL in a setting means: a backend of ours, or one that another distribution brings.

    [project.entry-points."mlops_assets.online_stores"]
    dynamodb = "our_store:DynamoBackend"

The name is the scheme of the URLs it serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

from mlops_assets.contract.errors import SettingError
from mlops_assets.contract.plugins import entry_points_of


@dataclass(frozen=True, kw_only=True)
class Backends:
    """The backends that ``setting`` may name: those of the entry point ``group``, and ``ours`` by their schemes."""

    setting: str
    group: str
    ours: Mapping[str, str]

    def load(self, url: str) -> Any:
        """What serves ``url``. SettingError naming the schemes there are, or what is missing for this one."""
        scheme, separator, _ = url.partition("://")
        by_scheme = self._by_scheme()
        if not separator or scheme not in by_scheme:
            schemes = ", ".join(f"{name}://" for name in by_scheme)
            raise SettingError(f"{self.setting} is '{url}'; it must begin with one of {schemes}.")
        try:  # the client of a store is an optional part of the installation
            return by_scheme[scheme].load()
        except ModuleNotFoundError as error:
            raise SettingError(f"{self.setting} needs '{error.name}' for {scheme}://: pip install it.") from error

    def outside_distributions(self) -> tuple[str, ...]:
        """The installed distributions that bring backends: a service's image needs them too."""
        return tuple(sorted({point.dist.name for point in entry_points_of(self.group) if point.dist}))

    def _by_scheme(self) -> Mapping[str, EntryPoint]:
        ours = [EntryPoint(name=scheme, value=value, group=self.group) for scheme, value in self.ours.items()]
        return {point.name: point for point in (*entry_points_of(self.group), *ours)}
