"""The Dagster resources: the lake, and the folder of what is not in it. Nothing connects before it is used."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import dagster as dg
from pydantic import Field

from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeSettings, data_directory, environment_directory
from mlops_assets.stores.features.online import OnlineStore, open_online_store
from mlops_assets.stores.landing.landing import LandingZone
from mlops_assets.stores.predictions.prediction_log import PredictionLog, prediction_log_of


class LakeResource(dg.ConfigurableResource):
    """The lakeFS repository that every asset reads and publishes to: embedded by default, a real server by setting."""

    branch: str | None = Field(
        default=None, description="The target branch; by default MLOPS_LAKE_BRANCH, else 'main'."
    )

    def connect(self) -> Lake:
        """The lake as the environment says; one connection per process."""
        settings = LakeSettings.from_environment()
        return _connected(settings if self.branch is None else replace(settings, branch=self.branch))


class DataResource(dg.ConfigurableResource):
    """The folder of this deployment: landing zone, online store, prediction log and BentoML's store."""

    directory: str | None = Field(
        default=None, description="Its path; by default MLOPS_DATA_DIR, else 'data' of the checkout."
    )

    @property
    def root(self) -> Path:
        """The folder, whether it exists or not."""
        return Path(self.directory) if self.directory else data_directory()

    @property
    def environment(self) -> Path:
        """The part of it that belongs to the lake branch in use."""
        return Path(self.directory) if self.directory else environment_directory()

    @property
    def landing(self) -> LandingZone:
        """Where outside systems drop files."""
        return LandingZone(self.root / "landing")

    def reports(self, use_case: UseCase) -> Path:
        """Where pages about a use case are written for people to open."""
        return self.environment / "reports" / use_case.name

    @contextmanager
    def online_store(self, use_case: UseCase) -> Iterator[OnlineStore]:
        """The online store of a use case, open while the context lasts."""
        store = open_online_store(use_case.name, data=self.environment)
        try:
            yield store
        finally:
            store.close()

    def prediction_log(self, use_case: UseCase) -> PredictionLog:
        """What the service remembers of its answers."""
        return prediction_log_of(use_case.name, folder=self.environment)


@cache
def _connected(settings: LakeSettings) -> Lake:
    return Lake.connect(settings)
