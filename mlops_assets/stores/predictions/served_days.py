"""Which days the service answered on, what of it was collected, and which of them were watched since.

What decides is read off the lake and the service's log, never off Dagster: whoever starts the work sees the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from mlops_assets.contract.paths import batch_of, monitoring_path, prediction_log_folder, validated_path
from mlops_assets.contract.source import Cadence
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.predictions.collected_files import CollectedFile, collected_files, collected_upto, event_days
from mlops_assets.stores.predictions.prediction_log import existing_log_of
from mlops_assets.watch.monitoring import MonitoringReport

LATELY = timedelta(days=3)
"""For so long a day whose outcomes have landed is watched again. None may ever match its answers: then its report stays
as it is, and nothing else would tell that the day was looked at."""


@dataclass(frozen=True, kw_only=True)
class ServedDays:
    """The days with answers, each tuple in order.

    ``uncollected`` have records that the lake does not hold yet. ``unwatched`` have no report, or one older than their
    records or their first outcomes. ``unwatchable`` are no batches of the use case, so nothing can watch them.
    """

    uncollected: tuple[date, ...]
    unwatched: tuple[date, ...]
    unwatchable: tuple[date, ...]


def served_days(snapshot: Snapshot, *, use_case: UseCase, folder: Path, now: datetime) -> ServedDays:
    """What was served; ``folder`` is where the service's log lies (``environment_directory()`` of a deployment)."""
    files = collected_files(snapshot, folder=prediction_log_folder(use_case.name))
    reports = {batch_of(info.path): info.modified for info in snapshot.paths(f"{use_case.name}/monitoring/")}
    collected = _collected_at(snapshot, files)
    uncollected = _uncollected(files.values(), use_case=use_case, folder=folder)
    fresh = {
        day
        for day in {*collected, *uncollected}
        if day in uncollected
        or reports.get(day.isoformat(), -1) < collected[day]
        or _has_new_outcomes(snapshot, use_case=use_case, day=day, watched_at=reports[day.isoformat()], now=now)
    }
    watchable = {day for day in fresh if _can_be_watched(use_case, day)}
    return ServedDays(
        uncollected=tuple(sorted(uncollected)),
        unwatched=tuple(sorted(watchable)),
        unwatchable=tuple(sorted(fresh - watchable)),
    )


def has_answers(snapshot: Snapshot, *, use_case: UseCase, event_day: date) -> bool:
    """Whether the lake holds answers about a day's events."""
    files = collected_files(snapshot, folder=prediction_log_folder(use_case.name))
    possible = [(path, file) for path, file in files.items() if file.may_hold(event_day)]
    return any(event_day in event_days(snapshot, path, file=file) for path, file in possible)


def _collected_at(snapshot: Snapshot, files: Mapping[str, CollectedFile]) -> dict[date, int]:
    """When the last records of each event day came into the lake."""
    collected: dict[date, int] = defaultdict(int)
    for path, file in files.items():
        for day in event_days(snapshot, path, file=file):
            collected[day] = max(collected[day], file.modified)
    return dict(collected)


def _uncollected(files: Iterable[CollectedFile], *, use_case: UseCase, folder: Path) -> Collection[date]:
    """The event days of what the log holds past the lake; the log's own where the lake holds more than it has given."""
    log = existing_log_of(use_case.name, folder=folder)
    if log is None:
        return ()
    with closing(log):
        upto = collected_upto(files, log_id=log.log_id)
        put_back = upto > log.last_seq()  # collecting refuses it: nobody may be told that all is well
        return log.event_days_after(0 if put_back else upto)


def _has_new_outcomes(snapshot: Snapshot, *, use_case: UseCase, day: date, watched_at: int, now: datetime) -> bool:
    """Whether a daily use case's outcomes of ``day`` have landed lately, and after a report that tells none."""
    if not isinstance(use_case.batches, DailyBatches):
        return False
    batch = day.isoformat()
    arriving = [source.name for source in use_case.sources if source.cadence is not Cadence.STATIC]
    landed = snapshot.find_many(validated_path(use_case.name, source=name, batch=batch) for name in arriving)
    if any(info is None for info in landed.values()):
        return False
    landed_at = max(info.modified for info in landed.values() if info is not None)
    if landed_at < max(watched_at, (now - LATELY).timestamp()):
        return False
    return not MonitoringReport.from_json(snapshot.read(monitoring_path(use_case.name, batch=batch))).realised


def _can_be_watched(use_case: UseCase, day: date) -> bool:
    return use_case.batches.why_not_taken(day.isoformat()) is None
