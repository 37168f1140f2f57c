"""Which days the service answered on, what of it was collected, and which of them were watched since.

What decides is read off the lake and the service's log, never off Dagster: whoever starts the work sees the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from mlops_assets.contract.paths import batch_of, monitoring_path, validated_path
from mlops_assets.contract.source import Cadence
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.predictions.prediction_log import log_path, prediction_log_of, uncollected_days
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
    collected = _collected_at(snapshot, use_case=use_case)
    uncollected = _uncollected(snapshot, use_case=use_case, folder=folder)
    reports = {batch_of(info.path): info.modified for info in snapshot.paths(f"{use_case.name}/monitoring/")}
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


def deviating_days(snapshot: Snapshot, *, use_case: UseCase, since: float, version: str) -> tuple[str, ...]:
    """The days that deviate for ``version`` by reports written after ``since`` (seconds of the epoch), in order."""
    reports = [info for info in snapshot.paths(f"{use_case.name}/monitoring/") if info.modified > since]
    read = (MonitoringReport.from_json(snapshot.read(info.path)) for info in reports)
    return tuple(report.day for report in read if report.deviations and report.model_version == version)


def _collected_at(snapshot: Snapshot, *, use_case: UseCase) -> dict[date, int]:
    """When the last records of each collected day came into the lake."""
    found: dict[date, int] = defaultdict(int)
    for info in snapshot.paths(f"{use_case.name}/prediction_log/"):
        day = date.fromisoformat(info.path.split("/")[-2])
        found[day] = max(found[day], info.modified)
    return dict(found)


def _uncollected(snapshot: Snapshot, *, use_case: UseCase, folder: Path) -> Collection[date]:
    if not log_path(use_case.name, folder=folder).exists():
        return ()
    log = prediction_log_of(use_case.name, folder=folder)
    try:
        held = snapshot.paths(f"{use_case.name}/prediction_log/")
        return uncollected_days(log, collected=[info.path for info in held])
    finally:
        log.close()


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
    return use_case.monitoring is not None and use_case.batches.why_not_taken(day.isoformat()) is None
