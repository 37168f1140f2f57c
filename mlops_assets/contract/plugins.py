"""Where use cases are declared, told without importing one: the folders that are shipped, and the entry points of the
group ``mlops_assets.use_cases`` that any installed distribution may have.

    [project.entry-points."mlops_assets.use_cases"]
    churn = "our_models.churn"

Importing one, and what is done about one that cannot be imported, is in ``use_cases/registry.py``.
"""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Self

GROUP = "mlops_assets.use_cases"
EXPORT = "USE_CASE"
SHIPPED = Path(__file__).resolve().parents[1] / "use_cases"
OURS = "mlops-assets"


@dataclass(frozen=True, kw_only=True)
class UseCasePlace:
    """Where a use case is declared: ``attribute`` of ``module``, installed by ``distribution``.

    ``fault`` says why there is nothing to import, such as an entry point that is not written as one.
    """

    name: str
    module: str
    distribution: str
    attribute: str = EXPORT
    fault: str = ""

    @property
    def folder(self) -> Path | None:
        """The folder that holds the use case's own files, ``None`` where its module is not there; nothing is run."""
        return _folder_of(self.module)

    @property
    def package(self) -> Path | None:
        """The folder of the import package it belongs to, which a service must have as a whole; ``None`` of a module
        that stands by itself.
        """
        spec = _spec_of(self.module.partition(".")[0])
        return None if spec is None or not spec.submodule_search_locations else _folder_of(spec.name)

    def __str__(self) -> str:
        return f"{self.module or 'no module'} of {self.distribution}"


@dataclass(frozen=True, kw_only=True)
class BrokenUseCase:
    """A use case that is declared somewhere and cannot be had: the ``reason`` in one sentence, and the traceback."""

    name: str
    distribution: str
    module: str
    reason: str
    traceback: str = ""

    @classmethod
    def by(cls, error: BaseException, *, places: Iterable[UseCasePlace], name: str) -> Self:
        """What ``error`` says of the use case of that name."""
        known = tuple(places)
        return cls(
            name=name,
            distribution=" and ".join(dict.fromkeys(place.distribution for place in known)),
            module=" and ".join(dict.fromkeys(place.module for place in known)),
            reason=str(error),
            traceback="".join(traceback.format_exception(error)),
        )


def entry_points_of(group: str) -> tuple[metadata.EntryPoint, ...]:
    """The entry points of all distributions on the path; one whose ``entry_points.txt`` is torn has none."""
    return tuple(point for distribution in _distributions() for point in _points(distribution, group=group) or ())


def use_case_places() -> Mapping[str, tuple[UseCasePlace, ...]]:
    """Every place by the name of its use case, sorted; more than one place is more than one claim to the name."""
    places: dict[str, tuple[UseCasePlace, ...]] = {}
    installed = sorted(_installed(), key=lambda place: place.distribution)
    for place in (*_shipped(), *installed):
        places[place.name] = (*places.get(place.name, ()), place)
    return dict(sorted(places.items()))


def use_case_place(name: str) -> UseCasePlace | None:
    """The place of the use case of that name; ``None`` where there is none."""
    return next(iter(use_case_places().get(name, ())), None)


def _shipped() -> Iterator[UseCasePlace]:
    for folder in SHIPPED.iterdir():
        if (folder / "__init__.py").is_file():
            yield UseCasePlace(name=folder.name, module=f"{GROUP}.{folder.name}", distribution=OURS)


def _installed() -> Iterator[UseCasePlace]:
    for distribution in _distributions():
        yield from _places_of(distribution)


def _distributions() -> Iterator[metadata.Distribution]:
    """The first of a name on the path counts, as for imports. Names are read where there are entry points at all."""
    seen: set[str] = set()
    for distribution in metadata.distributions():
        if not distribution.read_text("entry_points.txt"):
            continue
        name = str(distribution.metadata["Name"])
        if name not in seen:
            seen.add(name)
            yield distribution


def _points(distribution: metadata.Distribution, *, group: str) -> list[metadata.EntryPoint] | None:
    """The entry points of a group; ``None`` where the file that says them is torn."""
    if group not in (distribution.read_text("entry_points.txt") or ""):
        return []
    try:
        return list(distribution.entry_points.select(group=group))
    except Exception:  # noqa: BLE001 - a line that is no entry point fails in whatever way
        return None


def _places_of(distribution: metadata.Distribution) -> Iterator[UseCasePlace]:
    name = str(distribution.metadata["Name"])
    points = _points(distribution, group=GROUP)
    if points is None:
        yield UseCasePlace(name=name, module="", distribution=name, fault="its entry_points.txt cannot be read")
        return
    for point in points:
        module, _, attribute = point.value.partition(":")
        whole = all(part.isidentifier() for part in module.strip().split("."))
        yield UseCasePlace(
            name=point.name,
            module=module.strip() if whole else "",
            distribution=name,
            attribute=attribute.strip() or EXPORT,
            fault="" if whole else f"its entry point '{point.value}' is not written as package.module",
        )


def _folder_of(module: str) -> Path | None:
    spec = _spec_of(module)
    if spec is None:
        return None
    locations = list(spec.submodule_search_locations or ())
    if locations:
        return Path(locations[0])
    return Path(spec.origin).parent if spec.origin else None


def _spec_of(module: str) -> ModuleSpec | None:
    """Found from folder to folder: importlib's own search would run the packages around the module."""
    root, *parts = module.split(".")
    spec = importlib.util.find_spec(root) if root else None
    for number, _ in enumerate(parts, start=1):
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = ".".join([root, *parts[:number]])
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec
