"""From a drift report to typed anomalies: one for each column that moved, with what explains it or else what is seen.

Segments that moved along with the whole batch are told in its anomaly; alone they have one of their own. A level that
stays is an alarm in the batch with which it begins; in those after it the anomaly says since when, and the check
passes. That holds for distributions which moved and no fault explains: what looks like one, what is missing, what is
refused and every plain fault is an alarm each time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mlops_assets.contract.anomalies import Anomaly, Cause, Code, anomaly, messages
from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.profiles.plain_faults import (
    ALL_MISSING,
    BECAME_CONSTANT,
    COPIED_SEGMENT,
    SAME_ROWS,
    VANISHED,
)
from mlops_assets.watch.profiles.profile import Profile, merge
from mlops_assets.watch.profiles.shift import DriftReport, Shift
from mlops_assets.watch.validation.explanations import Figures, Moved, explain
from mlops_assets.watch.validation.shift_evidence import tell_evidence

DISTRIBUTIONS_ARE_USUAL = "distributions_are_usual"
_CODES = {
    "jensen_shannon": Code.DISTRIBUTION_MOVED,
    "wasserstein": Code.DISTRIBUTION_MOVED,
    "missing_share": Code.MISSING_SHARE_MOVED,
    "unseen_share": Code.NEW_VALUES,
    "outside_share": Code.DISTRIBUTION_MOVED,
    "off_grid_share": Code.DISTRIBUTION_MOVED,
    "segment_gap": Code.DISTRIBUTION_MOVED,
    BECAME_CONSTANT: Code.BECAME_CONSTANT,
    ALL_MISSING: Code.ALL_MISSING,
    VANISHED: Code.VALUES_VANISHED,
    SAME_ROWS: Code.SAME_ROWS,
    COPIED_SEGMENT: Code.COPIED_SEGMENT,
}
_WORDS = {
    "jensen_shannon": "is {found:.2f} (Jensen-Shannon distance) from its reference, usually below {bound:.2f}",
    "wasserstein": "has moved by {found:.2f} deviations, usually below {bound:.2f}",
    "missing_share": "has a missing share {found:.1%} away from its reference, usually within {bound:.1%}",
    "unseen_share": "has {found:.1%} values that the reference lacks, usually below {bound:.1%}",
    "outside_share": "has {found:.0%} of its values beyond everything that the reference has",
    "off_grid_share": "has {found:.0%} values that are none of the reference's, which has few",
    "segment_gap": "is {found:.1f} deviations farther from the other rows than usual, mostly below {bound:.1f}",
}
_PLAIN_CAUSES = {
    BECAME_CONSTANT: Cause.CONSTANT,
    ALL_MISSING: Cause.VALUES_MISSING,
    VANISHED: Cause.ROWS_MISSING,
    SAME_ROWS: Cause.COPY,
    COPIED_SEGMENT: Cause.COPY,
}
_TOLD_BY = {
    Code.DISTRIBUTION_MOVED: (BECAME_CONSTANT,),
    Code.NEW_VALUES: (BECAME_CONSTANT,),
    Code.MISSING_SHARE_MOVED: (ALL_MISSING,),
    Code.VALUES_VANISHED: (BECAME_CONSTANT,),
}
"""A plain fault of a column says all that these would say of it."""
NO_FAULT = (None, Cause.BROAD_CHANGE, Cause.SOME_SEGMENTS)
"""The causes of what the world may have done; all others name what went wrong with the file."""
_OF_SEGMENTS = frozenset({"segment_gap", COPIED_SEGMENT})
"""Measures that compare segments of a batch with each other: the whole batch has none."""
_LISTED = 5


def judge_shifts(
    report: DriftReport,
    *,
    profile: Profile,
    profiles: Mapping[str, Profile],
    alike: bool = True,
    refused: Mapping[str, float] | None = None,
    unreadable: Collection[str] = (),
) -> CheckResult:
    """``DISTRIBUTIONS_ARE_USUAL`` of one batch; ``profiles`` hold its reference batches.

    ``alike`` says that each of these has about as many rows as the batch should have: else none are called missing.
    A whole batch that is unusual and beyond ``refused``, by measure, is refused. It passes if nothing is new. What is
    missing in the ``unreadable`` columns is told by their rows already: the values are there, and not as declared.
    """
    sides = _Sides(profile=profile, profiles=profiles, alike=alike)
    found = tuple(
        _plain(shifts, report=report, refused=refused or {})
        if shifts[0].measure in _PLAIN_CAUSES
        else _anomaly(shifts, report=report, sides=sides, refused=refused or {})
        for shifts in _by_column(report, unreadable=unreadable).values()
    )
    figures: dict[str, Figure] = {"comparisons": report.judged, "reference_batches": len(report.reference)}
    if report.blind:
        figures["cannot_be_judged"] = report.blind
    if not report.judged:
        figures["verdict"] = "insufficient data"
    for shift in report.shifts:
        if shift.scope == OVERALL and shift.measure not in _PLAIN_CAUSES:
            figures[f"{shift.measure}/{shift.column}"] = shift.found
    grave = any(each.severity is Severity.ERROR for each in found)
    continuing = sum(each.since is not None for each in found)
    if continuing:
        figures["continuing"] = continuing
    return CheckResult(
        name=DISTRIBUTIONS_ARE_USUAL,
        passed=continuing == len(found),
        severity=Severity.ERROR if grave else Severity.WARN,
        batch=report.batch,
        figures=figures,
        reasons=messages(found),
        anomalies=found,
    )


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """The batch and whatever merge of others a shift is told beside."""

    profile: Profile
    profiles: Mapping[str, Profile]
    alike: bool
    _merged: dict[tuple[str, ...], Figures] = field(default_factory=dict)

    @cached_property
    def found(self) -> Figures:
        """The figures of the batch."""
        return Figures(profile=self.profile)

    def of(self, shift: Shift, *, reference: Sequence[str]) -> tuple[Figures, Figures, int]:
        """The figures of both sides, and how many batches the second are."""
        names = shift.against or tuple(reference)
        if names not in self._merged:
            self._merged[names] = Figures(profile=merge([self.profiles[name] for name in names]))
        merged = self._merged[names]
        batches = len(names) if self.alike else max(round(merged.profile.rows / max(self.profile.rows, 1)), 1)
        return self.found, merged, batches


def no_shifts(batch: str) -> CheckResult:
    """``DISTRIBUTIONS_ARE_USUAL`` of a batch without rows: other checks say why it has none."""
    told: dict[str, Figure] = {"verdict": "insufficient data"}
    return CheckResult(name=DISTRIBUTIONS_ARE_USUAL, passed=True, severity=Severity.WARN, batch=batch, figures=told)


def _by_column(report: DriftReport, *, unreadable: Collection[str]) -> dict[tuple[str, Code], list[Shift]]:
    """What moved by column and kind, each with the whole batch first; not what a plain fault of the column tells."""
    plain = {(shift.column, shift.measure) for shift in report.moved if shift.scope == OVERALL}
    grouped: dict[tuple[str, Code], list[Shift]] = {}
    for shift in report.moved:
        code = _CODES[shift.measure]
        if code in (Code.ALL_MISSING, Code.MISSING_SHARE_MOVED) and shift.column in unreadable:
            continue
        if not any((shift.column, measure) in plain for measure in _TOLD_BY.get(code, ())):
            grouped.setdefault((shift.column, code), []).append(shift)
    return grouped


def _severity(shifts: Sequence[Shift], *, refused: Mapping[str, float]) -> Severity:
    """Refused is what is as far as declared in the whole batch, or in a segment where it is segments that are compared;
    a steady column that steps has one batch before it, and is never as sure as that."""
    beyond = [
        shift
        for shift in shifts
        if (shift.scope == OVERALL or shift.measure in _OF_SEGMENTS)
        and (len(shift.against) > 1 or shift.measure == SAME_ROWS)
        and shift.found >= refused.get(shift.measure, np.inf)
    ]
    return Severity.ERROR if beyond else Severity.WARN


def _plain(shifts: Sequence[Shift], *, report: DriftReport, refused: Mapping[str, float]) -> Anomaly:
    """A fault that needs no scale, told of all values or segments at once."""
    top = shifts[0]
    of_missing = [shift for shift in report.moved if shift.column == top.column and shift.measure == "missing_share"]
    severity = _severity([*shifts, *(of_missing if top.measure == ALL_MISSING else ())], refused=refused)
    return anomaly(
        _CODES[top.measure],
        _plain_words(shifts),
        severity=severity,
        column=top.column or None,
        slice=None if top.scope == OVERALL else top.scope,
        rule=top.measure,
        found=", ".join(shift.detail.split("\n")[0] for shift in shifts[:_LISTED]),
        rows=None if top.measure == VANISHED else top.rows,
        cause=_PLAIN_CAUSES[top.measure],
    )


def _plain_words(shifts: Sequence[Shift]) -> str:
    top, many = shifts[0], len(shifts[0].against)
    where = f" of {top.scope}" if top.scope != OVERALL else ""
    more = f", and in {len(shifts) - 1} other segments" if len(shifts) > 1 else ""
    if top.measure == BECAME_CONSTANT:
        value, rows = top.detail.split("\n")
        return f"{top.column} is {value} in {rows}{where}{more}, as in none of {many} batches before."
    if top.measure == ALL_MISSING:
        return f"{top.column} is missing in {top.detail}{where}{more}, as in none of {many} batches before."
    if top.measure == SAME_ROWS:
        return f"The rows are those of {top.detail}: every count of every column is the same, but for the batch's name."
    if top.measure == COPIED_SEGMENT:
        return f"The rows of {top.scope} are those of {top.detail}: every count of every column is the same."
    values = [shift.detail.split("\n") for shift in shifts]
    gone = "; ".join(f"{value} ({left} rows, usually {usual})" for value, left, usual in values[:_LISTED])
    rest = f" and {len(shifts) - _LISTED} more" if len(shifts) > _LISTED else ""
    return f"Of {top.column} hardly a row is left with {gone}{rest}, which each of {many} batches before had."


def _anomaly(shifts: Sequence[Shift], *, report: DriftReport, sides: _Sides, refused: Mapping[str, float]) -> Anomaly:
    top = shifts[0]
    found, reference, batches = sides.of(top, reference=report.reference)
    segments = sorted({shift.scope for shift in shifts if shift.scope != OVERALL})
    where = f" of {top.scope}" if top.scope != OVERALL else ""
    also = [scope for scope in segments if scope != top.scope]
    more = f", and so in {len(also)} segments ({', '.join(also[:3])}{', …' if len(also) > 3 else ''})" if also else ""
    said = _WORDS[top.measure].format(found=top.found, bound=top.bound)
    young = f" ({top.why})" if top.why else ""
    usual = max(
        (s.bound or 0.0 for s in report.shifts if (s.column, s.measure) == (top.column, "wasserstein")), default=0
    )
    outside = any(shift.measure in ("outside_share", "off_grid_share") for shift in shifts)
    form = explain(
        Moved(
            column=top.column,
            found=found,
            reference=reference,
            batches=batches,
            usual=0.0 if top.measure == "segment_gap" else usual,
            outside=outside,
            scope=top.scope if top.measure == "segment_gap" else OVERALL,
        )
    )
    cause, explanation = (
        (form.cause, form.explanation) if form else tell_evidence(top, found=found, reference=reference)
    )
    severity = _severity(shifts, refused=refused)
    since = _since(shifts) if cause in NO_FAULT and severity is not Severity.ERROR else None
    goes_on = f", as since {since}" if since else ""
    return anomaly(
        _CODES[top.measure],
        f"{top.column}{where} {said}{more}{young}{goes_on}.",
        severity=severity,
        column=top.column,
        slice=None if top.scope == OVERALL else top.scope,
        rule=top.measure,
        expected=f"at most {top.bound:.4g}",
        found=f"{top.found:.4g} (p = {top.p_value:.1g})",
        rows=top.rows,
        cause=cause,
        explanation=explanation,
        since=since,
    )


def _since(shifts: Sequence[Shift]) -> str | None:
    """The batch with which the level of all these shifts began; none if one of them is new or not of a distribution."""
    if _CODES[shifts[0].measure] is not Code.DISTRIBUTION_MOVED or not all(shift.since for shift in shifts):
        return None
    return shifts[0].since
