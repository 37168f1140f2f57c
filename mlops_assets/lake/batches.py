"""Folders that hold one file per batch: which batches there are, found at the cost of those that are asked for.

Here belong choices of batches and their listing. What the files hold is read in ``stores/features/source_tables.py``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from mlops_assets.contract.paths import batch_of, folder_of
from mlops_assets.lake.snapshot import ObjectInfo, Snapshot

HIGHEST = "\U0010ffff"
"""Sorts after the name of any batch."""


class PathOf(Protocol):
    """From a batch to its file's path in the lake."""

    def __call__(self, *, batch: str) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which batches to read, by their names: from ``first`` to ``last``, both included, and ``only`` these if given.

    Of a folder of batches just this stretch is listed, so what is asked for costs the same after a month and after ten
    years.
    """

    first: str = ""
    last: str = HIGHEST
    only: frozenset[str] | None = None

    @classmethod
    def these(cls, batches: Iterable[str]) -> Wanted:
        """Just ``batches``, of which there is at least one."""
        chosen = frozenset(batches)
        return cls(first=min(chosen), last=max(chosen), only=chosen)

    def __contains__(self, batch: str) -> bool:
        return self.first <= batch <= self.last and (self.only is None or batch in self.only)


EVERY_BATCH = Wanted()


def batch_files(snapshot: Snapshot, *, path: PathOf, wanted: Wanted = EVERY_BATCH) -> dict[str, ObjectInfo]:
    """The wanted files of a folder of batches, by batch, in order."""
    if wanted == EVERY_BATCH:
        found = snapshot.paths(_folder(path))
    else:
        found = snapshot.between(_folder(path), first=path(batch=wanted.first), last=path(batch=wanted.last))
    return {batch_of(info.path): info for info in found if batch_of(info.path) in wanted}


def newest_day(snapshot: Snapshot, *, path: PathOf) -> date | None:
    """The last day that a folder of daily batches holds, found by halving, not by listing; ``None`` if it is empty."""
    nothing_later = bisect_left(
        range(date.max.toordinal()),
        True,
        lo=date.min.toordinal(),
        key=lambda day: not snapshot.any_after(path(batch=date.fromordinal(day).isoformat()), prefix=_folder(path)),
    )
    newest = date.fromordinal(nothing_later)
    return newest if snapshot.exists(path(batch=newest.isoformat())) else None


def _folder(path: PathOf) -> str:
    return folder_of(path(batch=""))
