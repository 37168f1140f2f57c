"""Figures over time as inline SVG, written by hand: a page holds more of them than a plotting library draws in time.

A chart has as many slots as there are hours or days; NaN is where there is nothing. It stretches to the width it is
given, so letters stand beside it as HTML, and points are lines of no length, which stay round. What the kinds look like
is in ``monitoring_page.css``: whatever a colour tells is told by shape, too. Other charts are drawn in ``drawing.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WIDE, HIGH = 1000.0, 100.0
ROOM = 0.07
"""Left free above and below, as a share of the height."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """``values`` by slot as a line in the looks of ``kind``, or as points only with ``dots``."""

    values: Floats
    kind: str
    dots: bool = False


@dataclass(frozen=True, kw_only=True)
class Band:
    """What lies between ``low`` and ``high`` of each slot."""

    low: Floats
    high: Floats
    kind: str = "band"


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A word at a place from 0 to 1 along an axis."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture, and the ticks of its axes, ``rows`` from top to bottom."""

    svg: Markup
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]


def chart(
    parts: Sequence[Band | Line],
    *,
    title: str,
    told: str,
    written: Callable[[float], str],
    columns: Sequence[Tick] = (),
    grey: Flags | None = None,
    hints: Sequence[str] = (),
    from_zero: bool = False,
    steps: int = 3,
) -> Chart:
    """All ``parts`` over the same slots. ``title`` and ``told`` are what is read out.

    ``grey`` are slots that cannot be judged, ``hints`` what a pointer is shown of each slot; ``written`` writes a value
    of the upright axis, which has about ``steps`` of them.
    """
    low, high = _extent(parts, from_zero=from_zero)
    marks = _round_values(low, high, steps=steps)
    places = [_heights(np.array([mark]), low, high)[0] for mark in marks]
    drawn = [_hatched(grey) if grey is not None else ""]
    drawn += [f'<path class="grid" d="M0 {place:.1f}H{WIDE:.0f}"/>' for place in places]
    drawn += [_part(part, low=low, high=high) for part in parts]
    drawn += [_hints(hints)]
    rows = tuple(Tick(at=place / HIGH, text=written(mark)) for mark, place in zip(marks, places, strict=True))
    return Chart(svg=picture("".join(drawn), title=title, told=told), rows=rows, columns=tuple(columns))


def picture(drawn: str, *, title: str, told: str, wide: float = WIDE, high: float = HIGH) -> Markup:
    """``drawn`` with a name and a description, as wide as it is given room for."""
    return Markup(
        f'<svg viewBox="0 0 {wide:g} {high:g}" preserveAspectRatio="none" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(told)}</desc>{drawn}</svg>"
    )


def spark(values: Floats, *, title: str, told: str) -> Markup:
    """A line without axes, its last value as a point."""
    low, high = _extent([Line(values=values, kind="line")], from_zero=False)
    last = np.where(np.arange(len(values)) == len(values) - 1, values, np.nan)
    parts = [Line(values=values, kind="line"), Line(values=last, kind="now", dots=True)]
    return picture("".join(_part(part, low=low, high=high) for part in parts), title=title, told=told)


def bars(shares: Sequence[float], *, marks: Sequence[float], labels: Sequence[str], title: str, told: str) -> Markup:
    """A distribution as bars, and another over the same bins as a stepped line."""
    top = max([*shares, *marks, 1e-9]) * 1.04
    step = WIDE / max(len(labels), 1)
    heights = HIGH - np.array(shares) / top * HIGH
    columns = "".join(
        f"M{i * step + 0.08 * step:.0f} {HIGH:.0f}V{height:.1f}h{0.84 * step:.0f}V{HIGH:.0f}z"
        for i, height in enumerate(heights)
    )
    steps = "".join(
        f"{'L' if i else 'M'}{i * step:.0f} {HIGH - mark / top * HIGH:.1f}h{step:.0f}" for i, mark in enumerate(marks)
    )
    hints = [
        f"{label}: {share:.1%}" + (f", before {marks[i]:.1%}" if i < len(marks) else "")
        for i, (label, share) in enumerate(zip(labels, shares, strict=True))
    ]
    drawn = f'<path class="bar" d="{columns}"/><path class="mark" d="{steps}"/>{_hints(hints)}'
    return picture(drawn, title=title, told=told)


def heat(kinds: NDArray[np.str_], *, title: str, told: str) -> Markup:
    """A rectangle of cells, one path for each of ``kinds`` (rows by columns; empty where there is nothing)."""
    drawn = []
    for kind in np.unique(kinds[kinds != ""]):
        rows, columns = np.nonzero(kinds == kind)
        cells = "".join(f"M{x} {y}h1v1h-1z" for y, x in zip(rows.tolist(), columns.tolist(), strict=True))
        drawn.append(f'<path class="{kind}" d="{cells}"/>')
    return picture("".join(drawn), title=title, told=told, wide=kinds.shape[1], high=kinds.shape[0])


def _part(part: Band | Line, *, low: float, high: float) -> str:
    if isinstance(part, Band):
        return f'<path class="{part.kind}" d="{_area(part, low=low, high=high)}"/>'
    across, heights = _across(len(part.values)), _heights(part.values, low, high)
    runs = [slice(i, i + 1) for i in np.flatnonzero(np.isfinite(heights))] if part.dots else _runs(heights)
    drawn = "".join(
        "M" + _points(across[run], heights[run]) + ("h0" if run.stop - run.start == 1 else "") for run in runs
    )
    return f'<path class="{part.kind}" d="{drawn}"/>'


def _area(band: Band, *, low: float, high: float) -> str:
    """Flat over each slot, so that a slot by itself is seen."""
    across = np.linspace(0.0, WIDE, len(band.low) + 1)
    below, above = _heights(band.low, low, high), _heights(band.high, low, high)
    drawn = []
    for run in _runs(below + above):
        edges = np.repeat(across[run.start : run.stop + 1], 2)[1:-1]
        there, back = _points(edges, np.repeat(above[run], 2)), _points(edges[::-1], np.repeat(below[run], 2)[::-1])
        drawn.append(f"M{there}L{back}z")
    return "".join(drawn)


def _hatched(grey: Flags) -> str:
    step = WIDE / max(len(grey), 1)
    runs = _runs(np.where(grey, 1.0, np.nan))
    cells = "".join(
        f"M{run.start * step:.1f} 0H{run.stop * step:.1f}V{HIGH:.0f}H{run.start * step:.1f}z" for run in runs
    )
    return f'<path class="unjudged" d="{cells}"/>' if cells else ""


def _hints(hints: Sequence[str]) -> str:
    """What a pointer is shown of each slot: a column of air over it."""
    step = WIDE / max(len(hints), 1)
    drawn = (
        f'<rect x="{i * step:.1f}" width="{step:.1f}" height="{HIGH:.0f}"><title>{escape(hint)}</title></rect>'
        for i, hint in enumerate(hints)
        if hint
    )
    return f'<g class="hints">{"".join(drawn)}</g>' if any(hints) else ""


def _across(slots: int) -> Floats:
    return (np.arange(slots) + 0.5) * WIDE / max(slots, 1)


def _heights(values: Floats, low: float, high: float) -> Floats:
    return HIGH * (1 - ROOM - (1 - 2 * ROOM) * (values - low) / (high - low))


def _points(across: Floats, heights: Floats) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across.tolist(), heights.tolist(), strict=True))


def _runs(values: Floats) -> list[slice]:
    """The stretches without NaN."""
    known = np.concatenate([[False], np.isfinite(values), [False]])
    edges = np.flatnonzero(known[1:] != known[:-1])
    return [slice(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _extent(parts: Sequence[Band | Line], *, from_zero: bool) -> tuple[float, float]:
    """Where the upright axis begins and ends; never nowhere."""
    each = [
        values for part in parts for values in ((part.low, part.high) if isinstance(part, Band) else (part.values,))
    ]
    known = np.concatenate([*each, [0.0] if from_zero else []])
    known = known[np.isfinite(known)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    room = abs(high) * 0.05 or 1.0
    return (low, high) if high > low else (low, low + room) if from_zero else (low - room, high + room)


def _round_values(low: float, high: float, *, steps: int) -> list[float]:
    """About ``steps`` values from low to high with few digits."""
    rough = (high - low) / max(steps, 1)
    power = 10.0 ** np.floor(np.log10(rough))
    step = min((each * power for each in (1.0, 2.0, 2.5, 5.0, 10.0)), key=lambda each: abs(each - rough))
    first = np.ceil(low / step - 1e-9)
    return [float(each * step) + 0.0 for each in np.arange(first, np.floor(high / step + 1e-9) + 1)]  # no -0
