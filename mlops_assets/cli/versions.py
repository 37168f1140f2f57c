"""Which use case a version is of: what commands are told is an id alone."""

from __future__ import annotations

from mlops_assets.cli.deployment import use_case_of
from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.models.registry import version_ids
from mlops_assets.use_cases import registry


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
