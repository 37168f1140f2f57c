"""Finds and loads the use cases that are there: folders beside this file, and those of other installed distributions.

One that cannot be loaded stops no other. Where they are is told by ``contract/plugins.py``.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Sequence
from operator import attrgetter

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.plugins import BrokenUseCase, UseCasePlace, use_case_places
from mlops_assets.contract.use_case import NAME, UseCase

STRICT = "MLOPS_STRICT"
"""Set to 1, as in CI, one broken use case is an error and not a finding."""

_LOADED: dict[UseCasePlace, UseCase] = {}
_CHECKED: set[UseCasePlace] = set()


def names() -> tuple[str, ...]:
    """The names of all use cases, broken ones too, sorted; nothing of them is imported."""
    return tuple(use_case_places())


def find(name: str, *, schemas: bool = True) -> UseCase:
    """The use case of that name; DeclarationError with the reason when it is unknown or broken.

    Without ``schemas`` neither its schemas nor its SQL are read, as a service wants it: they were when its model was
    trained. A failure is never remembered: what was mended is found.
    """
    places = use_case_places().get(name, ())
    if not places:
        raise DeclarationError(f"Unknown use case '{name}'. Use cases: {', '.join(names())}.")
    try:
        return _load(name, places, schemas=schemas)
    except (Exception, SystemExit) as error:
        where = " and ".join(map(str, places))
        raise DeclarationError(f"Use case '{name}', {where}, is broken: {_sentence(error)}") from error


def loaded() -> tuple[tuple[UseCase, ...], tuple[BrokenUseCase, ...]]:
    """All use cases that can be had, and those that cannot; with MLOPS_STRICT=1 the first of these is an error."""
    use_cases, broken = [], []
    for name in names():
        try:
            use_cases.append(find(name))
        except DeclarationError as error:
            broken.append(_broken(name, error))
    return tuple(use_cases), tuple(broken)


def unbuildable(name: str, error: Exception) -> BrokenUseCase:
    """A use case that was loaded and of which nothing can be made, such as assets whose owner Dagster does not take."""
    where = " and ".join(map(str, use_case_places().get(name, ())))
    refused = DeclarationError(f"Use case '{name}', {where}, cannot be built: {_sentence(error)}")
    refused.__cause__ = error
    return _broken(name, refused)


def _broken(name: str, error: DeclarationError) -> BrokenUseCase:
    if os.environ.get(STRICT) == "1":
        raise error
    return BrokenUseCase.by(error, places=use_case_places().get(name, ()), name=name)


def _load(name: str, places: Sequence[UseCasePlace], *, schemas: bool) -> UseCase:
    if len(places) > 1:
        raise DeclarationError("one name is one use case: uninstall one of them, or give it another name.")
    place = places[0]
    if place.fault:
        raise DeclarationError(f"{place.fault}.")
    if not NAME.match(name):
        raise DeclarationError("a name is lower-case letters, digits and underscores, a letter first.")
    if place not in _LOADED:
        _LOADED[place] = _imported(place)
    if schemas and place not in _CHECKED:
        from mlops_assets.use_cases.checked import refuse_unfit  # reads schemas and SQL, which a service does not

        refuse_unfit(_LOADED[place])
        _CHECKED.add(place)
    return _LOADED[place]


def _imported(place: UseCasePlace) -> UseCase:
    importlib.invalidate_caches()  # the file may be younger than the last look at its folder
    if importlib.util.find_spec(place.module.partition(".")[0]) and place.package is None:
        raise DeclarationError(f"'{place.module}' must be in a package, whose folder a service takes along.")
    declared = attrgetter(place.attribute)(importlib.import_module(place.module))
    if not isinstance(declared, UseCase):
        raise DeclarationError(f"{place.module} must export {place.attribute}, a UseCase.")
    if declared.name != place.name:
        raise DeclarationError(f"it calls itself '{declared.name}': give folder, entry point and UseCase one name.")
    return declared


def _sentence(error: BaseException) -> str:
    """What is wrong: our own words as they are, anything else after its kind."""
    text = " ".join(str(error).split())
    return text if isinstance(error, DeclarationError) else f"{type(error).__name__}: {text or 'no reason given'}."
