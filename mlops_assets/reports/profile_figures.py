"""The numbers behind a profile page: shared bins for a batch and its reference, statistics, what moved."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mlops_assets.contract.drift import LEAST_EFFECTS
from mlops_assets.contract.slices import OVERALL
from mlops_assets.reports.profile_lines import time_lines
from mlops_assets.watch.profiles.cells import Floats
from mlops_assets.watch.profiles.profile import CATEGORY, ColumnProfile, Profile
from mlops_assets.watch.profiles.shift import DriftReport
from mlops_assets.watch.validation.explanations import Figures

BINS = 28
FEW_VALUES = 30
"""Numbers with at most so many values get a bar for each."""
TOP = 8
"""So many categories are shown; the others together."""
OTHERS = "others"


def columns_figures(
    found: Profile, *, reference: Profile | None, drift: DriftReport | None, past: Sequence[Profile]
) -> list[dict[str, Any]]:
    """Everything the page shows of each column, the one that moved farthest first."""
    now, before = Figures(profile=found), Figures(profile=reference) if reference else None
    lines = time_lines([*past, found])
    shifts = _shifts(drift)
    told = []
    for name in found.columns:
        column = now.of(name)
        if column is not None:
            told.append(
                {
                    "name": name,
                    "kind": column.kind,
                    "moved": max((shift["ratio"] for shift in shifts.get(name, [])), default=0.0),
                    "shifts": shifts.get(name, []),
                    "scopes": {scope: _scope(name, scope=scope, now=now, before=before) for scope in found.scopes},
                    "lines": lines[name],
                }
            )
    return sorted(told, key=lambda each: -each["moved"])


def _shifts(drift: DriftReport | None) -> dict[str, list[dict[str, Any]]]:
    """By column, the measures of the whole batch with how much of their bound they reach.

    Where nothing is known to be normal, it is how much of the least effect that is worth a look.
    """
    told: dict[str, list[dict[str, Any]]] = {}
    for shift in drift.shifts if drift else ():
        if shift.scope == OVERALL:
            ratio = shift.found / (shift.bound or LEAST_EFFECTS.get(shift.measure, 1.0))
            bound = None if shift.bound is None else _short(shift.bound)
            measure = {"measure": shift.measure, "found": _short(shift.found), "bound": bound}
            told.setdefault(shift.column, []).append(
                {**measure, "ratio": _short(ratio), "verdict": shift.verdict, "why": shift.why}
            )
    return told


def _scope(name: str, *, scope: str, now: Figures, before: Figures | None) -> dict[str, Any] | None:
    """One column in one segment beside its reference."""
    found, reference = now.of(name, scope=scope), before.of(name, scope=scope) if before else None
    if found is None:
        return None
    return {**_distribution(found, reference), "found": _statistics(found), "reference": _statistics(reference)}


def _distribution(found: ColumnProfile, reference: ColumnProfile | None) -> dict[str, Any]:
    """Shares of the present values in bins that both share."""
    both = [each for each in (found, reference) if each is not None and each.present]
    if not both:
        return {"labels": [], "bars": [], "marks": []}
    if found.kind == CATEGORY:
        labels, shares = _category_bars(found, both)
    else:
        labels, shares = _number_bars(both)
    bars = shares[0] if found.present else []
    return {"labels": labels, "bars": bars, "marks": shares[-1] if both[-1] is reference else []}


def _category_bars(found: ColumnProfile, both: Sequence[ColumnProfile]) -> tuple[list[str], list[list[float]]]:
    named = [dict(zip(each.values, (each.counts / max(each.present, 1)).tolist(), strict=True)) for each in both]
    weight = {value: max(shares.get(value, 0.0) for shares in named) for shares in named for value in shares}
    top = sorted(weight, key=lambda value: (-named[0].get(value, 0.0), -weight[value]))[:TOP]
    vanished = [value for value in sorted(weight, key=lambda v: -weight[v])[:TOP] if value not in top]
    labels = [*top, *vanished[:2]]
    shares = [[_short(each.get(value, 0.0)) for value in labels] for each in named]
    if len(weight) > len(labels):
        shares = [[*each, _short(max(1.0 - sum(each), 0.0))] for each in shares]
        labels = [*labels, f"{len(weight) - len(labels)} {OTHERS}"]
    return labels, shares


def _number_bars(both: Sequence[ColumnProfile]) -> tuple[list[str], list[list[float]]]:
    distinct = np.unique(np.concatenate([each.lows for each in both]))
    if len(distinct) <= FEW_VALUES and all(each.width == 0 for each in both):
        counted = [dict(zip(each.lows.tolist(), each.counts.tolist(), strict=True)) for each in both]
        shares = [
            [_short(each.get(value, 0) / one.present) for value in distinct.tolist()]
            for each, one in zip(counted, both, strict=True)
        ]
        return [f"{value:.6g}" for value in distinct], shares
    edges = _edges(both)
    shares = [[_short(share) for share in np.diff(_cumulative(each, edges)).tolist()] for each in both]
    return [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges.tolist())], shares


def _edges(both: Sequence[ColumnProfile]) -> Floats:
    """Bins over nearly all values of both; what lies beyond is in the first and last."""
    low = min(each.quantile(0.002) or 0.0 for each in both)
    high = max(each.quantile(0.998) or 0.0 for each in both)
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


def _cumulative(column: ColumnProfile, edges: Floats) -> Floats:
    """The share of values up to each edge; values lie evenly within their cell."""
    width = column.width or 1e-9
    within = np.clip((edges[:, None] - column.lows[None, :]) / width, 0.0, 1.0)
    shares: Floats = within @ column.counts / column.present
    shares[0], shares[-1] = 0.0, 1.0
    return shares


def _statistics(column: ColumnProfile | None) -> dict[str, Any] | None:
    if column is None:
        return None
    told: dict[str, Any] = {
        "rows": column.rows,
        "missing": _short(column.missing_share or 0.0),
        "distinct": None if column.distinct is None else round(column.distinct),
    }
    if column.kind != CATEGORY:
        figures = {"mean": column.mean, "deviation": column.deviation, "min": column.minimum}
        figures |= {"median": column.quantile(0.5), "max": column.maximum}
        told |= {name: None if figure is None else _short(figure) for name, figure in figures.items()}
    return told


def _short(figure: float) -> float:
    """Six digits are more than a page can show."""
    return float(f"{figure:.6g}")
