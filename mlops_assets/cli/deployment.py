"""What every command works on: the use case by name, the data folder, the lake and the Dagster instance."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_assets.ml.errors import RegistryError
from mlops_assets.ml.use_case import UseCase
from mlops_assets.stores.lake.lake import Lake
from mlops_assets.stores.landing.landing import LandingZone
from mlops_assets.stores.models.registry import version_ids
from mlops_assets.stores.settings import data_directory, environment_directory
from mlops_assets.use_cases import registry

if TYPE_CHECKING:
    import dagster as dg

UseCaseName = Annotated[str, typer.Argument(help="The use case, a folder under mlops_assets/use_cases.")]


def use_case_of(name: str | None) -> UseCase:
    """The use case, the first by name if none is given; an unknown one is an error that lists the valid ones."""
    return registry.find(name or registry.names()[0])


def use_case_of_version(version: str, *, use_case: str | None) -> UseCase:
    """The use case that has a version of that id: ``use_case`` if given, else the one that is found to have it."""
    if use_case is not None:
        return use_case_of(use_case)
    head = Lake.connect().at()
    holding = [name for name in registry.names() if version in version_ids(head, use_case=name)]
    if len(holding) != 1:
        known = f"{' and '.join(holding)} have one" if holding else f"none of {', '.join(registry.names())} has one"
        raise RegistryError(f"Which version '{version}'? Of the use cases {known}: `mlops models` lists them.")
    return use_case_of(holding[0])


def landing_zone() -> LandingZone:
    """Where files land in this deployment."""
    return LandingZone(data_directory() / "landing")


@contextmanager
def dagster_instance() -> Iterator[dg.DagsterInstance]:
    """The instance that the UI shows. Dagster is imported only by commands that need it: it takes two seconds."""
    import dagster as dg

    from mlops_assets.orchestration.instance import open_instance

    for told in (dg.BetaWarning, dg.PreviewWarning):
        warnings.filterwarnings("ignore", category=told)
    with open_instance(environment_directory()) as instance:
        yield instance
