"""Which days the service answered about, what of it was collected, and which of them are to be watched.

A day is to be watched when what its report would be made of is not what its report says it was made of: its answers,
the landed files that tell its outcomes, and how much of it was over. What decides is read off the lake and the
service's log, never off Dagster: whoever starts the work sees the same.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.paths import (
    batch_of,
    monitoring_path,
    prediction_log_folder,
    served_outcomes_folder,
    validated_path,
)
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import ObjectInfo, Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.predictions.collected_files import CollectedFile, collected_files, collected_upto, event_days
from mlops_assets.stores.predictions.prediction_log import existing_log_of
from mlops_assets.watch.served.report import WatchReport

_VERSION_7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7")
LISTENED = timedelta(days=7)
"""So long after its last answer a service is still expected to answer: days without any are watched, too."""


@dataclass(frozen=True, kw_only=True)
class ServedDays:
    """``uncollected`` days have records that the lake does not hold yet; ``unwatched`` ones are to be watched. Each in
    order.
    """

    uncollected: tuple[date, ...]
    unwatched: tuple[date, ...]


def served_days(snapshot: Snapshot, *, use_case: UseCase, folder: Path, now: datetime) -> ServedDays:
    """What was served; ``folder`` is where the service's log lies (``environment_directory()`` of a deployment)."""
    answers = _Answers.read(snapshot, use_case=use_case)
    uncollected = _uncollected(answers.files.values(), use_case=use_case, folder=folder)
    clock = wall_clock(use_case, now=now)
    known = {day for day in {*answers.by_day, *uncollected} if day <= clock.date()}
    silent = _silent(known, today=clock.date())
    watched = {batch_of(info.path): info.modified for info in snapshot.paths(f"{use_case.name}/monitoring/")}
    unwatched = {
        day
        for day in {*known, *silent}
        if day in uncollected
        or day.isoformat() not in watched
        or _is_stale(snapshot, answers, use_case=use_case, day=day, watched_at=watched[day.isoformat()], clock=clock)
    }
    return ServedDays(uncollected=tuple(sorted(uncollected)), unwatched=tuple(sorted(unwatched)))


def wall_clock(use_case: UseCase, *, now: datetime) -> datetime:
    """A moment on the clock that the use case's events are told by, without a zone."""
    return now.astimezone(ZoneInfo(use_case.event_times.time_zone)).replace(tzinfo=None)


def watched_until(day: date, *, use_case: UseCase, clock: datetime) -> datetime:
    """How far a day can be judged: to its end, or to the last full hour of a day that goes on. Events without a time of
    their own are known as soon as they are answered: of those the hour that goes on is judged, too.
    """
    end = datetime.combine(day + timedelta(days=1), time())
    hour = clock.replace(minute=0, second=0, microsecond=0)
    known = hour if use_case.batches.has_event_times else hour + timedelta(hours=1)
    return min(end, max(known, datetime.combine(day, time())))


def made_of(snapshot: Snapshot, *, use_case: UseCase, day: date) -> str:
    """A name for everything that decides the report of a day, but for the hour it is watched at."""
    return _made_of(snapshot, _Answers.read(snapshot, use_case=use_case), use_case=use_case, day=day)


def told_outcomes(snapshot: Snapshot, *, use_case: UseCase, day: date) -> set[str]:
    """The files of outcomes that callers have told which may be of a day's answers."""
    return _Answers.read(snapshot, use_case=use_case).outcomes_of(day)


def has_answers(snapshot: Snapshot, *, use_case: UseCase, event_day: date) -> bool:
    """Whether the lake holds answers about a day's events."""
    return event_day in _Answers.read(snapshot, use_case=use_case).by_day


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """The collected files by path, and by event day the paths of those that hold some of it; files of outcomes by the
    day (UTC) of the answers that they are about, and those of which that is not known.
    """

    files: Mapping[str, CollectedFile]
    by_day: Mapping[date, Collection[str]]
    outcomes: Mapping[date, Collection[str]]
    of_any_day: Collection[str]

    @classmethod
    def read(cls, snapshot: Snapshot, *, use_case: UseCase) -> _Answers:
        files = collected_files(snapshot, folder=prediction_log_folder(use_case.name))
        by_day = defaultdict(set)
        for path, file in files.items():
            for day in event_days(snapshot, path, file=file):
                by_day[day].add(path)
        outcomes, of_any_day = defaultdict(set), set()
        for path in collected_files(snapshot, folder=served_outcomes_folder(use_case.name)):
            days = _answered_days(snapshot.local(path))
            for day in days or ():
                outcomes[day].add(path)
            if days is None:
                of_any_day.add(path)
        return cls(files=files, by_day=by_day, outcomes=outcomes, of_any_day=of_any_day)

    def outcomes_of(self, day: date) -> set[str]:
        """The files with outcomes that may be of a day's answers."""
        answered = {self.files[path].day for path in self.by_day.get(day, ())}
        return {*self.of_any_day, *(path for each in answered for path in self.outcomes.get(each, ()))}


@lru_cache(maxsize=4096)
def _answered_days(path: Path) -> frozenset[date] | None:
    """The days on which what a file of outcomes is about was answered: a prediction's id begins with its moment (RFC
    9562, version 7); None where an earlier release gave other ids. A file in the lake never changes, and its local path
    is its own.
    """
    ids = read_parquet(path, columns=["prediction_id"])["prediction_id"].to_pylist()
    if not all(each and _VERSION_7.match(each) for each in ids):
        return None
    millis = np.array([int(each.replace("-", "")[:12], 16) for each in ids], dtype="datetime64[ms]")
    return frozenset(np.unique(millis.astype("datetime64[D]")).tolist())


def _uncollected(files: Iterable[CollectedFile], *, use_case: UseCase, folder: Path) -> Collection[date]:
    """The event days of what the log holds past the lake; the log's own where the lake holds more than it has given."""
    log = existing_log_of(use_case.name, folder=folder)
    if log is None:
        return ()
    with closing(log):
        upto = collected_upto(files, log_id=log.log_id)
        put_back = upto > log.last_seq()  # collecting refuses it: nobody may be told that all is well
        return log.event_days_after(0 if put_back else upto)


def _silent(known: Collection[date], *, today: date) -> set[date]:
    """The days without answers up to today, where answers were to be expected: also those between days with some, as
    the last look at one may have been before its end.
    """
    last = max(known, default=date.min)
    if today - last > LISTENED:
        return set()
    listened = [timedelta(days=number) for number in range(LISTENED.days + 1)]
    expected = {day + after for day in known for after in listened if today - day <= 2 * LISTENED}
    return {day for day in expected if today - LISTENED <= day <= today} - {*known}


def _is_stale(
    snapshot: Snapshot, answers: _Answers, *, use_case: UseCase, day: date, watched_at: int, clock: datetime
) -> bool:
    """Whether a report would come out otherwise; it is read only where a file is younger, or the day was not over."""
    younger = any(info.modified >= watched_at for info in _decides(snapshot, answers, use_case=use_case, day=day))
    lately = clock.date() - day <= LISTENED
    if not younger and not lately:
        return False
    try:
        report = WatchReport.from_json(snapshot.read(monitoring_path(use_case.name, batch=day.isoformat())))
    except EvaluationError:
        return True
    if report.until < watched_until(day, use_case=use_case, clock=clock):
        return True
    return younger and report.made_of != _made_of(snapshot, answers, use_case=use_case, day=day)


def _decides(snapshot: Snapshot, answers: _Answers, *, use_case: UseCase, day: date) -> list[ObjectInfo]:
    paths = [*answers.by_day.get(day, ()), *answers.outcomes_of(day)]
    infos = [snapshot.info(path) for path in paths]
    if period := use_case.batches.period:
        batch = period.name_of(day)
        landed = [validated_path(use_case.name, source=each.name, batch=batch) for each in use_case.arriving]
        infos += [info for info in snapshot.find_many(landed).values() if info is not None]
    else:
        infos += [
            info for each in use_case.arriving for info in snapshot.paths(f"{use_case.name}/validated/{each.name}/")
        ]
    return infos


def _made_of(snapshot: Snapshot, answers: _Answers, *, use_case: UseCase, day: date) -> str:
    infos = _decides(snapshot, answers, use_case=use_case, day=day)
    told = sorted(f"{info.path} {info.checksum}" for info in infos)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
