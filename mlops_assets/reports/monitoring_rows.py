"""What a page and a terminal both say of monitoring in words: the days as rows, and what cannot be judged."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date

import numpy as np

from mlops_assets.contract.slices import OVERALL
from mlops_assets.reports.monitoring_figures import Judged, Timeline, Write, answer_metrics, plain, writer
from mlops_assets.watch.served.report import Realised, WatchReport
from mlops_assets.watch.served.view import MonitoringView, day_light, metric_words

NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class DayRow:
    """One day: how it is, how much was answered, the first figure of the answers beside what is usual, estimate, truth
    and causes. What is not known is a dash.
    """

    day: date
    light: str
    answered: str
    share: str
    usual: str
    estimated: str
    realised: str
    causes: str


@dataclass(frozen=True, kw_only=True)
class DayRows:
    """The days, the latest first; ``share`` and ``truth`` are the names of what their columns hold."""

    share: str
    truth: str
    rows: tuple[DayRow, ...]


@dataclass(frozen=True, kw_only=True)
class Unjudged:
    """What could not be judged for one reason: how many figures, and their names."""

    why: str
    count: int
    names: str


def day_rows(view: MonitoringView, timeline: Timeline) -> DayRows:
    """The days of the view as rows: what the charts show, as numbers."""
    metric = next(iter(answer_metrics(timeline)), None)
    share = timeline.by_day(metric) if metric else None
    truth = next(iter(truth_metrics(view)), None)
    places = {day: slot for slot, day in enumerate(timeline.days)}
    rows = [
        DayRow(
            day=report.day,
            light=day_light(report).value,
            answered=f"{report.answered:,}",
            **_against_usual(share, places[report.day], write=writer(metric or "")),
            estimated=next((plain(each.value) for each in report.estimated if each.metric == truth), "–"),
            realised=_realised(report, truth),
            causes="; ".join(cause.what for cause in report.causes),
        )
        for report in reversed(view.days)
        if report.day in places
    ]
    return DayRows(
        share=metric_words(metric, positive_word=view.positive_word) if metric else "",
        truth=truth or "",
        rows=tuple(rows),
    )


def unjudged(report: WatchReport | None) -> list[Unjudged]:
    """What could not be judged on that day by the reason why, the most frequent first.

    Reasons that differ in their numbers are one: ``1 to 9 rows, needs 10``.
    """
    names: dict[str, Counter[str]] = defaultdict(Counter)
    whys: dict[str, list[str]] = defaultdict(list)
    for cell in report.cells if report else ():
        if cell.verdict == "cannot be judged":
            reason = NUMBER.sub("#", cell.why)
            where = "" if cell.scope == OVERALL else f" of {cell.scope}"
            when = cell.span if cell.hour is None else "hour"
            names[reason][f"{metric_words(cell.metric)}{where} by {when}"] += 1
            whys[reason].append(cell.why or "no reason is given")
    told = [
        Unjudged(why=_one_reason(whys[reason]), count=counts.total(), names=_said_names(counts))
        for reason, counts in names.items()
    ]
    return sorted(told, key=lambda each: -each.count)


def truth_metrics(view: MonitoringView) -> list[str]:
    """Metrics with an estimate or a truth of all rows; those that have both first."""
    estimated = dict.fromkeys(each.metric for report in view.days for each in report.estimated)
    realised = dict.fromkeys(each.metric for report in view.days for each in overall(report))
    return sorted({**estimated, **realised}, key=lambda metric: (metric not in estimated, metric not in realised))


def overall(report: WatchReport) -> list[Realised]:
    """How right all answers of the day were."""
    return [each for each in report.realised if each.scope == OVERALL]


def span_words(middle: float | None, low: float | None, high: float | None, *, write: Write) -> str:
    """``26 % (12 % to 40 %)``, as far as it is known."""
    if low is None or high is None:
        return "–" if middle is None else write(middle)
    ends = f"{write(low)} to {write(high)}"
    return ends if middle is None else f"{write(middle)} ({ends})"


def _against_usual(judged: Judged | None, slot: int, *, write: Write) -> dict[str, str]:
    """``share`` and ``usual`` of a row: ``50 %`` and ``26 % (12 % to 40 %)``."""
    if judged is None or not np.isfinite(judged.figure[slot]):
        return {"share": "–", "usual": "–"}
    known = [value[slot] if np.isfinite(value[slot]) else None for value in (judged.usual, judged.low, judged.high)]
    return {"share": write(judged.figure[slot]), "usual": span_words(*known, write=write)}


def _realised(report: WatchReport, metric: str | None) -> str:
    values = [each.value for each in overall(report) if each.metric == metric and each.value is not None]
    return plain(values[0]) if values else "–"


def _one_reason(whys: list[str]) -> str:
    """Sentences that differ in their numbers at most, as one with the ranges of these."""
    numbers = list(zip(*([float(found) for found in NUMBER.findall(why)] for why in whys), strict=True))
    ranges = iter([(min(each), max(each)) for each in numbers])
    return NUMBER.sub(lambda _: _range(*next(ranges)), whys[0])


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _said_names(names: Counter[str]) -> str:
    return ", ".join(f"{name} ({count}×)" if count > 1 else name for name, count in names.items())
