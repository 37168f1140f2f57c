"""What the alerts say of a use case's inputs: which speak against learning now, and which changes are there to stay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from mlops_assets.contract.alerts import Alert, News, State, Urgency
from mlops_assets.contract.retraining import Drift
from mlops_assets.stores.alerts.book import NAME, AlertBook, standing_alerts

SERVED, LANDED = "monitoring/input", "validated_"
"""What the causes of alerts begin with: about requests, and about landed files."""
STAYED = timedelta(days=7)
"""A change that was there for so long before it was usual has become the usual; what was over sooner was a fault."""


def open_input_alerts(folder: Path, *, use_case: str) -> tuple[str, ...]:
    """The causes that a model must not learn from: inputs of requests that are unusual, files that were refused.

    Silencing one says, with a reason, that it is no fault; acknowledging says only that somebody is at it.
    """
    standing = [alert for alert in standing_alerts(folder, use_case=use_case) if alert.state is not State.SILENCED]
    return tuple(alert.finding.cause for alert in standing if _is_of_inputs(alert))


def input_drifts(folder: Path, *, use_case: str, since: datetime) -> tuple[Drift, ...]:
    """The inputs that began to look otherwise after ``since`` and will go on to: silenced with a reason, or there for
    a week before they were usual again. The oldest first.
    """
    if not (folder / NAME).exists():
        return ()
    with AlertBook(folder) as book:
        alerts = [*book.standing(), *book.resolved()]
        mine = [a for a in alerts if a.finding.use_case == use_case and a.finding.cause.startswith(SERVED)]
        found = [drift for alert in mine for drift in _drifts(book, alert)]
    return tuple(sorted((drift for drift in found if drift.began > since), key=lambda drift: drift.began))


def _drifts(book: AlertBook, alert: Alert) -> Iterator[Drift]:
    """When it opened last, if it is taken to last since."""
    moments = {event.kind: event.at for event in book.events(alert)}
    began, over = moments.get(News.OPENED), moments.get(News.RESOLVED)
    if began is None:
        return
    if alert.state is State.SILENCED and alert.silence is not None:
        yield Drift(cause=alert.finding.cause, began=began, lasting=f"was accepted: {alert.silence.reason}")
    elif alert.state is State.RESOLVED and over is not None and over - began >= STAYED:
        yield Drift(cause=alert.finding.cause, began=began, lasting=f"stayed so until it was usual on {over:%Y-%m-%d}")


def _is_of_inputs(alert: Alert) -> bool:
    refused = alert.finding.cause.startswith(LANDED) and alert.finding.urgency is Urgency.PAGE
    return refused or alert.finding.cause.startswith(SERVED)
