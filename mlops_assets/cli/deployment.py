"""What every command works on: the use case by name, the data folder and the Dagster instance.

Almost every command imports this, so it imports little.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_assets.cli.completion import use_case_names, version_names
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.settings import data_directory, environment_directory
from mlops_assets.stores.landing.landing import LandingZone
from mlops_assets.use_cases import registry

if TYPE_CHECKING:
    import dagster as dg

HELP = "The use case: a folder under mlops_assets/use_cases, or of another installed package."
UseCaseName = Annotated[str, typer.Argument(help=HELP, autocompletion=use_case_names)]
VERSION_HELP = "A version, as `mlops models` lists it."
VersionName = Annotated[str, typer.Argument(help=VERSION_HELP, autocompletion=version_names)]


def use_case_of(name: str | None) -> UseCase:
    """The use case, the first by name that is not broken if none is given; an unknown one is an error that lists the
    valid ones.
    """
    if name is not None:
        return registry.find(name)
    use_cases, broken = registry.loaded()
    if not use_cases:
        reasons = " ".join(each.reason for each in broken) or "None is installed."
        raise DeclarationError(f"There is no use case that can be loaded. {reasons}")
    return use_cases[0]


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
