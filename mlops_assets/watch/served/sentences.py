"""What a cell says, in words: the figure of which rows, and beside it what is usual."""

from __future__ import annotations

from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.served.context import DECIDED, GAIN, GAP, HOURS, SEGMENTS, SPREAD
from mlops_assets.watch.served.report import Cell
from mlops_assets.watch.served.table import (
    ANSWERED,
    CLASS,
    DOUBLED,
    ERRORS,
    FLAGGED,
    HISTORY_AGE,
    LATENCY,
    POSITIVES,
    REALISED,
    REFUSED,
    RESIDUAL,
    SCORE,
    SERVICE,
)

_NAMES = {
    ANSWERED: "answers",
    SCORE: "mean score",
    SPREAD: "standard deviation of scores",
    HOURS: "likeness of the hours to their usual pattern",
    SEGMENTS: "likeness of the segments to their usual pattern",
    RESIDUAL: "mean of outcome less score",
    HISTORY_AGE: "mean age of the history in days",
    LATENCY: "seconds for an answer",
}
_SHARES = {
    DOUBLED: "asked again",
    ERRORS: "failed",
    REFUSED: "refused",
    FLAGGED: "flagged {}",
    CLASS: "predicted {}",
}
_DERIVED = {GAIN: "gain in {} over the prior", GAP: "{} less what the scores led to expect", REALISED: "{}"}


def describe(cell: Cell, *, word: str = "positive") -> tuple[str, str]:
    """Two sentences: what was seen of whom and when, and what is usual."""
    whom = "" if cell.scope in (OVERALL, SERVICE) else f"{cell.scope}: "
    when = {
        "hour": f" from {cell.hour}:00 to {(cell.hour or 0) + 1}:00",
        "day": " in the day",
        "week": " in seven days",
        "slow": f" on the last day of a slow change since {cell.since}",
    }[cell.span]
    beside = {"": "", "rest": ", {} the other rows", "day": ", {} the whole day"}[cell.gap]
    what = f"{whom}{told_metric(cell, cell.figure, word=word)}{when}{beside.format(_apart(cell, cell.value))}."
    if cell.usual is None:
        return what, ""
    usual = _apart(cell, cell.usual) if cell.gap else told_metric(cell, cell.usual)
    at = " at such scores" if cell.metric == DECIDED else ""
    return what, f"Usual{at} is {usual}; an alarm {_beyond(cell)}."


def _beyond(cell: Cell) -> str:
    shown = [
        None if end is None else _signed(cell, end) if cell.gap else _number(cell, end) for end in (cell.low, cell.high)
    ]
    ends = [f"{side} {end}" for side, end in zip(("below", "above"), shown, strict=True) if end is not None]
    return f"would be {' or '.join(ends)}"


def told_metric(cell: Cell, figure: float, *, word: str = "") -> str:
    """The figure with what it is of: ``50 % predicted late``, ``mean score 0.31``; bare without ``word``."""
    number = _number(cell, figure)
    if not word:
        return number
    if cell.metric in (POSITIVES, DECIDED):
        return f"{number} predicted {word}"
    if cell.metric == ANSWERED:
        return f"{number} answers"
    for start, text in _SHARES.items():
        if cell.metric.startswith(start):
            return f"{number} {text.format(cell.metric.removeprefix(start))}"
    for start, text in _DERIVED.items():
        if cell.metric.startswith(start):
            return f"{text.format(cell.metric.removeprefix(start).replace('_', ' '))} {number}"
    return f"{_NAMES.get(cell.metric, cell.metric)} {number}"


def _is_share(cell: Cell) -> bool:
    return cell.metric in (POSITIVES, DECIDED) or cell.metric.startswith(tuple(_SHARES))


def _number(cell: Cell, figure: float) -> str:
    if cell.metric == ANSWERED:
        return f"{figure:,.0f}"
    if not _is_share(cell):
        return f"{figure:.3g}"
    return f"{100 * figure:.0f} %" if figure >= 0.1 or not figure else f"{100 * figure:.2g} %"


def _apart(cell: Cell, gap: float) -> str:
    """``4 points above``, ``0.12 below``."""
    size = f"{100 * abs(gap):.2g} points" if _is_share(cell) else f"{abs(gap):.2g}"
    return f"{size} {'above' if gap >= 0 else 'below'}"


def _signed(cell: Cell, gap: float) -> str:
    return f"{100 * gap:+.2g} points" if _is_share(cell) else f"{gap:+.2g}"
