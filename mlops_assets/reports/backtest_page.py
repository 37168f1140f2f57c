"""The page and the picture of a backtest: each window's figures with their intervals beside the baselines.

How the windows were made and judged is in ``judge/backtest.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from mlops_assets.contract.gates import MetricBound
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.backtest import BacktestReport, Window
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.metrics import higher_is_better
from mlops_assets.reports.drawing import BLUE, GREEN, QUIET, RED, inline, standalone
from mlops_assets.reports.page import ARROWS, document, interval_of, value_of, words
from mlops_assets.training.baselines import CONSTANT, LINEAR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT, NARROWEST, PER_WINDOW = 3.1, 4.0, 0.75  # inches
BESIDE_EACH_OTHER = 4
"""From more windows on each chart has the width of the page."""
BESIDE = {LINEAR: ("s", GREEN, "■", "--green"), CONSTANT: ("^", QUIET, "▲", "--quiet")}
"""Each baseline's marker and colour, in a chart and on the page."""
APART = 0.14  # of the room of a window


def backtest_page(report: BacktestReport, *, use_case: UseCase, version: str, commit: str) -> str:
    """The backtest of the recipe of ``version`` on the training view of lake commit ``commit`` as one HTML document."""
    charts = "".join(
        f'<div class="card"><h3>{words(metric)} {ARROWS[higher_is_better(metric)]}</h3>'
        f"{_chart(report, metric, use_case=use_case)}</div>"
        for metric in _shown(use_case)
    )
    if len(report.windows) <= BESIDE_EACH_OTHER:
        charts = f'<div class="beside">{charts}</div>'
    held, windows = sum(not each.reasons for each in report.windows), len(report.windows)
    facts = {
        "windows": f"{windows}, {report.windows[0].test_first} to {report.windows[-1].test_last}",
        "gates passed": f"{held} of {windows}",
        "recipe of version": version,
    }
    told = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())
    body = f"""<header><h1>Backtest of {escape(use_case.name)}</h1><p class="lead">{escape(use_case.title)}</p>
<p class="what">Today's recipe, trained and judged anew for each window, each time knowing only its past: what it would
have done, had it been used then.</p><dl>{told}</dl></header>
<main><section><h2>Over the windows</h2><p class="quiet">{_legend()}</p>{charts}</section>
<section><h2>What the gates would have said</h2>{_gates(report)}</section>
<section><h2>Every figure</h2>{_figures(report)}</section></main>
<footer>From the training view at lake commit <code>{escape(commit[:16])}</code>. Intervals are of 95 %.</footer>"""
    return document(f"Backtest of {use_case.name} {version}", styles="model_card", body=body, script="")


def backtest_picture(report: BacktestReport, *, use_case: UseCase) -> bytes:
    """The charts as one SVG file of its own, the same bytes for the same backtest."""
    metrics = _shown(use_case)
    each = _width(report)
    with standalone(width=each * len(metrics), height=HEIGHT + 0.3, label="backtest") as (figure, done):
        for number, metric in enumerate(metrics):
            place = (number + 0.13) / len(metrics), 0.19, 0.83 / len(metrics), 0.64
            axes = figure.add_axes(place, title=f"{words(metric)} {ARROWS[higher_is_better(metric)]}")
            _draw(axes, report, metric, use_case=use_case)
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="upper right", ncols=5)
    return done[0]


def _shown(use_case: UseCase) -> list[str]:
    """The figures that tell most of the task."""
    return list(dict.fromkeys((*use_case.task.headline, *use_case.task.by_slice)))


def _width(report: BacktestReport) -> float:
    return max(NARROWEST, PER_WINDOW * len(report.windows) + 0.8)


def _chart(report: BacktestReport, metric: str, *, use_case: UseCase) -> str:
    width = _width(report)
    with inline(width=width, height=HEIGHT, label=f"{words(metric)} by window") as (figure, done):
        axes = figure.add_axes((0.56 / width, 0.19, 1 - 0.64 / width, 0.77))
        _draw(axes, report, metric, use_case=use_case)
    return done[0]


def _draw(axes: Axes, report: BacktestReport, metric: str, *, use_case: UseCase) -> None:
    """One metric over the windows; red diamonds are windows that the gate on this metric would have refused."""
    windows = report.windows
    refused = [any(reason.startswith(f"{metric}:") for reason in window.reasons) for window in windows]
    model = [window.metrics.get(metric) for window in windows]
    _series(axes, model, apart=0.0, marker="o", colour=BLUE, label="this recipe", refused=refused)
    for number, (name, (marker, colour, *_)) in enumerate(BESIDE.items(), start=1):
        beside = [window.baselines[name].get(metric) for window in windows]
        _series(axes, beside, apart=APART * number, marker=marker, colour=colour, label=name)
    for bound in _bounds(use_case, metric=metric):
        axes.axhline(bound, color=RED, linewidth=0.9, linestyle=(0, (4, 3)), label="gate")
    axes.set_xlim(-0.4, len(windows) - 1 + 0.4 + APART)
    axes.set_xticks(range(len(windows)), [_dates(window) for window in windows])
    axes.grid(axis="x", visible=False)


def _series(
    axes: Axes,
    estimates: Sequence[Estimate | None],
    *,
    apart: float,
    marker: str,
    colour: str,
    label: str,
    refused: Sequence[bool] | None = None,
) -> None:
    known = [(at, e.lower, e.value, e.upper) for at, e in enumerate(estimates) if e is not None and e.value is not None]
    places, values = [at + apart for at, *_ in known], [value for _, _, value, _ in known]
    thin = {"linewidth": 0.7, "alpha": 0.55} if refused is None else {"linewidth": 1.2}
    axes.plot(places, values, marker=marker, markersize=4.6, color=colour, label=label, **thin)
    for place, (at, lower, value, upper) in zip(places, known, strict=True):
        bad = refused is not None and refused[at]
        axes.plot([place, place], [lower, upper], color=RED if bad else colour, linewidth=1.1)
        if bad:
            axes.plot([place], [value], marker="D", markersize=6, color=RED)


def _bounds(use_case: UseCase, *, metric: str) -> list[float]:
    gates = [each for each in use_case.gates if isinstance(each, MetricBound) and each.metric == metric]
    return [bound for gate in gates for bound in (gate.at_least, gate.at_most) if bound is not None]


def _dates(window: Window) -> str:
    assert window.test_first is not None
    assert window.test_last is not None
    return f"{window.test_first:%d %b}\nto {window.test_last:%d %b}"


def _legend() -> str:
    told = [f'<span style="color:var({hue})">{sign}</span> {name}' for name, (_, _, sign, hue) in BESIDE.items()]
    refused = (
        '<span style="color:var(--vermillion)">◆</span> where the gate on this figure refuses it (dashed: its bound)'
    )
    return (
        f'<span style="color:var(--blue)">●</span> this recipe, {refused}, {", ".join(told)}; all on the same rows, '
        "with intervals of 95 %. ↑ is better when higher, ↓ when lower."
    )


def _gates(report: BacktestReport) -> str:
    """What each window knew, was judged on, and was told by the gates."""
    rows = "".join(
        f"<tr><td><b>{window.test_first} to {window.test_last}</b><small>{window.test_rows:,} rows</small></td>"
        f"<td>{window.train_first} to {window.train_last}<small>{window.train_rows:,} rows</small></td>"
        f"<td>{_verdict(window)}</td></tr>"
        for window in report.windows
    )
    heads = "<th>judged on</th><th>learnt from</th><th>gates, against the baselines</th>"
    return f'<div class="card scroll"><table><tr>{heads}</tr>{rows}</table></div>'


def _verdict(window: Window) -> str:
    if not window.reasons:
        return '<span class="good">✓ may be promoted</span>'
    reasons = "".join(f'<span class="reason">{escape(reason)}</span>' for reason in window.reasons)
    return f'<span class="bad">✗ refused</span>{reasons}'


def _figures(report: BacktestReport) -> str:
    """Every figure of every window with its interval, and those of the baselines below."""
    heads = "".join(f'<th class="n">{window.test_first}<br>to {window.test_last}</th>' for window in report.windows)
    rows = "".join(
        f"<tr><td>{words(metric)} {ARROWS[higher_is_better(metric)]}</td>"
        + "".join(f'<td class="n">{_cell(window, metric)}</td>' for window in report.windows)
        + "</tr>"
        for metric in report.windows[0].metrics
    )
    return f'<div class="card scroll"><table><tr><th>metric</th>{heads}</tr>{rows}</table></div>'


def _cell(window: Window, metric: str) -> str:
    found = window.metrics[metric]
    beside = "".join(f"<small>{name} {value_of(window.baselines[name].get(metric))}</small>" for name in BESIDE)
    return f"<b>{value_of(found)}</b>{interval_of(found)}{beside}"
