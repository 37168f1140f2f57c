"""Everything a person is shown of one use case's monitoring, and the one verdict above it: green or not, and why.

Putting it together from a lake is in ``stores/predictions/monitoring_view.py``; how it looks in ``reports/`` and, in a
terminal, in ``cli/monitor.py``. Both say what is said here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

import pyarrow as pa

from mlops_assets.contract.alerts import PART, Alert, State, Urgency
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.served.report import WatchReport
from mlops_assets.watch.served.table import (
    ANSWERED,
    CLASS,
    DOUBLED,
    FLAGGED,
    HISTORY_AGE,
    LATENCY,
    METRICS,
    MISSING,
    POSITIVES,
    RESIDUAL,
    SCORE,
    UNSEEN,
    WAITING,
)

DAYS = 90
SILENT_AFTER = timedelta(days=2)
"""After which a monitor without a newer report is taken to have stopped: more than a day, whatever the time zone."""


NAMED = {MISSING: "{} missing", UNSEEN: "{} never seen before", FLAGGED: "flagged: {}", CLASS: "share of {}"}
WRITTEN = {
    SCORE: "mean score",
    ANSWERED: "answers",
    DOUBLED: "asked again",
    HISTORY_AGE: "age of the history",
    RESIDUAL: "outcome less score",
    LATENCY: "mean latency",
    "latency_p99_seconds": "latency, 99th percentile",
    WAITING: "rows waiting",
}


class Light(StrEnum):
    """What a glance at the page says."""

    PAGE = "needs somebody"
    LOOK = "worth a look"
    USUAL = "as usual"
    UNJUDGED = "cannot be judged"
    SILENT = "silent"


@dataclass(frozen=True, kw_only=True)
class Move:
    """One move of the champion: ``version`` serves since ``at``, by whom and why."""

    version: str
    at: datetime
    action: str
    by: str
    why: str


@dataclass(frozen=True, kw_only=True)
class MonitoringView:
    """``days`` are the reports, oldest first; ``figures`` rows of ``METRICS`` of the same days, by hour.

    ``alerts`` are those that stand, ``moves`` all of the champion, oldest first; ``promised`` are the metrics by name
    that the champion was promoted on; ``inputs`` what the requests of each day looked like, oldest first.
    ``positive_word`` says what a positive prediction means.
    """

    use_case: str
    title: str
    positive_word: str = "positive"
    days: Sequence[WatchReport] = ()
    figures: pa.Table = field(default_factory=METRICS.empty_table)
    alerts: Sequence[Alert] = ()
    moves: Sequence[Move] = ()
    promised: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[date, Profile] = field(default_factory=dict)

    @property
    def last(self) -> WatchReport | None:
        """The newest report."""
        return self.days[-1] if self.days else None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The verdict: ``headline`` is read first, ``why`` are the sentences after it."""

    light: Light
    headline: str
    why: tuple[str, ...]


def standing(view: MonitoringView, *, now: datetime) -> Standing:
    """How things stand at ``now``. Green only if something could be judged, recently, and nothing stands."""
    last = view.last
    if last is None:
        said = "Nothing was watched yet: there is a report once answers are collected."
        light, headline, why = Light.UNJUDGED, said, _said_alerts(view.alerts)
    else:
        light, headline = _light(view, last, now=now), last.headline
        why = (*_said_alerts(view.alerts), _said_cells(last), *_said_silence(last, now=now))
    loud = _loudest(view)
    return Standing(light=loud or light, headline=headline, why=why)


def metric_words(metric: str, *, positive_word: str = "positive") -> str:
    """A metric's name as people write it: ``missing:tailnum`` is ``tailnum missing``."""
    for prefix, words in NAMED.items():
        if metric.startswith(prefix):
            return words.format(metric.removeprefix(prefix))
    if metric == POSITIVES:
        return f"share {positive_word}"
    return WRITTEN.get(metric, metric.replace("_", " ").replace(":", ": "))


def key_of(alert: Alert) -> str:
    """The ``key`` of the cause that an alert of monitoring is about."""
    return alert.finding.cause.partition(PART)[2]


def day_light(report: WatchReport) -> Light:
    """One day at a glance, whatever became of its causes since."""
    if any(cause.urgency is Urgency.PAGE for cause in report.causes):
        return Light.PAGE
    if report.causes or report.unusual:
        return Light.LOOK
    return Light.USUAL if any(cell.verdict == "usual" for cell in report.cells) else Light.UNJUDGED


def _loudest(view: MonitoringView) -> Light | None:
    """What alerts that are not silenced ask for."""
    heard = {alert.finding.urgency for alert in view.alerts if alert.state is not State.SILENCED}
    return Light.PAGE if Urgency.PAGE in heard else Light.LOOK if heard else None


def _light(view: MonitoringView, last: WatchReport, *, now: datetime) -> Light:
    """By the last day alone. A cause whose alert is silenced is known: it asks nobody."""
    silenced = {key_of(alert) for alert in view.alerts if alert.state is State.SILENCED}
    told = [cause for cause in last.causes if cause.key not in silenced]
    of_day = day_light(last.model_copy(update={"causes": tuple(told)}))
    return Light.SILENT if of_day is Light.USUAL and _is_silent(last, now=now) else of_day


def _said_alerts(alerts: Sequence[Alert]) -> tuple[str, ...]:
    heard = [alert for alert in alerts if alert.state is not State.SILENCED]
    pages = sum(alert.finding.urgency is Urgency.PAGE for alert in heard)
    silenced = len(alerts) - len(heard)
    stand = f"{len(heard)} alert{'s stand' if len(heard) != 1 else ' stands'}, {pages or 'none'} to page somebody for."
    return (stand if heard else "No alert stands.", *([f"{silenced} more silenced."] if silenced else []))


def _said_cells(report: WatchReport) -> str:
    counts = Counter(cell.verdict for cell in report.cells)
    if not counts:
        return f"No figure of {report.day} was judged."
    said = f"Of {len(report.cells):,} figures of {report.day}, {counts['usual']:,} are usual, "
    return said + f"{counts['unusual']:,} unusual, {counts['cannot be judged']:,} cannot be judged."


def _said_silence(last: WatchReport, *, now: datetime) -> tuple[str, ...]:
    return (f"Nothing newer than {last.until:%Y-%m-%d %H:%M} was watched.",) if _is_silent(last, now=now) else ()


def _is_silent(last: WatchReport, *, now: datetime) -> bool:
    return now.replace(tzinfo=None) - last.until.replace(tzinfo=None) > SILENT_AFTER
