"""The numbers behind a monitoring page, on slots of days or hours: what was served, what is usual, what can be judged.

How they are drawn and laid out is in ``monitoring_page.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.slices import OVERALL
from mlops_assets.reports.time_charts import Floats, Tick
from mlops_assets.watch.served.report import Cell, Verdict
from mlops_assets.watch.served.table import (
    ANSWERED,
    CLASS,
    DOUBLED,
    ERRORS,
    FLAGGED,
    HISTORY_AGE,
    LABELLED,
    MISSING,
    POSITIVES,
    RATE,
    REFUSED,
    REQUESTS,
    SCORE,
    SERVICE,
    UNSEEN,
)
from mlops_assets.watch.served.view import DAYS, MonitoringView

LEAST_DAYS = 14
"""An axis of days is at least so long."""
HOURS = 24
LATELY = 7
"""So many days are shown hour by hour; what was unusual on none of them is not news."""
SHARES = (CLASS, MISSING, UNSEEN, FLAGGED)
COUNTS = (ANSWERED, LABELLED, REQUESTS)
LATENCIES = "latency_"
"""How the metrics begin that are seconds of a request."""
NOTHING = 1e-9
"""What is nearer to 0 is the rounding of sums."""
RANKS: Mapping[Verdict, int] = {"cannot be judged": 0, "usual": 1, "unusual": 2}

Write = Callable[[float], str]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One figure by slot. ``low`` to ``high`` is usual; with less than ``detectable`` off ``usual`` nothing is found.

    NaN is where there is nothing; ``verdict`` is empty there.
    """

    figure: Floats
    usual: Floats
    low: Floats
    high: Floats
    detectable: Floats
    verdict: NDArray[np.str_]

    def tail(self, slots: int) -> Judged:
        """The last ``slots``."""
        return Judged(**{name: values[-slots:] for name, values in vars(self).items()})


class Timeline:
    """The figures of a view by day and hour. Days without anything are slots, too."""

    def __init__(self, view: MonitoringView) -> None:
        self._view = view
        scopes = pa.array([OVERALL, SERVICE])
        self._figures = view.figures.filter(pc.is_in(view.figures["scope"], value_set=scopes))
        self.days = _days(view)
        self._place = {day: i for i, day in enumerate(self.days)}

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """What there is of all rows, judged or only counted."""
        return self.metrics_of(OVERALL)

    def metrics_of(self, scope: str) -> tuple[str, ...]:
        """What there is of one scope."""
        counted = self._figures["metric"].filter(pc.equal(self._figures["scope"], scope)).unique().to_pylist()
        return tuple(dict.fromkeys([*counted, *(metric for metric, each, _ in self._cells if each == scope)]))

    def segments(self, metrics: Collection[str]) -> list[tuple[str, str]]:
        """Scope and metric of segments that are judged by day: of ``metrics`` all, of others what was unusual of late.

        The latest unusual ones come first.
        """
        judged = [
            (scope, name) for name, scope, span in self._cells if span == "day" and scope not in (OVERALL, SERVICE)
        ]
        last = {each: self._last_unusual(each[1], scope=each[0]) for each in judged}
        shown = [each for each in judged if each[1] in metrics or last[each] >= len(self.days) - LATELY]
        return sorted(shown, key=lambda each: (-last[each], each))

    def sums(self, metric: str, *, scope: str = OVERALL) -> tuple[Floats, Floats]:
        """The sums of value and n by hour, NaN where there is no row; of segments only what was judged is known."""
        is_metric, is_scope = pc.equal(self._figures["metric"], metric), pc.equal(self._figures["scope"], scope)
        rows = self._figures.filter(pc.and_(is_metric, is_scope))
        hours = rows["hour"].to_numpy().astype("datetime64[h]").astype(np.int64)
        slots = hours - _hours_since_epoch(self.days[0])
        known = (slots >= 0) & (slots < HOURS * len(self.days))
        sums = []
        for name in ("value", "n"):
            total = np.full(HOURS * len(self.days), np.nan)
            total[slots[known]] = 0.0
            np.add.at(total, slots[known], rows[name].to_numpy().astype(np.float64)[known])
            sums.append(total)
        return sums[0], sums[1]

    def by_day(self, metric: str, *, scope: str = OVERALL) -> Judged:
        """What was judged by day; days that were not show what was served."""
        return self._filled(self._judged(metric, scope=scope, span="day"), metric, scope=scope, hourly=False)

    def by_hour(self, metric: str, *, scope: str = OVERALL) -> Judged:
        """The same by hour."""
        return self._filled(self._judged(metric, scope=scope, span="hour"), metric, scope=scope, hourly=True)

    def ends(self, metric: str) -> tuple[float, float]:
        """Between which a figure can be: nothing beyond them is worth drawing."""
        of_classes = POSITIVES in self.metrics or any(name.startswith(CLASS) for name in self.metrics)
        if is_share(metric) or (metric == SCORE and of_classes):
            return 0.0, 1.0
        return (0.0, np.inf) if metric in (*COUNTS, HISTORY_AGE) or metric.startswith(LATENCIES) else (-np.inf, np.inf)

    def day_ticks(self, *, most: int = 6) -> tuple[Tick, ...]:
        """Days to be named below a chart, evenly far apart."""
        every = max(1, round(len(self.days) / most))
        chosen = range(len(self.days) - 1, -1, -every)
        return tuple(Tick(at=(i + 0.5) / len(self.days), text=f"{self.days[i]:%-d %b}") for i in reversed(chosen))

    def hour_ticks(self, days: int) -> tuple[Tick, ...]:
        """Where each of the last ``days`` is, below a chart of hours."""
        shown = self.days[-days:]
        return tuple(Tick(at=(i + 0.5) / len(shown), text=f"{day:%a %-d}") for i, day in enumerate(shown))

    def hour_names(self) -> list[str]:
        """Every slot of hours, as people write it."""
        return [f"{day:%a %Y-%m-%d} {hour:02d}:00" for day in self.days for hour in range(HOURS)]

    def on(self, values: Iterable[tuple[date, float | None]]) -> Floats:
        """Values of days on the axis of days."""
        line = np.full(len(self.days), np.nan)
        for day, value in values:
            if day in self._place and value is not None:
                line[self._place[day]] = value
        return line

    @cached_property
    def _cells(self) -> dict[tuple[str, str, str], dict[int, Cell]]:
        """By metric, scope and span the cell of each slot: the gravest of several, such as less its day and not."""
        found: dict[tuple[str, str, str], dict[int, Cell]] = defaultdict(dict)
        for report in self._view.days:
            for cell in report.cells if report.day in self._place else ():
                slot = self._place[report.day] if cell.hour is None else self._place[report.day] * HOURS + cell.hour
                at = found[cell.metric, cell.scope, cell.span]
                if slot not in at or RANKS[cell.verdict] > RANKS[at[slot].verdict]:
                    at[slot] = cell
        return dict(found)

    def _judged(self, metric: str, *, scope: str, span: str) -> Judged:
        slots = len(self.days) * (HOURS if span == "hour" else 1)
        columns = {name: np.full(slots, np.nan) for name in ("figure", "usual", "low", "high", "detectable")}
        verdict = np.full(slots, "", dtype="<U16")
        for slot, cell in self._cells.get((metric, scope, span), {}).items():
            for name, value in on_figure(cell).items():
                columns[name][slot] = value
            verdict[slot] = cell.verdict
        return Judged(**columns, verdict=verdict)

    def _filled(self, judged: Judged, metric: str, *, scope: str, hourly: bool) -> Judged:
        value, n = self.sums(metric, scope=scope)
        if not hourly:
            value, n = _by_day(value), _by_day(n)
        with np.errstate(invalid="ignore", divide="ignore"):
            served = value if metric in COUNTS else value / n
        figure = np.where(np.isfinite(judged.figure), judged.figure, served)
        return Judged(**{**vars(judged), "figure": figure})

    def _last_unusual(self, metric: str, *, scope: str) -> int:
        cells = self._cells[metric, scope, "day"]
        return max((slot for slot, cell in cells.items() if cell.verdict == "unusual"), default=-1)


def answer_metrics(timeline: Timeline) -> tuple[str, ...]:
    """What tells most of the answers: shares of positives and the mean score, of each class, or the mean number."""
    classes = tuple(
        sorted(
            (metric for metric in timeline.metrics if metric.startswith(CLASS)),
            key=lambda metric: -np.nansum(timeline.by_day(metric).figure),
        )
    )
    if POSITIVES in timeline.metrics:
        return (POSITIVES, SCORE) if SCORE in timeline.metrics else (POSITIVES,)
    return classes or tuple(metric for metric in (SCORE,) if metric in timeline.metrics)


def input_metrics(timeline: Timeline) -> tuple[list[str], int]:
    """What is counted of the requests' columns, the latest unusual first; how many more there are that are always 0."""
    counted = [metric for metric in timeline.metrics if metric.startswith((MISSING, UNSEEN, FLAGGED))]
    known = {metric: timeline.by_day(metric) for metric in counted}
    ever = [metric for metric in counted if np.nansum(known[metric].figure) > 0]
    last = {metric: np.flatnonzero(known[metric].verdict == "unusual")[-1:].sum() for metric in ever}
    return sorted(ever, key=lambda metric: (-last[metric], metric)), len(counted) - len(ever)


def is_share(metric: str) -> bool:
    """Whether it is a share of rows."""
    return metric in (POSITIVES, RATE, DOUBLED, ERRORS, REFUSED) or metric.startswith(SHARES)


def writer(metric: str) -> Write:
    """How a value of the metric is written."""
    if is_share(metric):
        return percent
    if metric in COUNTS:
        return lambda value: f"{value:,.0f}"
    if metric.startswith(LATENCIES):
        return lambda value: f"{1000 * value:,.3g} ms"
    return (lambda value: f"{plain(value)} d") if metric == HISTORY_AGE else plain


def percent(value: float) -> str:
    """``26 %``, with a digit more where it is needed."""
    value = 0.0 if abs(value) < NOTHING else value
    return f"{100 * value:.0f} %" if abs(value) >= 0.0995 or value == 0 else f"{100 * value:.2g} %"


def plain(value: float) -> str:
    """Three digits, or thousands told apart."""
    value = 0.0 if abs(value) < NOTHING else value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def hints_of(judged: Judged, *, names: Sequence[str], write: Write) -> list[str]:
    """What is known of each slot, in a few words; nothing of those without a name or a figure."""
    return [
        _hint(judged, slot, name=name, write=write) if name and np.isfinite(judged.figure[slot]) else ""
        for slot, name in enumerate(names)
    ]


def heat_kinds(judged: Judged) -> NDArray[np.str_]:
    """Hours of the day by days: how far each is off what is usual, in thirds of its band, or that it is not judged."""
    with np.errstate(invalid="ignore", divide="ignore"):
        over = judged.figure >= judged.usual
        reach = np.maximum(judged.high - judged.usual, judged.usual - judged.low)
        far = np.abs(judged.figure - judged.usual) / reach
    third = np.clip(np.nan_to_num(far * 3, nan=0.0, posinf=2.0), 0, 2).astype(int)
    kinds = np.char.add(np.where(over, "over", "under").astype("<U16"), third.astype("<U1"))
    kinds = np.where(judged.verdict == "unusual", np.where(over, "alarm high", "alarm low"), kinds)
    kinds = np.where(judged.verdict == "cannot be judged", "unjudged", kinds)
    kinds = np.where((judged.verdict == "") & np.isfinite(judged.figure), "counted", kinds)
    kinds = np.where(np.isfinite(judged.figure), kinds, "")
    table: NDArray[np.str_] = kinds.reshape(-1, HOURS).T
    return table


def last_value(values: Floats) -> tuple[int, float] | None:
    """The last slot that has one, with its value."""
    known = np.flatnonzero(np.isfinite(values))
    return (int(known[-1]), float(values[known[-1]])) if len(known) else None


def _hint(judged: Judged, slot: int, *, name: str, write: Write) -> str:
    said = f"{name}: {write(judged.figure[slot])}"
    if np.isfinite(judged.usual[slot]):
        said += f", usual {write(judged.usual[slot])}"
    if np.isfinite(judged.low[slot]) and np.isfinite(judged.high[slot]):
        said += f" ({write(judged.low[slot])} to {write(judged.high[slot])})"
    if np.isfinite(judged.detectable[slot]):
        said += f", shifts from {write(judged.detectable[slot])} on are found"
    return f"{said}: {judged.verdict[slot]}" if judged.verdict[slot] else f"{said}: not judged yet"


def on_figure(cell: Cell) -> dict[str, float]:
    """A cell in terms of its figure, as far as it is known: what is judged is often a gap to the day or other rows."""
    level = cell.figure - cell.value
    known = {"usual": cell.usual, "low": cell.low, "high": cell.high}
    told = {name: level + value for name, value in known.items() if value is not None}
    if "high" in told or "low" in told:  # a bound that nothing can be beyond is none: it ends where figures end
        told = {"low": min(0.0, cell.figure), "high": max(1.0, cell.figure), **told}
    return {"figure": cell.figure, **told, **({"detectable": cell.detectable} if cell.detectable is not None else {})}


def _days(view: MonitoringView) -> tuple[date, ...]:
    """At most ``DAYS`` days, through the last of which anything is known."""
    hours = [value.as_py() for value in pc.min_max(view.figures["hour"]).values()] if view.figures.num_rows else []
    known = [report.day for report in view.days] + [hour.date() for hour in hours]
    if not known:
        return (date(1970, 1, 1),)
    last = max(known)
    count = min(DAYS, max((last - min(known)).days + 1, LEAST_DAYS))
    return tuple(last - timedelta(days=back) for back in range(count - 1, -1, -1))


def _by_day(values: Floats) -> Floats:
    hours = values.reshape(-1, HOURS)
    return np.where(np.isfinite(hours).any(axis=1), np.nansum(hours, axis=1), np.nan)


def _hours_since_epoch(day: date) -> int:
    return (day - date(1970, 1, 1)).days * HOURS
