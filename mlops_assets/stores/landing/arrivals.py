"""What has landed and is not in the lake yet: the one answer that the sensor and `mlops run` act on."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from mlops_assets.contract.paths import WHOLE, history_path, raw_path, validated_path
from mlops_assets.contract.source import Cadence
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.batches import EVERY_BATCH, PathOf, Wanted, batch_files
from mlops_assets.lake.branches import BranchInfo
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import made_from
from mlops_assets.stores.landing.landing import LandedFile, Scan


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A batch that is there with all its sources and differs from the lake. ``digest`` names its content."""

    batch: str
    digest: str
    files: tuple[LandedFile, ...]


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """What one look at the landing zone asks for.

    ``batches`` are ready, in order. ``reference`` is set when files that are replaced as a whole are ready. ``waiting``
    says, a sentence each, what is there but cannot be taken yet, ``left_out`` what is of no batch of the use case.
    """

    batches: tuple[Arrival, ...]
    reference: Arrival | None
    waiting: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def arrivals(scan: Scan, snapshot: Snapshot, *, use_case: UseCase, today: date | None = None) -> Arrivals:
    """Compares what has landed with what the lake holds, by checksum. A batch that the use case has not, or not yet on
    ``today`` (UTC), is told and left out.
    """
    held = {info.path: info.checksum for info in snapshot.paths(f"{use_case.name}/raw/")}
    static = tuple(source.name for source in use_case.static)
    arriving = tuple(source.name for source in use_case.arriving)
    landed: dict[str, dict[str, LandedFile]] = defaultdict(dict)
    for file in scan.files:
        landed[file.batch][file.source] = file
    reference = _arrival(use_case, WHOLE, landed.pop(WHOLE, {}), needed=static, held=held)
    first = _missing_reference(use_case, static, held)
    waiting = [first] if first and not isinstance(reference, Arrival) else []
    waiting += [reference] if isinstance(reference, str) else []
    ready, left_out = [], []
    for batch in sorted(landed):
        if reason := use_case.batches.why_not_taken(batch, today=today):
            left_out.append(f"Batch {batch} of {use_case.name} is left out: {reason}.")
            continue
        found = _arrival(use_case, batch, landed[batch], needed=arriving, held=held)
        if isinstance(found, str):
            waiting.append(found)
        elif found is not None and first is None:
            ready.append(found)
    return Arrivals(
        batches=tuple(ready),
        reference=reference if isinstance(reference, Arrival) else None,
        waiting=tuple(waiting),
        left_out=tuple(left_out),
    )


def refusals(
    branches: Iterable[BranchInfo],
    *,
    snapshot: Snapshot,
    use_case: UseCase,
    found: Arrivals,
    fresh: Collection[str] = (),
) -> tuple[str, ...]:
    """Why batches that are not in the lake as they landed were refused, and where each refused write is kept.

    A sentence for each, the newest of each batch and asset. Batches of ``fresh`` have new content and are left out.
    """
    told: dict[tuple[str, str], str] = {}
    for branch in sorted(branches, key=lambda each: each.updated):
        if branch.metadata.get("use_case") == use_case.name:
            asset = branch.metadata["asset"]
            for batch, reasons in branch.refusals.items():
                told[batch, asset] = f"{asset} refused {batch}: {reasons} It is kept on branch {branch.name}."
    standing = {arrival.batch for arrival in (*found.batches, found.reference) if arrival is not None}
    if any(batch not in standing for batch, _ in told):
        standing |= unfinished_batches(
            snapshot, use_case=use_case, cadences={each.cadence for each in use_case.sources}
        )
    return tuple(told[key] for key in sorted(told) if key[0] in standing and key[0] not in fresh)


def unfinished_batches(snapshot: Snapshot, *, use_case: UseCase, cadences: set[Cadence]) -> set[str]:
    """Batches whose landed files the lake holds, but not everything that is made of them.

    A run that was killed between two assets leaves such; each file names what it was made from (``MADE_FROM``).
    """
    left = set()
    for source in use_case.sources:
        if source.cadence in cadences:
            raw = _checksums(snapshot, partial(raw_path, use_case.name, source=source.name))
            made = _made_from(snapshot, partial(validated_path, use_case.name, source=source.name))
            left |= {batch for batch, checksum in raw.items() if made.get(batch) != checksum}
    if use_case.history and cadences - {Cadence.STATIC}:
        made = _made_from(snapshot, partial(history_path, use_case.name))
        left |= {
            batch for batch, digest in history_inputs(snapshot, use_case=use_case).items() if made.get(batch) != digest
        }
    return left


def history_inputs(snapshot: Snapshot, *, use_case: UseCase, wanted: Wanted = EVERY_BATCH) -> dict[str, str]:
    """For every wanted batch that has all its validated files, a digest of them: what its history is made from.

    Reference files are left out: replacing one does not make the past anew.
    """
    held = [
        _checksums(snapshot, partial(validated_path, use_case.name, source=source.name), wanted=wanted)
        for source in use_case.arriving
    ]
    whole = set.intersection(*(set(each) for each in held)) if held else set()
    return {batch: hashlib.sha256("".join(each[batch] for each in held).encode()).hexdigest() for batch in whole}


def _checksums(snapshot: Snapshot, path: PathOf, *, wanted: Wanted = EVERY_BATCH) -> dict[str, str]:
    """The checksum of every wanted file of a folder of batches, by batch."""
    return {batch: info.checksum for batch, info in batch_files(snapshot, path=path, wanted=wanted).items()}


def _made_from(snapshot: Snapshot, path: PathOf) -> dict[str, str]:
    """What every Parquet file of a folder of batches says it was made from, by batch."""
    files = batch_files(snapshot, path=path)
    local = snapshot.local_files(list(files.values()))
    return {batch: made_from(local[info.path]) for batch, info in files.items()}


def _arrival(
    use_case: UseCase, batch: str, files: Mapping[str, LandedFile], *, needed: Sequence[str], held: Mapping[str, str]
) -> Arrival | str | None:
    """The batch as an arrival, why it waits, or ``None`` if the lake holds all that has landed of it."""
    fresh = [
        name
        for name, file in files.items()
        if held.get(raw_path(use_case.name, source=name, batch=batch)) != file.sha256
    ]
    if not fresh:
        return None
    missing = [name for name in needed if name not in files]
    if missing:
        return f"Batch {batch} waits for {' and '.join(missing)}."
    ordered = tuple(files[name] for name in needed)
    digest = hashlib.sha256("".join(file.sha256 for file in ordered).encode()).hexdigest()[:16]
    return Arrival(batch=batch, digest=digest, files=ordered)


def _missing_reference(use_case: UseCase, static: Sequence[str], held: Mapping[str, str]) -> str | None:
    missing = [name for name in static if raw_path(use_case.name, source=name, batch=WHOLE) not in held]
    return f"Every batch waits for reference files: {', '.join(missing)}." if missing else None
