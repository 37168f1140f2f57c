"""Tell alerts: what watching found of a day as looks of the alert book, one finding for each cause."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import get_args
from zoneinfo import ZoneInfo

from mlops_assets.contract.alerts import PART, Finding, Look
from mlops_assets.watch.served.report import Cause, Order, WatchReport

SUBJECT = "monitoring"


def looks_at(report: WatchReport, *, time_zone: str) -> Iterator[Look]:
    """One look for each kind of thing that was judged, also for those that found nothing: what stood there is over.

    ``time_zone`` is that of the clock that the report tells moments by.
    """
    day, zone = report.day.isoformat(), ZoneInfo(time_zone)
    judged = {"truth"} if report.labelled else set()
    for order in get_args(Order):
        if order != "truth" or order in judged:
            yield Look(
                use_case=report.use_case,
                subject=f"{SUBJECT}/{order}",
                places=frozenset({day}),
                by=f"{report.made_of} {report.until}",
                findings=tuple(_finding(each, report, zone=zone) for each in report.causes if each.order == order),
            )


def _finding(cause: Cause, report: WatchReport, *, zone: ZoneInfo) -> Finding:
    return Finding(
        use_case=report.use_case,
        cause=f"{SUBJECT}/{cause.order}{PART}{cause.key}",
        urgency=cause.urgency,
        what=" ".join([cause.what, *cause.consequences]),
        since=cause.since.replace(tzinfo=zone).astimezone(UTC),
        scope=cause.scope,
        normal=cause.normal,
        likely_cause=cause.likely_cause,
        evidence=f"`mlops monitor {report.use_case}`, {report.day}",
        to_do=cause.to_do,
        chart=cause.chart,
    )
