"""What has landed and is not in the lake yet, or not wholly: the one answer that the sensor and `mlops run` act on."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial

from mlops_assets.contract.paths import WHOLE, batch_of, raw_path
from mlops_assets.contract.source import Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.branches import BranchInfo
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.landing.landing import LandedFile, Scan
from mlops_assets.stores.landing.progress import Unfinished


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A batch that is there with all its sources and differs from the lake. ``digest`` names its content.

    ``lacking`` are the assets that a run has left unfinished of a batch whose files the lake holds as they landed; the
    digest names them, too.
    """

    batch: str
    digest: str
    files: tuple[LandedFile, ...]
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """What one look at the landing zone asks for.

    ``batches`` are ready, in order: to be taken, or to be finished. ``reference`` is set when files that are replaced
    as a whole are. ``waiting`` says, a sentence each, what is there but cannot be taken yet, ``left_out`` what is of no
    batch of the use case. ``unfinished`` is what the lake holds half-way, whether its files still lie there or not.
    ``there`` are the batches of the use case that have landed or that the lake holds, whole or not.
    """

    batches: tuple[Arrival, ...]
    reference: Arrival | None
    waiting: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    unfinished: Unfinished = field(default_factory=dict)
    there: frozenset[str] = frozenset()

    @property
    def all(self) -> tuple[Arrival, ...]:
        """Reference files first: the batches need them."""
        return (*([self.reference] if self.reference else []), *self.batches)


def arrivals(
    scan: Scan,
    snapshot: Snapshot,
    *,
    use_case: UseCase,
    today: date | None = None,
    unfinished: Unfinished | None = None,
) -> Arrivals:
    """Compares what has landed with what the lake holds, by checksum, and looks for what is ``unfinished`` there.

    A batch that the use case has not, or not yet on ``today`` (UTC), is told and left out.
    """
    held = {info.path: info.checksum for info in snapshot.paths(f"{use_case.name}/raw/")}
    look = partial(_arrival, use_case, held=held, unfinished=unfinished or {})
    landed: dict[str, dict[str, LandedFile]] = defaultdict(dict)
    for file in scan.files:
        landed[file.batch][file.source] = file
    reference = look(WHOLE, landed.pop(WHOLE, {}), needed=use_case.static)
    lacking = _missing_reference(use_case, held)
    outside = {batch: reason for batch in sorted(landed) if (reason := use_case.batches.why_not_taken(batch))}
    looks = {
        batch: _too_early(use_case, batch, today=today) or look(batch, landed[batch], needed=use_case.arriving)
        for batch in sorted(landed.keys() - outside.keys())
    }
    return Arrivals(
        batches=tuple(each for each in looks.values() if isinstance(each, Arrival) and not lacking),
        reference=reference if isinstance(reference, Arrival) else None,
        waiting=(
            *([lacking] if lacking and not isinstance(reference, Arrival) else []),
            *(each for each in (reference, *looks.values()) if isinstance(each, str)),
        ),
        left_out=tuple(f"Batch {batch} of {use_case.name} is left out: {why}." for batch, why in outside.items()),
        unfinished=unfinished or {},
        there=_there(use_case, [*looks, *(batch_of(path) for path in held)], today=today),
    )


def _too_early(use_case: UseCase, batch: str, *, today: date | None) -> str | None:
    reason = use_case.batches.why_not_taken(batch, today=today)
    return f"Batch {batch} waits: {reason}." if reason else None


def _there(use_case: UseCase, batches: Iterable[str], *, today: date | None) -> frozenset[str]:
    named = {batch for batch in batches if batch != WHOLE}
    return frozenset(batch for batch in named if not use_case.batches.why_not_taken(batch, today=today))


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a write of a batch was refused, when, and on which branch it is kept."""

    batch: str
    asset: str
    reasons: str
    branch: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.asset} refused {self.batch}: {self.reasons} It is kept on branch {self.branch}."


def refusals(
    branches: Iterable[BranchInfo], *, use_case: UseCase, found: Arrivals, fresh: Collection[str] = ()
) -> tuple[Refusal, ...]:
    """Why batches that are not in the lake as they landed were refused: the newest of each batch and asset.

    Batches of ``fresh`` have new content and are left out.
    """
    newest: dict[tuple[str, str], Refusal] = {}
    for branch in sorted(branches, key=lambda each: each.updated):
        if branch.metadata.get("use_case") == use_case.name:
            for batch, reasons in branch.refusals.items():
                told = Refusal(
                    batch=batch,
                    asset=branch.metadata["asset"],
                    reasons=reasons,
                    branch=branch.name,
                    at=branch.updated,
                )
                newest[batch, told.asset] = told
    standing = {*(arrival.batch for arrival in found.all), *found.unfinished}
    return tuple(newest[key] for key in sorted(newest) if key[0] in standing and key[0] not in fresh)


def _arrival(
    use_case: UseCase,
    batch: str,
    files: Mapping[str, LandedFile],
    *,
    needed: Sequence[Source],
    held: Mapping[str, str],
    unfinished: Unfinished,
) -> Arrival | str | None:
    """The batch as an arrival, why it waits, or ``None`` if the lake holds all that has landed of it, finished."""
    fresh = [
        name
        for name, file in files.items()
        if held.get(raw_path(use_case.name, source=name, batch=batch)) != file.sha256
    ]
    lacking = () if fresh else unfinished.get(batch, ())
    if not fresh and not lacking:
        return None
    missing = [source.name for source in needed if source.name not in files]
    if missing:
        return f"Batch {batch} waits for {' and '.join(missing)}."
    ordered = tuple(files[source.name] for source in needed)
    named = "".join([*(file.sha256 for file in ordered), *lacking])
    return Arrival(batch=batch, digest=hashlib.sha256(named.encode()).hexdigest()[:16], files=ordered, lacking=lacking)


def _missing_reference(use_case: UseCase, held: Mapping[str, str]) -> str | None:
    missing = [
        each.name for each in use_case.static if raw_path(use_case.name, source=each.name, batch=WHOLE) not in held
    ]
    return f"Every batch waits for reference files: {', '.join(missing)}." if missing else None
