"""Everything that is shown of a use case's monitoring, read from the lake at one commit and from the environment."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from mlops_assets.contract.paths import served_profile_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.alerts.book import standing_alerts
from mlops_assets.stores.models.champion import Pointer, events
from mlops_assets.stores.models.registry import report_of
from mlops_assets.stores.predictions.served_metrics import served_metrics
from mlops_assets.stores.predictions.watch_reports import latest_reports
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.served.table import METRICS
from mlops_assets.watch.served.view import DAYS, MonitoringView, Move


def read_view(head: Snapshot, *, use_case: UseCase, folder: Path, days: int = DAYS) -> MonitoringView:
    """The last ``days`` that were watched; ``folder`` is the environment's, where alerts are kept."""
    name = use_case.name
    reports = list(latest_reports(head, use_case=name, days=days))
    moves = events(head, use_case=name)
    figures, inputs = METRICS.empty_table(), {}
    if reports:
        last = reports[-1].day
        first = last - timedelta(days=days - 1)
        figures = served_metrics(head, use_case=name, first=first, last=last)
        inputs = _inputs(head, use_case=name, days=[first + timedelta(days=i) for i in range(days)])
    return MonitoringView(
        use_case=name,
        title=use_case.title,
        positive_word=use_case.positive_word,
        days=reports,
        figures=figures,
        alerts=standing_alerts(folder, use_case=name),
        moves=[_move(each) for each in moves],
        promised=_promised(head, use_case=name, version=moves[-1].version if moves else None),
        inputs=inputs,
    )


def _inputs(head: Snapshot, *, use_case: str, days: list[date]) -> dict[date, Profile]:
    paths = {served_profile_path(use_case, batch=day.isoformat()): day for day in days}
    return {
        paths[path]: Profile(table=read_parquet(head.local(path)))
        for path, info in head.find_many(paths).items()
        if info is not None
    }


def _move(pointer: Pointer) -> Move:
    return Move(version=pointer.version, at=pointer.at, action=pointer.action, by=pointer.by, why=pointer.why)


def _promised(head: Snapshot, *, use_case: str, version: str | None) -> dict[str, float]:
    """What evaluation found of the champion, by metric."""
    report = report_of(head, use_case=use_case, version=version)
    metrics = report.overall.metrics if report else {}
    return {name: estimate.value for name, estimate in metrics.items() if estimate.value is not None}
