"""How far the batches have come in the lake: which are whole, which a run has left unfinished, which are missing.

Read off one commit alone. What lies in the landing zone beside it is compared in ``arrivals.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import WHOLE, history_path, raw_path, validated_path
from mlops_assets.contract.periods import missing_periods, said_periods
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.batches import EVERY_BATCH, PathOf, Wanted, batch_files
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import made_from

NOTHING_MISSING = "no_batch_is_missing"
NAMED = 5

Unfinished = Mapping[str, tuple[str, ...]]
"""By batch, the assets that the lake has not, or of an earlier file, though it holds the landed file."""

_MADE_FROM: dict[str, str] = {}  # by where a file lies, whose bytes never change there: each is opened once


def unfinished_batches(snapshot: Snapshot, *, use_case: UseCase) -> Unfinished:
    """Batches (``WHOLE`` for reference files) whose landed files the lake holds, but not everything made of them.

    A run that was killed between two assets leaves such; each file names what it was made from (``MADE_FROM``).
    """
    lacking: dict[str, list[str]] = {}
    for source in use_case.sources:
        raw = _checksums(snapshot, partial(raw_path, use_case.name, source=source.name))
        made = _made_from(snapshot, partial(validated_path, use_case.name, source=source.name))
        for batch in (batch for batch, checksum in raw.items() if made.get(batch) != checksum):
            lacking.setdefault(batch, []).append(f"validated_{source.name}")
    if use_case.history:
        made = _made_from(snapshot, partial(history_path, use_case.name))
        inputs = history_inputs(snapshot, use_case=use_case)
        for batch in (batch for batch, digest in inputs.items() if made.get(batch) != digest):
            lacking.setdefault(batch, []).append("history")
    return {batch: tuple(lacking[batch]) for batch in sorted(lacking)}


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


def said_missing(use_case: UseCase, batches: Iterable[str]) -> tuple[str, ...]:
    """The days, weeks or months that are missing between ``batches`` as a sentence; none for batches with names."""
    period = use_case.batches.period
    if period is None:
        return ()
    there = sorted(batches)
    missing = missing_periods(there)
    if not missing:
        return ()
    many = f"{len(missing)} {period}s are" if len(missing) > 1 else f"1 {period} is"
    return (f"Between {there[0]} and {there[-1]} {many} missing: {said_periods(missing)}.",)


def said_unfinished(use_case: UseCase, unfinished: Unfinished) -> tuple[str, ...]:
    """What is unfinished: the reference files and the batches, a sentence each."""
    sentences = []
    if WHOLE in unfinished:
        sentences.append(
            f"Reference files are unfinished: {', '.join(unfinished[WHOLE])} of what has landed is missing."
        )
    if batches := sorted(unfinished.keys() - {WHOLE}):
        lacking = dict.fromkeys(asset for batch in batches for asset in unfinished[batch])
        many = f"{len(batches)} batches are" if len(batches) > 1 else "1 batch is"
        sentences.append(
            f"{many} unfinished: {', '.join(lacking)} of what has landed is missing for {_named(use_case, batches)}."
        )
    return tuple(sentences)


def missing_in_windows(snapshot: Snapshot, *, use_case: UseCase, batches: Sequence[str]) -> tuple[str, ...]:
    """The periods that are missing among ``batches`` or in the longest window of history before them."""
    period = use_case.batches.period
    if period is None:
        return ()
    longest = timedelta(days=max((view.longest for view in use_case.history), default=0))
    wanted = Wanted(first=period.name_of(period.first_day(min(batches)) - longest), last=max(batches))
    return missing_periods({*history_inputs(snapshot, use_case=use_case, wanted=wanted), *batches})


def judge_completeness(snapshot: Snapshot, *, use_case: UseCase, through: str | None = None) -> CheckResult:
    """Whether every batch up to ``through`` is whole and none is missing between them; it warns."""
    found = unfinished_batches(snapshot, use_case=use_case)
    left = {batch: found[batch] for batch in found if through is None or batch <= through or batch == WHOLE}
    whole = {batch for batch in history_inputs(snapshot, use_case=use_case) if through is None or batch <= through}
    reasons = (*said_missing(use_case, {*whole, *left} - {WHOLE}), *said_unfinished(use_case, left))
    return CheckResult(
        name=NOTHING_MISSING,
        passed=not reasons,
        severity=Severity.WARN,
        figures={"batches": len(whole), "unfinished": len(left)},
        reasons=reasons,
    )


def _named(use_case: UseCase, batches: list[str]) -> str:
    if use_case.batches.period:
        return said_periods(batches)
    return ", ".join(batches[:NAMED]) + (f" and {len(batches) - NAMED} more" if len(batches) > NAMED else "")


def _checksums(snapshot: Snapshot, path: PathOf, *, wanted: Wanted = EVERY_BATCH) -> dict[str, str]:
    """The checksum of every wanted file of a folder of batches, by batch."""
    return {batch: info.checksum for batch, info in batch_files(snapshot, path=path, wanted=wanted).items()}


def _made_from(snapshot: Snapshot, path: PathOf) -> dict[str, str]:
    """What every Parquet file of a folder of batches says it was made from, by batch."""
    files = batch_files(snapshot, path=path)
    unread = [info for info in files.values() if info.address not in _MADE_FROM]
    local = snapshot.local_files(unread)
    _MADE_FROM.update((info.address, made_from(local[info.path])) for info in unread)
    return {batch: _MADE_FROM[info.address] for batch, info in files.items()}
