"""The files that collecting makes in the lake: what their names say, and which of them a reader needs.

A file holds the records ``first`` to ``last`` of one log, all of them and no others, answered on one day (UTC):

    <use case>/prediction_log/<answered day>/<log id>-<first>-<last>.<first event day>.<last event day>.parquet

Earlier versions made a file for each event day, ``<event day>/<log id>-<first>-<last>.parquet``; they are read like the
others. The figures of a file lie under its name in ``served_metrics``. Outcomes have no events:
``<use case>/served_outcomes/<told day>/<log id>-<first>-<last>.parquet``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.paths import prediction_log_folder
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.predictions.records import SCHEMA

_DAY = r"\d{4}-\d\d-\d\d"
_PATH = re.compile(
    rf"(?P<folder>.*/)(?P<day>{_DAY})/(?P<log_id>[0-9a-f]{{32}})-(?P<first>\d+)-(?P<last>\d+)"
    rf"(?:\.(?P<first_event>{_DAY})\.(?P<last_event>{_DAY}))?\.parquet\Z"
)


@dataclass(frozen=True, kw_only=True)
class CollectedFile:
    """One file. ``day`` is that of its answers (of an earlier version's of its events), ``events`` the first and last
    day of its events, None of outcomes. ``modified`` is when it came into the lake, 0 if it has not.
    """

    folder: str
    day: date
    log_id: str
    first: int
    last: int
    events: tuple[date, date] | None = None
    modified: int = 0

    @classmethod
    def parse(cls, path: str, *, modified: int = 0) -> Self | None:
        """What a path in the lake says; None if it is no such file's."""
        match = _PATH.match(path)
        if match is None:
            return None
        day = date.fromisoformat(match["day"])
        first_event, last_event = match["first_event"], match["last_event"]
        events = (date.fromisoformat(first_event), date.fromisoformat(last_event)) if first_event else (day, day)
        return cls(
            folder=match["folder"],
            day=day,
            log_id=match["log_id"],
            first=int(match["first"]),
            last=int(match["last"]),
            events=events if first_event or not match["folder"].endswith("/served_outcomes/") else None,
            modified=modified,
        )

    @property
    def rows(self) -> int:
        """How many records it holds; fewer if an earlier version made it."""
        return self.last - self.first + 1

    @property
    def path(self) -> str:
        """Where it belongs in the lake, under today's names."""
        events = "" if self.events is None else "".join(f".{day.isoformat()}" for day in self.events)
        return f"{self.folder}{self.day.isoformat()}/{self.log_id}-{self.first}-{self.last}{events}.parquet"

    def may_hold(self, event_day: date) -> bool:
        """Whether records of a day's events may be in it."""
        return self.events is not None and self.events[0] <= event_day <= self.events[1]


def collected_files(snapshot: Snapshot, *, folder: str) -> dict[str, CollectedFile]:
    """Every file of a folder, by its path in the lake."""
    parsed = {info.path: CollectedFile.parse(info.path, modified=info.modified) for info in snapshot.paths(folder)}
    return {path: file for path, file in parsed.items() if file is not None}


def collected_upto(files: Iterable[CollectedFile], *, log_id: str) -> int:
    """The last number of a log that the lake holds; 0 without any. What the lake holds is itself the cursor."""
    return max((file.last for file in files if file.log_id == log_id), default=0)


def records_of_day(snapshot: Snapshot, *, use_case: str, event_day: date) -> pa.Table:
    """The collected records of one day's events, in order of their answers; empty if there are none."""
    files = collected_files(snapshot, folder=prediction_log_folder(use_case))
    paths = [path for path, file in files.items() if file.may_hold(event_day)]
    first = pa.scalar(datetime.combine(event_day, time()), pa.timestamp("us"))
    after = pa.scalar(datetime.combine(event_day + timedelta(days=1), time()), pa.timestamp("us"))
    inside = (pc.field("event_time") >= first) & (pc.field("event_time") < after)
    tables = [read_parquet(snapshot.local(path), rows=inside) for path in paths]
    return pa.concat_tables([SCHEMA.empty_table(), *tables], promote_options="default").sort_by("answered_at")


def event_days(snapshot: Snapshot, path: str, *, file: CollectedFile) -> frozenset[date]:
    """The days that a file has events of: from its name if that is one day, else from the file."""
    if file.events is not None and file.events[0] == file.events[1]:
        return frozenset(file.events)
    return _event_days(snapshot.local(path))


@lru_cache(maxsize=1024)
def _event_days(path: Path) -> frozenset[date]:
    """A file in the lake never changes, and its local path is its own."""
    return frozenset(
        pc.cast(read_parquet(path, columns=["event_time"])["event_time"], pa.date32()).unique().to_pylist()
    )
