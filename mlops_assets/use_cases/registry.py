"""Finds the use cases that are there: every folder beside this file that exports ``USE_CASE``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import mlops_assets.use_cases as folder
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.use_case import UseCase


def names() -> tuple[str, ...]:
    """The names of all use cases, sorted; nothing of them is imported."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(folder.__path__) if module.ispkg))


@cache
def find(name: str) -> UseCase:
    """The use case of that name; an unknown one is a ``DeclarationError`` that lists the valid ones."""
    if name not in names():
        raise DeclarationError(f"Unknown use case '{name}'. Use cases: {', '.join(names())}.")
    module = importlib.import_module(f"{folder.__name__}.{name}")
    found = getattr(module, "USE_CASE", None)
    if not isinstance(found, UseCase):
        raise DeclarationError(f"Folder '{name}' must export USE_CASE, a UseCase, from its __init__.py.")
    if found.name != name:
        raise DeclarationError(f"Use case '{found.name}' stands in folder '{name}': give both one name.")
    return found
