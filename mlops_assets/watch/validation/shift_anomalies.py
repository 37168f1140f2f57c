"""From a drift report to typed anomalies: one for each column that moved, with what explains it or else what is seen.

Segments that moved along with the whole batch are told in its anomaly; alone they have one of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlops_assets.contract.anomalies import Anomaly, Code, anomaly, messages
from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.profiles.drift import DriftReport, Shift
from mlops_assets.watch.profiles.profile import Profile, merge
from mlops_assets.watch.validation.explanations import Figures, Moved, explain
from mlops_assets.watch.validation.shift_evidence import tell_evidence

DISTRIBUTIONS_ARE_USUAL = "distributions_are_usual"
_CODES = {
    "jensen_shannon": Code.DISTRIBUTION_MOVED,
    "wasserstein": Code.DISTRIBUTION_MOVED,
    "missing_share": Code.MISSING_SHARE_MOVED,
    "unseen_share": Code.NEW_VALUES,
    "outside_share": Code.DISTRIBUTION_MOVED,
}
_WORDS = {
    "jensen_shannon": "is {found:.2f} (Jensen-Shannon distance) from its reference, usually below {bound:.2f}",
    "wasserstein": "has moved by {found:.2f} deviations, usually below {bound:.2f}",
    "missing_share": "has a missing share {found:.1%} away from its reference, usually within {bound:.1%}",
    "unseen_share": "has {found:.1%} values that the reference lacks, usually below {bound:.1%}",
    "outside_share": "has {found:.0%} of its values beyond everything that the reference has",
}


def judge_shifts(
    report: DriftReport, *, profile: Profile, profiles: Mapping[str, Profile], alike: bool = True
) -> CheckResult:
    """``DISTRIBUTIONS_ARE_USUAL`` of one batch; ``profiles`` hold its reference batches.

    ``alike`` says that each of these has about as many rows as the batch should have: else none are called missing.
    """
    reference = merge([profiles[name] for name in report.reference]) if report.moved else profile
    both = {"found": Figures(profile=profile), "reference": Figures(profile=reference)}
    batches = len(report.reference) if alike else max(round(reference.rows / max(profile.rows, 1)), 1)
    found = tuple(_anomaly(shifts, report=report, batches=batches, **both) for shifts in _by_column(report).values())
    figures: dict[str, Figure] = {"comparisons": report.judged, "reference_batches": len(report.reference)}
    if not report.judged:
        figures["verdict"] = "insufficient data"
    for shift in report.shifts:
        if shift.scope == OVERALL:
            figures[f"{shift.measure}/{shift.column}"] = shift.found
    return CheckResult(
        name=DISTRIBUTIONS_ARE_USUAL,
        passed=not found,
        severity=Severity.WARN,
        batch=report.batch,
        figures=figures,
        reasons=messages(found),
        anomalies=found,
    )


def no_shifts(batch: str) -> CheckResult:
    """``DISTRIBUTIONS_ARE_USUAL`` of a batch without rows: other checks say why it has none."""
    told: dict[str, Figure] = {"verdict": "insufficient data"}
    return CheckResult(name=DISTRIBUTIONS_ARE_USUAL, passed=True, severity=Severity.WARN, batch=batch, figures=told)


def _by_column(report: DriftReport) -> dict[tuple[str, Code], list[Shift]]:
    """What moved by column and kind, each with the whole batch first."""
    grouped: dict[tuple[str, Code], list[Shift]] = {}
    for shift in report.moved:
        grouped.setdefault((shift.column, _CODES[shift.measure]), []).append(shift)
    return grouped


def _anomaly(
    shifts: Sequence[Shift], *, report: DriftReport, batches: int, found: Figures, reference: Figures
) -> Anomaly:
    top = shifts[0]
    segments = sorted({shift.scope for shift in shifts if shift.scope != OVERALL})
    where = f" of {top.scope}" if top.scope != OVERALL else ""
    also = [scope for scope in segments if scope != top.scope]
    more = f", and so in {len(also)} segments ({', '.join(also[:3])}{', …' if len(also) > 3 else ''})" if also else ""
    said = _WORDS[top.measure].format(found=top.found, bound=top.bound)
    usual = max(
        (s.bound or 0.0 for s in report.shifts if (s.column, s.measure) == (top.column, "wasserstein")), default=0
    )
    outside = any(shift.measure == "outside_share" for shift in shifts)
    form = explain(
        Moved(
            column=top.column,
            found=found,
            reference=reference,
            batches=batches,
            usual=usual,
            outside=outside,
        )
    )
    cause, explanation = (
        (form.cause, form.explanation) if form else tell_evidence(top, found=found, reference=reference)
    )
    return anomaly(
        _CODES[top.measure],
        f"{top.column}{where} {said}{more}.",
        column=top.column,
        slice=None if top.scope == OVERALL else top.scope,
        rule=top.measure,
        expected=f"at most {top.bound:.4g}",
        found=f"{top.found:.4g} (p = {top.p_value:.1g})",
        rows=top.rows,
        cause=cause,
        explanation=explanation,
    )
