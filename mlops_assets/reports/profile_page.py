"""A batch or window on one self-contained page: what is wrong, and every column beside its reference.

The figures are in ``profile_figures.py``, their looks in ``profile_page.html``: no network, no library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template

from mlops_assets.ml.anomalies import AnomalyReport
from mlops_assets.ml.profiles.drift import DriftReport
from mlops_assets.ml.profiles.profile import Profile, merge
from mlops_assets.reports.profile_figures import columns_figures

_TEMPLATE = Path(__file__).with_name("profile_page.html")


def profile_page(
    found: Profile,
    *,
    title: str,
    profiles: Mapping[str, Profile],
    report: AnomalyReport | None = None,
    drift: DriftReport | None = None,
) -> str:
    """The page of ``found``; ``profiles`` are the batches of its time lines, among them the reference of ``drift``."""
    of_reference = [profiles[batch] for batch in drift.reference] if drift else list(profiles.values())
    reference = merge(of_reference) if of_reference else None
    named = drift.reference if drift else tuple(profiles)
    past = dict(sorted(profiles.items()))
    told = {
        "title": title,
        "rows": found.rows,
        "quarantined": report.rows_quarantined if report else 0,
        "schema": report.schema_version if report else "",
        "reference": f"{len(named)} batches, {named[0]} to {named[-1]}" if named else "none yet",
        "comparisons": drift.judged if drift else 0,
        "anomalies": [each.model_dump(mode="json") for each in report.anomalies] if report else [],
        "scopes": list(found.scopes),
        "batches": [*past, title.rsplit(" ", 1)[-1]],
        "columns": columns_figures(found, reference=reference, drift=drift, past={**past, "": found}),
    }
    data = json.dumps(told, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(title=escape(title), data=data)
