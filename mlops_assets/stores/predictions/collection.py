"""From a log to the lake's files, in bounded memory: what is pending is cut by the day of its answers, and the small
files of a day that is over become one.

Belongs here: cutting and joining, into files of a local folder. What the names of files say is in
``collected_files.py``; publishing is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_assets.contract.errors import ServingError
from mlops_assets.stores.predictions.collected_files import CollectedFile

ROWS_PER_FILE = 100_000
ROWS_AT_ONCE = 2_000
"""What is in memory at once: a record with 150 features is some 5 KB of JSON in the lake's rows."""


@dataclass(frozen=True, kw_only=True)
class Pending:
    """What of one log the lake does not hold: everything after ``after``, by ``read`` (a number, and ``limit``).

    ``moment`` is the column whose day (UTC) decides the file, ``folder`` where the files belong.
    """

    read: Callable[..., pa.Table]
    after: int
    folder: str
    log_id: str
    moment: str
    place: str

    def tables(self) -> Iterator[pa.Table]:
        """The records, some at a time. ServingError when some are missing: they are neither here nor in the lake."""
        after = self.after
        while (rows := self.read(after, limit=ROWS_AT_ONCE)).num_rows:
            first, last = rows["seq"][0].as_py(), rows["seq"][-1].as_py()
            if first != after + 1 or last != after + rows.num_rows:
                raise ServingError(
                    f"{self.place} goes on with number {first} where the lake ends with {after}: what is between is in "
                    "neither. Bring the lake back to a commit that holds it, or move the log away to begin a new one."
                )
            yield rows
            after = last


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One file of records: its place in the lake, and the local file that holds it."""

    file: CollectedFile
    source: Path


def cut(pending: Pending, *, into: Path, rows_per_file: int = ROWS_PER_FILE) -> list[Piece]:
    """Writes what is pending to files in the folder ``into``, each of one day's answers."""
    pieces: list[Piece] = []
    writer: _Writer | None = None
    for rows in pending.tables():
        for day, part in _by_day(rows, moment=pending.moment):
            while part.num_rows:
                if writer is None or writer.day != day or writer.rows >= rows_per_file:
                    pieces += [writer.close()] if writer else []
                    writer = _Writer(_unused(into), day=day, pending=pending)
                room = rows_per_file - writer.rows
                writer.write(part.slice(0, room))
                part = part.slice(room)
    return [*pieces, writer.close()] if writer else pieces


def runs(
    files: Iterable[CollectedFile], *, before: date, rows_per_file: int = ROWS_PER_FILE
) -> list[list[CollectedFile]]:
    """The files of one log in order, those together that should be one: of the same day, which is ``before`` another,
    following on each other, and together no more than ``rows_per_file``.
    """
    found: list[list[CollectedFile]] = []
    for file in sorted(files, key=lambda file: file.first):
        last = found[-1] if found else []
        follows = last and (last[-1].day, last[-1].last + 1) == (file.day, file.first)
        if follows and file.day < before and sum(part.rows for part in last) + file.rows <= rows_per_file:
            last.append(file)
        else:
            found.append([file])
    return found


def join(parts: Sequence[Piece], *, into: Path) -> Piece:
    """One file in the folder ``into`` of several that follow on each other."""
    target = _unused(into)
    with pq.ParquetWriter(target, pq.read_schema(parts[0].source), compression="zstd") as writer:
        for rows in _some_at_a_time(parts):
            writer.write_table(rows)
    files = [part.file for part in parts]
    events = [file.events for file in files if file.events is not None]
    spanned = (min(first for first, _ in events), max(last for _, last in events)) if events else None
    return Piece(file=replace(files[0], last=files[-1].last, events=spanned), source=target)


def _some_at_a_time(parts: Sequence[Piece]) -> Iterator[pa.Table]:
    """The rows of many small files as few row groups."""
    waiting: list[pa.RecordBatch] = []
    for part in parts:
        for batch in pq.ParquetFile(part.source).iter_batches(ROWS_AT_ONCE):
            waiting.append(batch)
            if sum(each.num_rows for each in waiting) >= ROWS_AT_ONCE:
                yield pa.Table.from_batches(waiting)
                waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _by_day(rows: pa.Table, *, moment: str) -> Iterator[tuple[date, pa.Table]]:
    """The rows cut where the day of ``moment`` changes."""
    days = pc.cast(rows[moment], pa.date32())
    starts = [0, *(np.flatnonzero(np.diff(pc.cast(days, pa.int32()).to_numpy())) + 1).tolist(), rows.num_rows]
    for start, end in pairwise(starts):
        yield days[start].as_py(), rows.slice(start, end - start)


def _unused(folder: Path) -> Path:
    """A file of that folder that is not there yet."""
    return folder / f"{len(list(folder.iterdir()))}.parquet"


class _Writer:
    """One file while it is written."""

    def __init__(self, target: Path, *, day: date, pending: Pending) -> None:
        self.day = day
        self.rows = 0
        self._target = target
        self._pending = pending
        self._writer: pq.ParquetWriter | None = None
        self._first = self._last = 0
        self._events: list[date] = []

    def write(self, rows: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._target, rows.schema, compression="zstd")
            self._first = rows["seq"][0].as_py()
        self._writer.write_table(rows)
        self.rows += rows.num_rows
        self._last = rows["seq"][-1].as_py()
        if "event_time" in rows.column_names:
            ends = pc.min_max(pc.cast(rows["event_time"], pa.date32())).as_py()
            self._events += ends.values()

    def close(self) -> Piece:
        if self._writer is not None:
            self._writer.close()
        file = CollectedFile(
            folder=self._pending.folder,
            day=self.day,
            log_id=self._pending.log_id,
            first=self._first,
            last=self._last,
            events=(min(self._events), max(self._events)) if self._events else None,
        )
        return Piece(file=file, source=self._target)
