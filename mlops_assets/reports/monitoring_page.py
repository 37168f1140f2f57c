"""One use case's monitoring on one self-contained page: green or not and why, and ninety days of what was served.

The numbers are in ``monitoring_figures.py``, charts in ``time_charts.py``, the verdict in ``watch/served/view.py``; the
looks in ``monitoring_page.html`` and ``monitoring_page.css``. No script, nothing from the network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mlops_assets.contract.alerts import Alert, State, Urgency, said_places
from mlops_assets.contract.slices import OVERALL
from mlops_assets.reports.monitoring_figures import (
    HOURS,
    LATELY,
    Judged,
    Timeline,
    answer_metrics,
    heat_kinds,
    hints_of,
    input_metrics,
    last_value,
    on_figure,
    percent,
    plain,
    writer,
)
from mlops_assets.reports.monitoring_inputs import input_cards
from mlops_assets.reports.monitoring_rows import day_rows, overall, span_words, truth_metrics, unjudged
from mlops_assets.reports.page import css_of, words
from mlops_assets.reports.time_charts import Band, Chart, Floats, Line, chart, heat, picture, spark
from mlops_assets.watch.served.report import Cause, Cell, Estimated, WatchReport
from mlops_assets.watch.served.table import (
    ANSWERED,
    DOUBLED,
    HISTORY_AGE,
    REQUESTS,
    SCORE,
    SERVICE,
)
from mlops_assets.watch.served.view import Light, MonitoringView, day_light, key_of, metric_words, standing

MOST = 24
"""So many small charts of a kind are shown, as many behind a click, and the others not at all."""
TALL = {Light.USUAL: 30, Light.UNJUDGED: 30, Light.LOOK: 65, Light.PAGE: 96}
"""How tall a day stands at a glance, of 100."""


def render(view: MonitoringView, *, now: datetime) -> str:
    """The page as one HTML document, as things stand at ``now``."""
    timeline = Timeline(view)
    answered = answer_metrics(timeline)
    counted, never = input_metrics(timeline)
    segments = timeline.segments([metric for metric in answered if metric != SCORE] or answered)
    verdict = standing(view, now=now)
    page: str = _template().render(
        css=Markup(css_of("page", "monitoring_page")),
        view=view,
        now=now,
        verdict=verdict,
        last=view.last,
        share=_share_of_last_day(view, timeline),
        glance=_glance(view, timeline),
        eventful=_eventful(view),
        alerts=_alerts(view),
        unusual=[_cell(view, cell) for cell in view.last.unusual] if view.last else [],
        unjudged=unjudged(view.last),
        answers=[_answer_panel(view, timeline, metric) for metric in answered],
        truth=[_truth_panel(view, timeline, metric) for metric in truth_metrics(view)],
        truth_table=_truth_table(view),
        answers_counted=_answer_panel(view, timeline, ANSWERED) if ANSWERED in timeline.metrics else None,
        traffic=_traffic(view, timeline),
        inputs=input_cards(view, timeline),
        columns=[_small(view, timeline, metric) for metric in counted[: 2 * MOST]],
        columns_left=len(counted[2 * MOST :]),
        never=never,
        segments=[_small(view, timeline, metric, scope=scope) for scope, metric in segments[: 2 * MOST]],
        segments_left=len(segments[2 * MOST :]),
        most=MOST,
        versions=_versions(view, timeline),
        table=day_rows(view, timeline),
    )
    return page


@cache
def _template() -> Any:
    folder = FileSystemLoader(Path(__file__).parent, encoding="utf-8")
    environment = Environment(
        loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"words": words, "thousands": lambda number: f"{number:,}"}
    return environment.get_template("monitoring_page.html")


def _share_of_last_day(view: MonitoringView, timeline: Timeline) -> Mapping[str, str] | None:
    """The first figure of the answers on the last day, and what is usual."""
    metric = next(iter(answer_metrics(timeline)), None)
    found = last_value((judged := timeline.by_day(metric)).figure) if metric else None
    if metric is None or found is None:
        return None
    slot, value = found
    write, usual = writer(metric), judged.usual[slot]
    return {
        "name": metric_words(metric, positive_word=view.positive_word),
        "value": write(value),
        "usual": f"usual {write(usual)}" if np.isfinite(usual) else "",
    }


def _glance(view: MonitoringView, timeline: Timeline) -> dict[str, Any]:
    """Every day at a glance: the taller, the graver."""
    lights = {report.day: day_light(report) for report in view.days}
    step = 1000 / len(timeline.days)
    drawn, hints = [], {report.day: report.headline for report in view.days}
    for i, day in enumerate(timeline.days):
        light = lights.get(day)
        tall = TALL[light] if light else 8
        kind = light.name.lower() if light else "unserved"
        hint = Markup("<title>{}: {}</title>").format(day, hints.get(day, "nothing was watched"))
        drawn.append(
            f'<rect class="{kind}" x="{i * step + 0.1 * step:.1f}" y="{100 - tall}" '
            f'width="{0.8 * step:.1f}" height="{tall}">{hint}</rect>'
        )
    counts = Counter(lights[day] for day in timeline.days if day in lights)
    told = ", ".join(f"{count} {light}" for light, count in counts.items()) or "nothing was watched"
    title = f"{len(timeline.days)} days through {timeline.days[-1]}"
    return {
        "counts": [(light.name.lower(), TALL[light], f"{count} {light}") for light, count in counts.items()],
        "chart": Chart(svg=picture("".join(drawn), title=title, told=told), rows=(), columns=timeline.day_ticks()),
    }


def _eventful(view: MonitoringView) -> list[WatchReport]:
    """The days on which something was found, the latest first."""
    return [report for report in reversed(view.days) if report.causes or report.unusual]


def _alerts(view: MonitoringView) -> list[dict[str, Any]]:
    """What stands, the gravest first; then causes of the last day that no alert stands for."""
    causes = {cause.key: cause for cause in view.last.causes} if view.last else {}
    told = []
    for alert in view.alerts:
        told.append(_alert(alert, causes.pop(key_of(alert), None)))
    return [*told, *map(_cause, causes.values())]


def _alert(alert: Alert, cause: Cause | None) -> dict[str, Any]:
    found = alert.finding
    silence = alert.silence
    return {
        "id": alert.id,
        "state": alert.state.value,
        "silence": f"until {silence.until:%Y-%m-%d %H:%M} UTC: {silence.reason}" if silence else "",
        "quiet": alert.state is State.SILENCED,
        "page": found.urgency is Urgency.PAGE,
        "cause": found.cause,
        "places": said_places(alert.places),
        "evidence": found.evidence,
        "link": found.evidence.startswith(("http://", "https://")),
        "consequences": cause.consequences if cause else (),
        **_told(found, zone=" UTC"),
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "id": "",
        "state": "no alert",
        "silence": "",
        "quiet": False,
        "page": cause.urgency is Urgency.PAGE,
        "cause": cause.key,
        "places": "",
        "evidence": "",
        "link": False,
        "consequences": cause.consequences,
        **_told(cause, zone=""),
    }


def _told(found: Any, *, zone: str) -> dict[str, Any]:
    """What an alert's finding and a cause both say."""
    values = np.array(found.chart, dtype=np.float64)
    told = f"{len(values)} values, the last one {plain(values[-1])}" if len(values) else ""
    return {
        "what": found.what,
        "scope": found.scope,
        "since": f"{found.since:%Y-%m-%d %H:%M}{zone}",
        "normal": found.normal,
        "likely": found.likely_cause,
        "to_do": found.to_do,
        "spark": spark(values, title=f"The last values of {found.scope or found.what}", told=told)
        if len(values) > 1
        else "",
        "spark_said": f"{plain(values[0])} → {plain(values[-1])}" if len(values) > 1 else "",
    }


def _cell(view: MonitoringView, cell: Cell) -> dict[str, str]:
    """One unusual figure of the last day as a row of a table."""
    write = writer(cell.metric)
    return {
        "name": metric_words(cell.metric, positive_word=view.positive_word),
        "scope": "all rows" if cell.scope == OVERALL else cell.scope,
        "span": cell.span if cell.hour is None else f"{cell.hour:02d}:00",
        "gap": {"rest": "less the other rows", "day": "less its day", "": ""}[cell.gap],
        "n": f"{cell.n:,}",
        "figure": write(cell.figure),
        "usual": span_words(*(on_figure(cell).get(name) for name in ("usual", "low", "high")), write=write),
        "detectable": write(cell.detectable) if cell.detectable is not None else "–",
        "since": f"{cell.since}" if cell.since else "",
    }


def _answer_panel(view: MonitoringView, timeline: Timeline, metric: str) -> dict[str, Any]:
    """A figure of the answers: by day, by hour of the last days, and all hours as a map."""
    name, days, hours = (
        metric_words(metric, positive_word=view.positive_word),
        timeline.by_day(metric),
        timeline.by_hour(metric),
    )
    shown = min(LATELY, len(timeline.days))
    names = timeline.hour_names()
    ticks = timeline.day_ticks()
    told = f"{_said(hours)}. Columns are days, rows are hours from midnight down."
    heated = heat(heat_kinds(hours), title=f"{name} by hour, all days", told=told)
    return {
        "name": name,
        "days": _chart(
            timeline, days, title=f"{name} by day", metric=metric, hints=list(map(str, timeline.days)), columns=ticks
        ),
        "hours": _chart(
            timeline,
            hours.tail(shown * HOURS),
            title=f"{name} by hour, the last {shown} days",
            metric=metric,
            hints=names[-shown * HOURS :],
            columns=timeline.hour_ticks(shown),
        ),
        "hours_shown": shown,
        "heat": Chart(svg=heated, rows=(), columns=ticks),
        "by_hour": bool(np.isfinite(hours.figure).any()),
    }


def _chart(
    timeline: Timeline, judged: Judged, *, title: str, metric: str, hints: Sequence[str], columns: Any, **looks: Any
) -> Chart:
    """What was served within what is usual, what cannot be judged hatched, and how small a shift would be found."""
    write = writer(metric)
    unusual, grey = judged.verdict == "unusual", judged.verdict == "cannot be judged"
    least, most = timeline.ends(metric)
    below, above = judged.usual - judged.detectable, judged.usual + judged.detectable
    falls, rises = (below >= least) & (below <= judged.low), (above <= most) & (above >= judged.high)
    parts: list[Band | Line] = [
        Band(low=judged.low, high=judged.high),
        Line(values=np.where(falls, below, np.nan), kind="detectable"),
        Line(values=np.where(rises, above, np.nan), kind="detectable"),
        Line(values=judged.usual, kind="usual"),
        Line(values=judged.figure, kind="line"),
        Line(values=np.where(grey, judged.figure, np.nan), kind="grey", dots=True),
        Line(values=np.where(unusual, judged.figure, np.nan), kind="alarm", dots=True),
    ]
    return chart(
        parts,
        title=title,
        told=_said(judged),
        written=write,
        columns=columns,
        grey=grey,
        hints=hints_of(judged, names=hints, write=write),
        **looks,
    )


def _said(judged: Judged) -> str:
    """``81 usual, 4 unusual, 5 cannot be judged``."""
    counts = Counter(judged.verdict[judged.verdict != ""].tolist())
    return ", ".join(f"{count:,} {verdict}" for verdict, count in counts.most_common()) or "not judged yet"


def _truth_panel(view: MonitoringView, timeline: Timeline, metric: str) -> dict[str, Any]:
    """Estimated and realised by day, the prior on the same rows, and what was promised."""
    estimated = [(report.day, each) for report in view.days for each in report.estimated if each.metric == metric]
    realised = [(report.day, each) for report in view.days for each in overall(report) if each.metric == metric]

    def line(rows: Iterable[tuple[Any, Any]], name: str) -> Floats:
        return timeline.on((day, getattr(each, name)) for day, each in rows)

    promised = line(realised, "promised")
    if not np.isfinite(promised).any() and metric in view.promised:
        promised = np.full(len(timeline.days), view.promised[metric])
    truth = line(realised, "value")
    worse = np.isin(timeline.on((day, each.verdict.startswith("worse")) for day, each in realised), 1.0)
    parts: list[Band | Line] = [
        Band(low=line(estimated, "low"), high=line(estimated, "high"), kind="guess"),
        Band(low=line(realised, "low"), high=line(realised, "high"), kind="interval"),
        Line(values=line(realised, "prior"), kind="prior"),
        Line(values=promised, kind="promise"),
        Line(values=line(estimated, "value"), kind="estimate"),
        Line(values=truth, kind="truth"),
        Line(values=np.where(worse, truth, np.nan), kind="alarm", dots=True),
    ]
    error = next((each for _, each in reversed(estimated) if each.usual_error is not None), None)
    said = f"{np.isfinite(truth).sum()} days have outcomes, {worse.sum()} of them worse than promised"
    return {
        "name": words(metric),
        "chart": chart(
            parts,
            title=f"{words(metric)}, estimated and realised",
            told=said,
            written=plain,
            columns=timeline.day_ticks(),
            hints=_truth_hints(timeline, parts),
        ),
        "said": said,
        "error": _said_error(error, is_estimated=bool(estimated)),
    }


def _said_error(scored: Estimated | None, *, is_estimated: bool) -> str:
    """How far to trust the estimate."""
    if scored is not None and scored.usual_error is not None:
        return f"Realised less estimated: a standard deviation of {plain(scored.usual_error)} over {scored.days} days."
    if is_estimated:
        return "How far to trust the estimate is not known yet: too few days have both."
    return "It is not estimated before outcomes are known."


def _truth_hints(timeline: Timeline, parts: Sequence[Band | Line]) -> list[str]:
    lines = {part.kind: part.values for part in parts if isinstance(part, Line) and not part.dots}
    named = {"estimate": "estimated", "truth": "realised", "prior": "prior", "promise": "promised"}
    return [
        ", ".join(
            [
                f"{day}",
                *(f"{name} {plain(lines[kind][i])}" for kind, name in named.items() if np.isfinite(lines[kind][i])),
            ]
        )
        for i, day in enumerate(timeline.days)
    ]


def _truth_table(view: MonitoringView) -> dict[str, Any] | None:
    """Every realised figure of the last day that has outcomes; of segments those that are worse."""
    report = next((each for each in reversed(view.days) if each.realised), None)
    if report is None:
        return None
    shown = [each for each in report.realised if each.scope == OVERALL or each.verdict.startswith("worse")]
    rows = [
        {
            "metric": words(each.metric),
            "scope": "all rows" if each.scope == OVERALL else each.scope,
            "n": f"{each.n:,}",
            "value": span_words(each.value, each.low, each.high, write=plain),
            "prior": "–" if each.prior is None else plain(each.prior),
            "promised": "–" if each.promised is None else plain(each.promised),
            "verdict": each.verdict,
            "why": each.why,
        }
        for each in shown
    ]
    return {"day": report.day, "labelled": report.labelled, "answered": report.answered, "rows": rows}


def _traffic(view: MonitoringView, timeline: Timeline) -> list[dict[str, Any]]:
    """What the service says of itself, and what else is exact of the answers, as far as there is any."""
    exact = [(OVERALL, metric) for metric in (DOUBLED, HISTORY_AGE) if metric in timeline.metrics]
    service = [(SERVICE, metric) for metric in sorted(timeline.metrics_of(SERVICE)) if metric != REQUESTS]
    panels = [_small(view, timeline, metric, scope=scope) for scope, metric in (*service, *exact)]
    return [panel for panel in panels if panel["last"]]


def _small(view: MonitoringView, timeline: Timeline, metric: str, *, scope: str = OVERALL) -> dict[str, Any]:
    """One small chart by day."""
    name = metric_words(metric, positive_word=view.positive_word)
    judged = timeline.by_day(metric, scope=scope)
    where = "" if scope in (OVERALL, SERVICE) else scope
    return _panel(timeline, judged, name=name, scope=where, metric=metric, from_zero=scope == SERVICE)


def _panel(
    timeline: Timeline, judged: Judged, *, name: str, scope: str, metric: str, from_zero: bool
) -> dict[str, Any]:
    found = last_value(judged.figure)
    if found is None:
        return {"last": ""}
    slot, value = found
    write = writer(metric)
    verdict = str(judged.verdict[slot])
    named = [
        str(day) if verdict == "unusual" else "" for day, verdict in zip(timeline.days, judged.verdict, strict=True)
    ]
    drawn = _chart(
        timeline,
        judged,
        title=f"{name} {scope}".strip(),
        metric=metric,
        hints=named,
        columns=timeline.day_ticks(most=2),
        from_zero=from_zero,
        steps=2,
    )
    return {
        "name": name,
        "scope": scope,
        "last": write(value),
        "usual": write(judged.usual[slot]) if np.isfinite(judged.usual[slot]) else "",
        "detectable": write(judged.detectable[slot]) if np.isfinite(judged.detectable[slot]) else "",
        "verdict": verdict or "not judged",
        "chart": drawn,
    }


def _versions(view: MonitoringView, timeline: Timeline) -> list[dict[str, Any]]:
    """Which version answered when, the latest first; with what moved the champion to it."""
    moves = {move.version: move for move in view.moves}
    step = 1000 / len(timeline.days)
    answered = {report.day: report for report in view.days if report.answered}
    names = dict.fromkeys(version for report in reversed(view.days) for version in report.versions)
    told = []
    for version in names:
        days = [
            (day, each.versions[version] / each.answered) for day, each in answered.items() if version in each.versions
        ]
        blocks = "".join(
            f'<rect class="reign" x="{timeline.days.index(day) * step:.1f}" y="{100 - max(12, 100 * share):.0f}" '
            f'width="{step + 0.3:.1f}" height="{max(12, 100 * share):.0f}">'
            f"<title>{day}: {percent(share)}</title></rect>"
            for day, share in days
            if day in timeline.days
        )
        answers = sum(each.versions.get(version, 0) for each in answered.values())
        said = f"{days[0][0]} to {days[-1][0]}, {answers:,} answers" if days else "no answers"
        told.append(
            {
                "version": version,
                "said": said,
                "move": moves.get(version),
                "svg": picture(blocks, title=f"Version {version}", told=said),
            }
        )
    return told
