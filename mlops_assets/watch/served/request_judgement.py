"""Is what the service was asked as usual? The judge of landed files, on the requests of a served day or of its hours.

A day is compared with the served days before it (``watch/profiles/drift.py``), held-out rows standing in for those that
are not there yet. What is told is of two kinds: every column with its distance and verdict, and the few causes that a
person must know (``request_causes.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pyarrow as pa

from mlops_assets.contract.anomalies import Anomaly
from mlops_assets.contract.drift import DriftPlan
from mlops_assets.contract.slices import OVERALL
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.lineage import feature_lineage
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.plain_faults import FEWEST_ROWS
from mlops_assets.watch.profiles.profile import CATEGORY, ColumnProfile, Profile, merge
from mlops_assets.watch.profiles.shift import DriftReport, Shift
from mlops_assets.watch.served.report import Cause, InputShift
from mlops_assets.watch.served.request_causes import Asked, causes_of, longest_unchanged
from mlops_assets.watch.served.request_profiles import (
    RequestColumns,
    of_day,
    of_hours,
    only,
    request_columns,
    unchanged_column,
)
from mlops_assets.watch.validation.shift_anomalies import judge_shifts

WHOLE_DAY = 24
_NEARLY_EACH = 0.9
"""A column with other values in this part of the rows of all days together names its rows."""
_VERDICTS = {"moved": "unusual", "normal": "usual"}


@dataclass(frozen=True, kw_only=True)
class Past:
    """What a day is compared with, by day: profiles, the columns that were unusual (each with "measure/scope"), and the
    days that a person accepted. ``held_out`` are the days that no requests but held-out rows of ``version`` stand for.
    """

    profiles: Mapping[str, Profile]
    unusual: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    held_out: frozenset[str] = frozenset()
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class RequestsJudged:
    """The requests of one day, of the hours before ``until``. ``unusual`` is to be kept for the days that follow."""

    day: str
    until: int
    rows: int
    compared_with: str
    shifts: tuple[InputShift, ...]
    causes: tuple[Cause, ...]
    unusual: Mapping[str, tuple[str, ...]]


def judge_requests(
    profile: Profile, *, day: str, use_case: UseCase, past: Past, until: int = WHOLE_DAY
) -> RequestsJudged:
    """Judge the requests of ``day``, or of its hours before ``until`` against the same hours of other days."""
    columns = request_columns(use_case)
    cut = of_day if until >= WHOLE_DAY else lambda each: of_hours(each, until=until)
    profiles = {name: cut(each) for name, each in {**past.profiles, day: profile}.items()}
    filled = {name: each for name, each in profiles.items() if each.rows}
    if day not in filled:
        return RequestsJudged(day=day, until=until, rows=0, compared_with="", shifts=(), causes=(), unusual={})
    judging = _Judging(day=day, use_case=use_case, columns=columns, past=past, profiles=filled, part=until < WHOLE_DAY)
    asked = Asked(day=day, until=until, use_case=use_case, columns=columns, profiles=filled, unusual=past.unusual)
    return RequestsJudged(
        day=day,
        until=until,
        rows=filled[day].rows,
        compared_with=judging.compared_with,
        shifts=judging.shifts,
        causes=causes_of(judging.anomalies, asked=asked),
        unusual=judging.unusual | _unchanged(asked),
    )


def _unchanged(asked: Asked) -> dict[str, tuple[str, ...]]:
    """The columns of hours without a change that are beyond their bound."""
    found = {unchanged_column(view): longest_unchanged(view, asked=asked) for view in asked.columns.views}
    stuck = [name for name, each in found.items() if each and each.hours[asked.day] > each.bound]
    return dict.fromkeys(stuck, (f"unchanged/{OVERALL}",))


@dataclass(frozen=True, kw_only=True)
class _Judging:
    """One day among ``profiles``; what is asked and what each view answered are judged by themselves."""

    day: str
    use_case: UseCase
    columns: RequestColumns
    past: Past
    profiles: Mapping[str, Profile]
    part: bool

    @cached_property
    def plan(self) -> DriftPlan:
        watched = self.use_case.monitoring
        return watched.inputs if watched else DriftPlan()

    @cached_property
    def groups(self) -> tuple[Mapping[str, Profile], ...]:
        """The profiles of what is asked, and of each view."""
        named = [self.compared, *(self.columns.of_view(view) for view in self.columns.views)]
        return tuple({day: only(each, names) for day, each in self.profiles.items()} for names in named if names)

    @cached_property
    def compared(self) -> list[str]:
        """The asked columns that do not name their rows, as ids do."""
        names = [
            field.name for field in self.columns.asked if pa.types.is_integer(field.type) or field.type == pa.string()
        ]
        known = merge([only(each, names) for each in self.profiles.values()], scopes=[OVERALL])
        ids = {name for name in known.columns if _names_rows(known.column(name))}
        return [name for name in self.columns.asked.names if name not in ids]

    @cached_property
    def reports(self) -> tuple[DriftReport, ...]:
        unusual = {day: frozenset(columns) for day, columns in self.past.unusual.items()}
        bounds = {**_bounds_of_sources(self.use_case, self.columns), **self.plan.bounds}
        asked = replace(self.plan, bounds=bounds)
        # a morning has few observations of a source, and each of them is many rows
        looked_up = replace(asked, minimum_rows=min(asked.minimum_rows, FEWEST_ROWS)) if self.part else asked
        plans = (asked, *(looked_up for _ in self.groups[1:]))
        return tuple(
            compare(group, batches=[self.day], plan=plan, unusual=unusual, accepted=self.past.accepted)[self.day]
            for group, plan in zip(self.groups, plans, strict=True)
        )

    @cached_property
    def anomalies(self) -> tuple[Anomaly, ...]:
        timed = self.use_case.batches.has_event_times
        checks = (
            judge_shifts(report, profile=group[self.day], profiles=group, alike=timed)
            for report, group in zip(self.reports, self.groups, strict=True)
        )
        return tuple(found for check in checks for found in check.anomalies)

    @cached_property
    def unusual(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for shift in (each for report in self.reports for each in report.moved if each.column):
            found.setdefault(shift.column, []).append(f"{shift.measure}/{shift.scope}")
        return {column: tuple(sorted(measures)) for column, measures in sorted(found.items())}

    @property
    def compared_with(self) -> str:
        """The days of the reference, in words."""
        days = [day for day in self.reports[0].reference if day in self.profiles]
        held_out = [day for day in days if day in self.past.held_out]
        served = len(days) - len(held_out)
        parts = [f"{served} served days"] if served or not days else []
        parts += [f"{len(held_out)} days' worth of held-out rows of {self.past.version}"] if held_out else []
        return " and ".join(parts)

    @cached_property
    def shifts(self) -> tuple[InputShift, ...]:
        return tuple(
            self._shift(name, report=report, group=group, before=before)
            for report, group in zip(self.reports, self.groups, strict=True)
            for before in (self._reference(report, group),)
            for name in group[self.day].columns
        )

    def _reference(self, report: DriftReport, group: Mapping[str, Profile]) -> Profile | None:
        days = [group[day] for day in report.reference if day in group and day != self.day]
        return merge(days, scopes=[OVERALL]) if days else None

    def _shift(
        self, name: str, *, report: DriftReport, group: Mapping[str, Profile], before: Profile | None
    ) -> InputShift:
        now = group[self.day].column(name)
        then = before.column(name) if before is not None and name in before.columns else None
        measured = [each for each in report.shifts if each.column == name and each.scope == OVERALL]
        top = max(measured, key=_excess, default=None)
        value = _told_value(now, then)
        return InputShift(
            column=name,
            looked_up=name in self.columns.looked_up,
            rows=now.rows,
            verdict=_VERDICTS.get(top.verdict, "cannot be judged") if top else "cannot be judged",  # type: ignore[arg-type]
            why=top.why if top else "no earlier day to compare with",
            measure=top.measure if top else "",
            figure=top.found if top else None,
            bound=top.bound if top else None,
            detectable=top.smallest_change if top else None,
            since=top.since if top else "",
            value=value,
            now=_level(now, value),
            then=_level(then, value) if then else None,
            missing_now=now.missing_share,
            missing_then=then.missing_share if then else None,
        )


def _names_rows(column: ColumnProfile) -> bool:
    return column.present > 0 and (column.distinct or 0.0) >= _NEARLY_EACH * column.present


def _bounds_of_sources(use_case: UseCase, columns: RequestColumns) -> dict[tuple[str, str], float]:
    """The bounds that sources declare of their columns, for what is looked up of them as it is."""
    origins = feature_lineage(use_case) if columns.looked_up else {}
    found: dict[tuple[str, str], float] = {}
    for name in columns.looked_up:
        for origin in origins.get(name, ())[:1]:
            declared = use_case.source(origin.source).drift.bounds
            found |= {
                (name, measure): bound for (column, measure), bound in declared.items() if column == origin.column
            }
    return found


def _excess(shift: Shift) -> tuple[bool, bool, float]:
    """Orders what is unusual before what is usual before what cannot be judged, then by how far it is."""
    return (
        shift.verdict == "moved",
        shift.verdict == "normal",
        shift.found / shift.bound if shift.bound else shift.found,
    )


def _told_value(now: ColumnProfile, then: ColumnProfile | None) -> str:
    """The text whose share differs most, or the most frequent one."""
    if now.kind != CATEGORY:
        return ""
    shares = [_shares(now), _shares(then) if then else {}]
    values = sorted({*shares[0], *shares[1]})
    return max(values, key=lambda each: abs(shares[0].get(each, 0.0) - shares[1].get(each, 0.0)), default="")


def _shares(column: ColumnProfile) -> dict[str, float]:
    return {
        value: float(count) / max(column.rows, 1) for value, count in zip(column.values, column.counts, strict=True)
    }


def _level(column: ColumnProfile, value: str) -> float | None:
    if column.kind != CATEGORY:
        return column.mean
    return _shares(column).get(value, 0.0) if column.rows else None
