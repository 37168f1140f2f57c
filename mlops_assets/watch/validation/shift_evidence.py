"""What is seen of a shift that nothing known explains: from where to where, and in which segments as well.

What explains shifts (another unit, rows missing, a broad change …) is in ``explanations.py`` and tried first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlops_assets.contract.anomalies import Cause
from mlops_assets.contract.slices import MISSING, OVERALL
from mlops_assets.watch.profiles.profile import CATEGORY, ColumnProfile
from mlops_assets.watch.profiles.shift import Shift
from mlops_assets.watch.validation.explanations import Figures

_FEWEST = 30
"""A segment with fewer rows says nothing about where."""
_AS_MUCH = 0.5
"""A segment moved along if it moved by at least this part of what moved."""
_MOST = 0.8
"""Along in at least this part of all segments, the change is a broad one."""
_OF_MEAN = 0.1
"""What moved the mean by fewer deviations is told by the values that became more or less frequent."""

Figure = Callable[[ColumnProfile], float]


def tell_evidence(shift: Shift, *, found: Figures, reference: Figures) -> tuple[Cause | None, str]:
    """One sentence with the evidence, and whether the change is broad or one of some segments, if segments tell."""
    now, before = (figures.of(shift.column, scope=shift.scope) for figures in (found, reference))
    if now is None or before is None or not now.rows or not before.rows:
        return None, ""
    what, figure, form = _figure(shift, now=now, before=before)
    moved = figure(now) - figure(before)
    word = "rose" if moved > 0 else "fell"
    of = "" if shift.scope == OVERALL else f" within {shift.scope}"
    said = f"The {what}{of} {word} from {figure(before):{form}} to {figure(now):{form}}"
    changes = {
        scope: (figure(one) - figure(other)) * np.sign(moved)
        for scope, one, other in _segments(shift, found=found, reference=reference)
    }
    if not changes:
        return None, f"{said}."
    along = sorted((scope for scope in changes if changes[scope] >= _AS_MUCH * abs(moved)), key=lambda s: -changes[s])
    named = f" ({', '.join(along[:3])}{', …' if len(along) > 3 else ''})" if along else ""
    other = "" if shift.scope == OVERALL else "other "
    cause = Cause.BROAD_CHANGE if len(along) >= _MOST * len(changes) else Cause.SOME_SEGMENTS
    return (
        cause,
        f"{said}, and by half as much or more in {len(along) or 'none'} of {len(changes)} {other}segments{named}.",
    )


def _segments(shift: Shift, *, found: Figures, reference: Figures) -> list[tuple[str, ColumnProfile, ColumnProfile]]:
    """The column in every other segment that is large enough, now and before."""
    pairs = [
        (scope, found.of(shift.column, scope=scope), reference.of(shift.column, scope=scope))
        for scope in found.rows
        if scope not in (OVERALL, shift.scope) and not scope.endswith(f"={MISSING}")
    ]
    return [(scope, one, other) for scope, one, other in pairs if one and other and _large(one) and _large(other)]


def _large(column: ColumnProfile) -> bool:
    return column.rows >= _FEWEST and column.present > 0


def _figure(shift: Shift, *, now: ColumnProfile, before: ColumnProfile) -> tuple[str, Figure, str]:
    """The figure that tells of the shift: its name, how to get it, and how it is written."""
    if shift.measure == "missing_share" or not now.present or not before.present:
        return f"missing share of {shift.column}", lambda column: column.missing_share or 0.0, ".1%"
    if now.kind == CATEGORY:
        value = max({*now.values, *before.values}, key=lambda each: (abs(_of(each)(now) - _of(each)(before)), each))
        return f"share of '{value}' in {shift.column}", _of(value), ".1%"
    if abs((now.mean or 0.0) - (before.mean or 0.0)) >= _OF_MEAN * (before.deviation or 0.0):
        return f"mean of {shift.column}", lambda column: column.mean or 0.0, ".4g"
    edges = sorted({before.quantile(share) or 0.0 for share in np.linspace(0, 1, 11)[1:-1].tolist()})
    spans = list(zip([-np.inf, *edges], [*edges, np.inf], strict=True))
    low, high = max(spans, key=lambda span: abs(_within(*span)(now) - _within(*span)(before)))
    where = f"below {high:.4g}" if low == -np.inf else f"from {low:.4g}" + ("" if high == np.inf else f" to {high:.4g}")
    return f"share of {shift.column} {where}", _within(low, high), ".1%"


def _of(value: str) -> Figure:
    """The share of a text."""
    return lambda column: (
        float(column.counts[column.values.index(value)]) / column.rows if value in column.values else 0.0
    )


def _within(low: float, high: float) -> Figure:
    """The share of present numbers from ``low`` up to ``high``, cells by their middle."""

    def share(column: ColumnProfile) -> float:
        middle = column.lows + column.width / 2
        return float(column.counts[(middle >= low) & (middle < high)].sum()) / max(column.present, 1)

    return share
