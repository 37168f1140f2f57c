"""A batch or window on one self-contained page: what is wrong, and every column beside its reference.

The figures are in ``profile_figures.py``, their looks in ``profile_page.html``: no network, no library.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Literal

from mlops_assets.contract.anomalies import AnomalyReport
from mlops_assets.contract.periods import missing_periods, said_periods
from mlops_assets.reports.profile_figures import columns_figures
from mlops_assets.watch.profiles.profile import Profile, merge
from mlops_assets.watch.profiles.shift import DriftReport

Unit = Literal["batch", "window"]
PLURALS: Mapping[Unit, str] = {"batch": "batches", "window": "windows"}
_TEMPLATE = Path(__file__).with_name("profile_page.html")


def profile_page(
    found: Profile,
    *,
    title: str,
    profiles: Mapping[str, Profile],
    report: AnomalyReport | None = None,
    drift: DriftReport | None = None,
    unit: Unit = "batch",
    days: Iterable[str] = (),
) -> str:
    """The page of ``found``; ``profiles`` are the batches of its time lines, among them the reference of ``drift``.

    ``unit`` is what found and they are called: batches or windows. ``days`` are those looked at where batches are days;
    between them some may be missing.
    """
    of_reference = [profiles[batch] for batch in drift.reference] if drift else list(profiles.values())
    reference = merge(of_reference) if of_reference else None
    named = drift.reference if drift else tuple(profiles)
    past = dict(sorted(profiles.items()))
    told = {
        "title": title,
        "rows": found.rows,
        "quarantined": report.rows_quarantined if report else 0,
        "schema": report.schema_version if report else "",
        "unit": unit,
        "units": PLURALS[unit],
        "reference": _span(named, unit=unit),
        "missing_days": said_periods(missing_periods(days)),
        "comparisons": _judged(drift, unit=unit),
        "anomalies": [each.model_dump(mode="json") for each in report.anomalies] if report else [],
        "scopes": list(found.scopes),
        "batches": [*past, f"this {unit}"],
        "columns": columns_figures(found, reference=reference, drift=drift, past=list(past.values())),
    }
    data = json.dumps(told, separators=(",", ":"), allow_nan=False).replace(
        "<", "\\u003c"
    )  # ends no script, begins none
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(title=escape(title), data=data)


def _span(named: Sequence[str], *, unit: Unit) -> str:
    """What the reference is made of."""
    if len(named) < 2:
        return named[0] if named else "none yet"
    return f"{len(named)} {PLURALS[unit]}, {named[0]} to {named[-1]}"


def _judged(drift: DriftReport | None, *, unit: Unit) -> str:
    """How many comparisons have a verdict, or why none has."""
    whys = [shift.why for shift in drift.shifts if shift.why] if drift else []
    if drift is None or (not drift.judged and not whys):
        return "none"
    return (
        f"{drift.judged:,}"
        if drift.judged
        else f"none: {max(set(whys), key=whys.count)}".replace(PLURALS["batch"], PLURALS[unit])
    )
