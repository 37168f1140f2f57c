"""The charts of a model card as parts of a page. How charts are drawn at all is in ``drawing.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_assets.judge.curves import Curves
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.fairness import FairnessReport
from mlops_assets.judge.label_shift import LabelByTime
from mlops_assets.reports.drawing import BLUE, GREEN, INK, LINE, QUIET, RED, inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BESIDE: dict[str, Any] = {"color": QUIET, "linestyle": (0, (5, 1.5)), "linewidth": 1.2, "label": "champion"}
ROW, PANEL = 0.2, 3.75  # inches per line and per panel of a forest plot

MOST_CLASSES, MOST_TICKS = 3, 8


@dataclass(frozen=True, kw_only=True)
class ForestLine:
    """One line of a forest plot: an estimate per panel; ``rows`` are told beside its ``label``."""

    label: str
    rows: int
    estimates: tuple[Estimate | None, ...]


@dataclass(frozen=True, kw_only=True)
class ForestPanel:
    """One panel: what it shows, and the figure of all rows that segments are held against, with its interval."""

    title: str
    overall: Estimate | None
    higher_is_better: bool | None = None


def forest(lines: Sequence[ForestLine], *, panels: Sequence[ForestPanel], label: str) -> str:
    """Values with intervals, one line per segment. A segment whose interval is wholly on the worse side of the overall
    figure is drawn as an orange diamond.
    """
    told = [f"{line.label}  ·  {line.rows:,}" for line in lines]
    room = 0.3 + 0.072 * max(map(len, told))
    width, height = room + PANEL * len(panels), ROW * len(lines) + 0.55
    with inline(width=width, height=height, label=label) as (figure, done):
        for i, panel in enumerate(panels):
            place = ((room + PANEL * i) / width, 0.3 / height, 2.1 / width, ROW * len(lines) / height)
            axes = figure.add_axes(place)
            _forest_panel(axes, panel, estimates=[line.estimates[i] for line in lines])
            if i == 0:
                axes.set_yticks(range(len(lines)), told)
    return done[0]


def _forest_panel(axes: Axes, panel: ForestPanel, *, estimates: Sequence[Estimate | None]) -> None:
    axes.set_title(panel.title, pad=5)
    axes.set_ylim(len(estimates) - 0.4, -0.6)
    axes.set_yticks([])
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)
    overall = panel.overall
    if overall is not None and overall.value is not None and overall.lower is not None and overall.upper is not None:
        axes.axvspan(overall.lower, overall.upper, color=LINE, alpha=0.45, linewidth=0)
        axes.axvline(overall.value, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
    for at, each in enumerate(estimates):
        if each is None or each.value is None or each.lower is None or each.upper is None:
            axes.text(1.06, at, "too few rows", transform=axes.get_yaxis_transform(), va="center", color=QUIET)
            continue
        worse = _worse(each, overall, higher_is_better=panel.higher_is_better)
        colour = RED if worse else BLUE
        axes.plot([each.lower, each.upper], [at, at], color=colour, linewidth=1.3)
        axes.plot([each.value], [at], marker="D" if worse else "o", markersize=4.2, color=colour)
        told = f"{each.value:.3f}  ({each.lower:.3f} – {each.upper:.3f})"
        axes.text(1.06, at, told, transform=axes.get_yaxis_transform(), va="center", color=RED if worse else INK)


def _worse(each: Estimate, overall: Estimate | None, *, higher_is_better: bool | None) -> bool:
    if overall is None or overall.value is None or higher_is_better is None:
        return False
    assert each.lower is not None
    assert each.upper is not None
    return each.upper < overall.value if higher_is_better else each.lower > overall.value


def reliability(curves: Curves, *, beside: Curves | None = None) -> str:
    """How often what was predicted with a score happened, in ten groups of about equally many rows."""
    with inline(width=3.7, height=3.4, label="reliability diagram") as (figure, done):
        axes = figure.add_axes((0.15, 0.14, 0.82, 0.8))
        _unit_square(axes, x="mean score", y="share of positives, 95 % interval", diagonal=True)
        if beside is not None:
            of_other = [(b.score, b.share) for b in beside.reliability]
            axes.plot(*zip(*of_other, strict=True), **BESIDE)
        scores, shares = [b.score for b in curves.reliability], [b.share for b in curves.reliability]
        below = [b.share - b.lower for b in curves.reliability]
        above = [b.upper - b.share for b in curves.reliability]
        axes.errorbar(scores, shares, yerr=[below, above], color=BLUE, marker="o", markersize=4, linewidth=1.3)
    return done[0]


def roc(curves: Curves, *, area: Estimate | None, beside: Curves | None = None) -> str:
    """Recall over false alarms, with the decision threshold marked."""
    with inline(width=3.7, height=3.4, label="receiver operating characteristic") as (figure, done):
        axes = figure.add_axes((0.15, 0.14, 0.82, 0.8))
        _unit_square(axes, x="false positive rate", y="recall", diagonal=True)
        if beside is not None:
            axes.plot(beside.false_positive_rates, beside.recalls, **BESIDE)
        axes.plot(curves.false_positive_rates, curves.recalls, color=BLUE, linewidth=1.6, label=_area("area", area))
        decided = curves.decided
        _mark(axes, decided.false_positive_rate, decided.recall, threshold=decided.threshold)
        axes.legend(loc="lower right")
    return done[0]


def precision_recall(curves: Curves, *, average: Estimate | None, beside: Curves | None = None) -> str:
    """Precision over recall, beside guessing, with the decision threshold marked."""
    with inline(width=3.7, height=3.4, label="precision over recall") as (figure, done):
        axes = figure.add_axes((0.15, 0.14, 0.82, 0.8))
        _unit_square(axes, x="recall", y="precision", diagonal=False)
        axes.axhline(curves.positive_share, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.text(1.0, curves.positive_share - 0.015, "guessing", color=QUIET, va="top", ha="right", fontsize=8)
        if beside is not None:
            axes.plot(beside.recalls, beside.precisions, **BESIDE)
        axes.plot(curves.recalls, curves.precisions, color=BLUE, linewidth=1.6, label=_area("average", average))
        decided = curves.decided
        if decided.precision is not None:
            _mark(axes, decided.recall, decided.precision, threshold=decided.threshold)
        axes.legend(loc="lower left")
    return done[0]


def learning_curve(curve: Mapping[str, Sequence[float]], *, best_round: int) -> str:
    """The loss of every round on what was learnt from and on what was watched."""
    with inline(width=5.4, height=3.0, label="learning curve") as (figure, done):
        axes = figure.add_axes((0.12, 0.17, 0.85, 0.78))
        for (part, losses), colour, style in zip(curve.items(), (BLUE, RED), ("-", "--"), strict=False):
            axes.plot(range(1, len(losses) + 1), losses, color=colour, linestyle=style, linewidth=1.6, label=part)
        axes.axvline(best_round + 1, color=QUIET, linewidth=0.9, linestyle=":")
        axes.text(best_round + 1, 0.98, f" kept: {best_round + 1} ", transform=axes.get_xaxis_transform(), va="top",
                  ha="right", color=QUIET)  # fmt: skip
        axes.set_xlabel("trees")
        axes.set_ylabel("loss")
        axes.legend(loc="upper right" if best_round + 1 < 0.6 * len(next(iter(curve.values()))) else "best")
    return done[0]


def label_chart(found: LabelByTime) -> str:
    """The shares, or the mean, by period with two standard errors; of classes those that vary most. Dotted: where it
    changes, if it does.
    """
    spread = [max(each.values[i] for each in found.periods) - min(each.values[i] for each in found.periods)
              for i in range(len(found.what))]  # fmt: skip
    shown = sorted(range(len(found.what)), key=lambda i: -spread[i])[:MOST_CLASSES]
    places = range(len(found.periods))
    with inline(width=7.4, height=2.6, label="label over time") as (figure, done):
        axes = figure.add_axes((0.09, 0.2, 0.88, 0.74))
        for i, colour in zip(sorted(shown), (BLUE, RED, GREEN), strict=False):
            values, errors = [each.values[i] for each in found.periods], [2 * each.errors[i] for each in found.periods]
            label = found.what[i].removeprefix("the ")
            axes.errorbar(places, values, yerr=errors, color=colour, marker="o", markersize=3.5, linewidth=1.2,
                          label=label)  # fmt: skip
        if found.change and found.change.matters:
            at = [each.name for each in found.periods].index(found.change.at) - 0.5
            axes.axvline(at, color=QUIET, linewidth=1.0, linestyle=":")
        every = -(-len(found.periods) // MOST_TICKS)
        axes.set_xticks(list(places)[::every], [each.name for each in found.periods][::every])
        axes.set_xlabel(found.by)
        axes.legend(loc="best")
    return done[0]


def gaps_over_thresholds(report: FairnessReport) -> str:
    """The largest gap between groups in each rate, were the threshold another."""
    with inline(width=5.4, height=3.0, label=f"largest gaps by {report.slice} over thresholds") as (figure, done):
        axes = figure.add_axes((0.12, 0.17, 0.85, 0.78))
        rates = [rate for rate in report.decided.disparities if rate != "score_bias"]
        for rate, colour, style in zip(rates, (BLUE, RED, GREEN), ("-", "--", ":"), strict=False):
            known = [(each.selected, each.disparities[rate].gap) for each in report.over_thresholds]
            told = [(selected, gap) for selected, gap in known if gap.value is not None]
            axes.plot([s for s, _ in told], [gap.value for _, gap in told], color=colour, linestyle=style,
                      linewidth=1.6, label=rate.replace("_", " "))  # fmt: skip
        axes.axvline(report.decided.selected, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
        axes.set_xlabel("share of all rows that is predicted positive; dotted: at the decision threshold")
        axes.set_ylabel("largest gap")
        axes.set_ylim(bottom=0)
        axes.legend(loc="best")
    return done[0]


def _unit_square(axes: Axes, *, x: str, y: str, diagonal: bool) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if diagonal:
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)))


def _mark(axes: Axes, x: float, y: float, *, threshold: float) -> None:
    axes.plot([x], [y], marker="D", markersize=6, color=RED, linestyle="none", label=f"threshold {threshold:.3f}")


def _area(name: str, estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return name
    return f"{name} {estimate.value:.3f} ({estimate.lower:.3f} – {estimate.upper:.3f})"
