"""Which rows a model learns from, which stop its training, and which judge it.

A split is declared as data (``contract/splits.py``) and applied by one function per kind; what comes out is always a
``Split`` of row indices. Refusing a part that cannot be used (no rows, one class) belongs here; reading labels does
not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.errors import TrainingError
from mlops_assets.contract.splits import HashSplit, TimeShares, TimeSplit


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a split: ``rows`` are ascending indices into what was split; ``first`` and ``last`` its
    days, if any.
    """

    name: str
    rows: NDArray[np.int64]
    positives: int
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, kw_only=True)
class Split:
    """Three parts that share no row. Rows in a gap are in none of them."""

    train: Part
    validation: Part
    test: Part

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        return self.train, self.validation, self.test


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One round of cross-validation: what is learnt from, and what watches it. They share no row."""

    learnt: Part
    watched: Part


Labels = NDArray[np.float64] | None
"""0 or 1, one per row; None where a model is not asked for one of two outcomes and any labels will do."""


def split_by_time(event_times: NDArray[np.datetime64], *, labels: Labels, split: TimeSplit) -> Split:
    """Splits rows by the day of their event; the last day present is the last test day.

    Raises TrainingError naming the part that has no rows or only one class.
    """
    if len(event_times) == 0 or bool(np.isnat(event_times).any()):
        raise TrainingError("Cannot split by time: there are no rows, or rows without an event time.")
    days = event_times.astype("datetime64[D]").astype(np.int64)
    after = int(days.max()) + 1
    test_from = after - split.test_days
    validation_until = test_from - split.gap_days
    validation_from = validation_until - split.validation_days
    train_until = validation_from - split.gap_days
    return Split(
        train=_part("train", labels, chosen=days < train_until, days=days),
        validation=_part("validation", labels, chosen=(days >= validation_from) & (days < validation_until), days=days),
        test=_part("test", labels, chosen=days >= test_from, days=days),
    )


def windows(event_times: NDArray[np.datetime64], *, split: TimeSplit | TimeShares) -> TimeSplit:
    """The split in days; one in proportion counts those from the first to the last of these rows."""
    if isinstance(split, TimeSplit):
        return split
    days = event_times[~np.isnat(event_times)].astype("datetime64[D]").astype(np.int64)
    return split.of_days(int(np.ptp(days)) + 1 if len(days) else 1)


def split_by_hash(keys: pa.ChunkedArray, *, labels: Labels, split: HashSplit) -> Split:
    """Splits rows by a hash of their key alone.

    Raises TrainingError for rows without a key, and naming the part that has no rows or only one class.
    """
    if keys.null_count:
        raise TrainingError(f"Cannot split by '{split.key}': {keys.null_count} rows have none.")
    place = places(keys)
    tested, watched = place < split.test_share, place < split.test_share + split.validation_share
    return Split(
        train=_part("train", labels, chosen=~watched),
        validation=_part("validation", labels, chosen=watched & ~tested),
        test=_part("test", labels, chosen=tested),
    )


def time_folds(
    event_times: NDArray[np.datetime64], *, labels: Labels, split: TimeSplit, count: int
) -> tuple[Fold, ...]:
    """Rolling origin (Tashman 2000) over rows that are all to be learnt from: the last ``count`` windows of
    ``validation_days`` each are watched in turn, by what lies before them and the gap. The earliest window first.

    Raises TrainingError naming the fold that has no rows or only one class.
    """
    days = event_times.astype("datetime64[D]").astype(np.int64)
    ends = [int(days.max()) + 1 - back * split.validation_days for back in reversed(range(count))]
    starts = [end - split.validation_days for end in ends]
    return tuple(
        Fold(
            learnt=_part(f"training of fold {number}", labels, chosen=days < start - split.gap_days, days=days),
            watched=_part(f"validation of fold {number}", labels, chosen=(days >= start) & (days < end), days=days),
        )
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1)
    )


def hash_folds(keys: pa.ChunkedArray, *, labels: Labels, count: int) -> tuple[Fold, ...]:
    """As many folds of about equally many keys, each watched once by the rest; equal keys stay together.

    Raises TrainingError naming the fold that has no rows or only one class.
    """
    fold = np.floor(places(keys, salt="folds") * count).astype(np.int64)
    return tuple(
        Fold(
            learnt=_part(f"training of fold {number + 1}", labels, chosen=fold != number),
            watched=_part(f"validation of fold {number + 1}", labels, chosen=fold == number),
        )
        for number in range(count)
    )


def places(keys: pa.ChunkedArray, *, salt: str = "") -> NDArray[np.float64]:
    """Where each key stands between 0 and 1: the same on every machine, whatever other keys there are.

    Another ``salt`` gives places that have nothing to do with these.
    """
    coded = pc.dictionary_encode(keys.combine_chunks().cast(pa.string()))
    digests = [
        hashlib.blake2b(key.encode(), digest_size=8, salt=salt.encode()).digest()
        for key in coded.dictionary.to_pylist()
    ]
    found = np.frombuffer(b"".join(digests), dtype=">u8").astype(np.float64) / 2.0**64
    return found[np.asarray(coded.indices, dtype=np.int64)]


def _part(name: str, labels: Labels, *, chosen: NDArray[np.bool_], days: NDArray[np.int64] | None = None) -> Part:
    rows = np.flatnonzero(chosen)
    if len(rows) == 0:
        raise TrainingError(f"The {name} part has no rows: land more data or shorten the windows of the split.")
    positives = 0 if labels is None else count_positives(labels[rows], part=name)
    if days is None:
        return Part(name=name, rows=rows, positives=positives)
    within = days[rows]
    return Part(name=name, rows=rows, positives=positives, first=_day(within.min()), last=_day(within.max()))


def count_positives(labels: NDArray[np.float64], *, part: str) -> int:
    """How many of ``labels`` are 1. Raises TrainingError when there are none, only one class, or other values
    than 0 and 1.
    """
    if len(labels) == 0:
        raise TrainingError(f"The {part} part has no rows: land more data or shorten the windows of the split.")
    positives = int(np.count_nonzero(labels == 1))
    if positives + int(np.count_nonzero(labels == 0)) != len(labels):
        raise TrainingError(f"The {part} part has labels other than 0 and 1: leave out rows without an outcome first.")
    if positives in (0, len(labels)):
        raise TrainingError(f"The {part} part has only one class ({len(labels)} rows, {positives} positive).")
    return positives


def _day(number: np.int64) -> date:
    return date.fromordinal(int(number) + date(1970, 1, 1).toordinal())
