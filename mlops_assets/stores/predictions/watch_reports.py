"""The reports on served days in the lake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.paths import folder_of, monitoring_path
from mlops_assets.lake.snapshot import ObjectInfo, Snapshot
from mlops_assets.watch.served.report import WatchReport


def watch_reports(snapshot: Snapshot, *, use_case: str, first: date, last: date) -> Iterator[WatchReport]:
    """The reports on the days from ``first`` to ``last``, both included, in order. Those that an earlier release of the
    platform wrote say nothing any more, and are left out.
    """
    ends = [monitoring_path(use_case, batch=day.isoformat()) for day in (first, last)]
    return _readable(snapshot, snapshot.between(folder_of(ends[0]), first=ends[0], last=ends[1]))


def latest_reports(snapshot: Snapshot, *, use_case: str, days: int) -> Iterator[WatchReport]:
    """The reports on the last days that were watched, in order."""
    return _readable(snapshot, snapshot.paths(folder_of(monitoring_path(use_case, batch="")))[-days:])


def _readable(snapshot: Snapshot, found: Sequence[ObjectInfo]) -> Iterator[WatchReport]:
    for info in found:
        try:
            yield WatchReport.from_json(snapshot.read(info.path))
        except EvaluationError:
            continue
