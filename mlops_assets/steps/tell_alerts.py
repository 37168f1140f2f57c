"""Tell alerts: what watching found of a day as looks of the alert book, one finding for each cause."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import get_args
from zoneinfo import ZoneInfo

from mlops_assets.contract.alerts import PART, Finding, Look
from mlops_assets.watch.served.report import Cause, Order, WatchReport

SUBJECT = "monitoring"


def looks_at(report: WatchReport, *, time_zone: str, page: str) -> Iterator[Look]:
    """One look for each kind of thing that was judged, also if nothing was found: what stood there, or on days before,
    is over. What cannot be judged yet, as in the first hours of a day, clears nothing.

    ``time_zone`` is that of the clock that the report tells moments by, ``page`` the address of the monitoring page.
    """
    day, zone = report.day.isoformat(), ZoneInfo(time_zone)
    for order in get_args(Order):
        findings = tuple(_finding(each, report, zone=zone, page=page) for each in report.causes if each.order == order)
        if findings or _is_judged(report, order):
            yield Look(
                use_case=report.use_case,
                subject=f"{SUBJECT}/{order}",
                places=frozenset({day}),
                by=f"{report.made_of} {report.until}",
                findings=findings,
                goes_on=True,
            )


def _is_judged(report: WatchReport, order: Order) -> bool:
    """Whether anything could have been found, by the end of the day at the latest. Without an answer nothing has come
    right again, and nobody was right without an outcome.
    """
    if not report.answered or (order == "truth" and not report.labelled):
        return False
    verdicts = [cell.verdict for cell in report.cells if cell.order == order]
    verdicts += [each.verdict for each in report.inputs if order == "inputs"]
    return report.until.date() > report.day or any(verdict != "cannot be judged" for verdict in verdicts)


def _finding(cause: Cause, report: WatchReport, *, zone: ZoneInfo, page: str) -> Finding:
    return Finding(
        use_case=report.use_case,
        cause=f"{SUBJECT}/{cause.order}{PART}{cause.key}",
        urgency=cause.urgency,
        what=" ".join([cause.what, *cause.consequences]),
        since=cause.since.replace(tzinfo=zone).astimezone(UTC),
        scope=cause.scope,
        normal=cause.normal,
        likely_cause=cause.likely_cause,
        evidence=f"{page}, or `mlops monitor {report.use_case}`",
        to_do=cause.to_do,
        chart=cause.chart,
    )
