"""From what is unusual in a day's requests to the few things that a person must know: one for each root.

What looks like a fault of the caller or of a source (another unit, a renamed code, values or rows that are missing, one
value for all) is a cause at once. What the world may have done is one only in columns that callers send and features
are made of, where it is told of a whole day or stays: weather is unusual every week, and nobody can do anything about
it. All else stands in the shifts alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property

import numpy as np

from mlops_assets.contract import anomalies as kinds
from mlops_assets.contract.alerts import Urgency
from mlops_assets.contract.anomalies import Anomaly, Code
from mlops_assets.contract.features import AsOfView
from mlops_assets.contract.slices import OVERALL
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.lineage import request_lineage, view_sources
from mlops_assets.watch.profiles.profile import CATEGORY, ColumnProfile, Profile
from mlops_assets.watch.served.report import Cause
from mlops_assets.watch.served.request_profiles import RequestColumns, unchanged_column
from mlops_assets.watch.validation.explanations import Figures
from mlops_assets.watch.validation.shift_anomalies import NO_FAULT

KEY = "input:"
_CHART = 15
_LISTED = 3
_LATELY = timedelta(days=6)
_STAYS = 5
"""What callers ask is a cause if it was unusual on so many of seven days, whatever explains it."""
_OFF_GRID = "off_grid_share"
"""Values that are none of those before, of which there are few: computed or converted. One such day happens."""
_GAP = 2
"""So many days between two of those may have values that were there before, and it is one and the same."""
_LEAST_PAST = 14
_LONGER = 2.0, 3.0
"""A source is stuck once it has answered the same for more hours than this many times the longest before, and more."""
_OF_ROWS = frozenset({kinds.Cause.ROWS_MISSING, kinds.Cause.COPY})
_MISSING = frozenset({Code.ALL_MISSING, Code.MISSING_SHARE_MOVED})
_LIKELY: Mapping[kinds.Cause | None, str] = {
    kinds.Cause.FACTOR: "values come in another unit, or scaled",
    kinds.Cause.OFFSET: "values are shifted, as by a clock that is set wrong",
    kinds.Cause.SWAPPED_COLUMNS: "two fields are mixed up",
    kinds.Cause.CATEGORY_RENAMED: "a code was renamed",
    kinds.Cause.VALUES_MISSING: "values are not sent any more, or what they are read from is empty",
    kinds.Cause.MISSING_AS_CONSTANT: "a placeholder is sent where nothing is known",
    kinds.Cause.CONSTANT: "one default is sent for all rows",
    kinds.Cause.ROWS_MISSING: "a part of the callers does not ask, or its requests do not come through",
    kinds.Cause.COPY: "the same requests are sent once more",
}
_NO_KNOWN_FAULT = "the world changed (a timetable, a holiday), or a caller did: no fault that is known explains it"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One ``day`` (its hours before ``until``) among the ``profiles`` of others, and what was ``unusual`` by day and
    column (each "measure/scope").
    """

    day: str
    until: int
    use_case: UseCase
    columns: RequestColumns
    profiles: Mapping[str, Profile]
    unusual: Mapping[str, Mapping[str, Sequence[str]]]

    @cached_property
    def features(self) -> Mapping[str, Sequence[str]]:
        """What is made of each column, or looked up by it."""
        return request_lineage(self.use_case)

    @cached_property
    def figures(self) -> Mapping[str, Figures]:
        """The profiles, to look columns up in."""
        return {day: Figures(profile=profile) for day, profile in self.profiles.items()}

    @property
    def whole(self) -> bool:
        """Whether the day is over."""
        return self.until >= 24

    def days_before(self, within: timedelta | None = None) -> list[str]:
        """The days before, latest first, those with profiles."""
        first = (date.fromisoformat(self.day) - within).isoformat() if within else ""
        return sorted((day for day in self.profiles if first <= day < self.day), reverse=True)

    def moved(self, column: str, *, day: str) -> Sequence[str]:
        return self.unusual.get(day, {}).get(column, ())

    def since(self, columns: Iterable[str], *, between: int = 0) -> datetime:
        """The first of the days on which one of ``columns`` was unusual, at most so many usual ones ``between``."""
        first, names, gap = self.day, list(columns), 0
        for day in self.days_before():
            odd = any(self.moved(name, day=day) for name in names)
            first, gap = (day, 0) if odd else (first, gap + 1)
            if gap > between:
                break
        return datetime.combine(date.fromisoformat(first), time())


@dataclass(frozen=True, kw_only=True)
class Unchanged:
    """By day, the most ``hours`` on end for which a view answered the same; what is ``usual``, and its ``bound``."""

    hours: Mapping[str, float]
    usual: float
    bound: float


@dataclass(frozen=True, kw_only=True)
class _Root:
    """Anomalies that are one cause: of a column, or of everything that a view answers."""

    name: str
    anomalies: Sequence[Anomaly]
    view: AsOfView | None = None
    consequences: tuple[str, ...] = ()

    @property
    def top(self) -> Anomaly:
        return self.anomalies[0]

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(each.column for each in self.anomalies if each.column))


def causes_of(anomalies: Sequence[Anomaly], *, asked: Asked) -> tuple[Cause, ...]:
    """Every cause once, what callers ask before what is looked up."""
    told = [each for each in anomalies if _is_cause(each, asked)]
    roots = _of_requests([each for each in told if each.column not in asked.columns.looked_up])
    views = [root for view in asked.columns.views for root in _of_view(view, told, asked=asked)]
    faulty = {root.name for root in roots if root.top.cause not in NO_FAULT}
    kept = [_with_looked_up(root, views) if root.name in faulty else root for root in roots]
    kept += [root for root in views if root.view and not faulty & set(root.view.keys)]
    stuck = {view.name: cause for view in asked.columns.views for cause in _stuck(view, asked=asked)}
    rest = [root for root in kept if root.view is None or root.view.name not in stuck]
    return (*(_cause(root, asked=asked) for root in rest), *stuck.values())


def _with_looked_up(root: _Root, views: Sequence[_Root]) -> _Root:
    """With what is unusual of what is looked up by its column."""
    mine = [each for each in views if each.view and root.name in each.view.keys]
    told = tuple(f"{', '.join(each.columns)} is looked up by {root.name}: {_said(each)}" for each in mine)
    return replace(root, consequences=(*root.consequences, *told))


def _is_cause(found: Anomaly, asked: Asked) -> bool:
    if found.column in asked.columns.looked_up:
        if found.cause not in NO_FAULT:
            return found.cause not in _OF_ROWS
        return found.rule == _OFF_GRID and found.slice is None and asked.whole and _again(found.column, asked)
    if found.cause not in NO_FAULT:
        return True
    if not asked.whole or not asked.features.get(found.column or ""):
        return False
    of_day = found.slice is None and found.code is not Code.MISSING_SHARE_MOVED
    return of_day or _stays(found.column, asked)


def _again(column: str | None, asked: Asked) -> bool:
    measure = f"{_OFF_GRID}/{OVERALL}"
    return any(measure in asked.moved(column or "", day=day) for day in asked.days_before(_LATELY))


def _stays(column: str | None, asked: Asked) -> bool:
    return 1 + sum(bool(asked.moved(column or "", day=day)) for day in asked.days_before(_LATELY)) >= _STAYS


def _of_requests(anomalies: Sequence[Anomaly]) -> list[_Root]:
    """By column; rows that are missing are one root whatever columns tell it, and so is what no fault explains."""
    faulty = {each.column for each in anomalies if each.cause not in (*NO_FAULT, kinds.Cause.ROWS_MISSING)}
    rest = [each for each in anomalies if each.column in faulty or each.cause not in _OF_ROWS]
    grouped: dict[str, list[Anomaly]] = {}
    for each in rest:
        if each.column in faulty:
            grouped.setdefault(each.column or "rows", []).append(each)
    roots = [_Root(name=name, anomalies=sorted(group, key=_explains)) for name, group in grouped.items()]
    missing = [each for each in anomalies if each.column not in faulty and each.cause in _OF_ROWS]
    roots += [_first(sorted(missing, key=lambda each: each.code is not Code.VALUES_VANISHED))] if missing else []
    open_ = [each for each in rest if each.column not in faulty]
    if open_ and roots:
        told = tuple(f"{each.column} is unusual too: {each}" for each in open_)
        return _unswapped([replace(roots[0], consequences=told), *roots[1:]])
    return [*_unswapped(roots), *([_first(open_)] if open_ else [])]


def _first(anomalies: Sequence[Anomaly]) -> _Root:
    return _Root(name=anomalies[0].column or "rows", anomalies=anomalies)


def _explains(found: Anomaly) -> bool:
    """Orders what a fault explains before the rest, and rows that are missing with it."""
    return found.cause in NO_FAULT or found.cause in _OF_ROWS


def _unswapped(roots: Sequence[_Root]) -> list[_Root]:
    """Of two columns that are swapped with each other the first."""
    swapped = [root for root in roots if root.top.cause is kinds.Cause.SWAPPED_COLUMNS]
    return [root for root in roots if root not in swapped[1:]]


def _of_view(view: AsOfView, anomalies: Sequence[Anomaly], *, asked: Asked) -> list[_Root]:
    """One root where several of its columns have the same fault, else one for each column."""
    names = asked.columns.of_view(view)
    grouped: dict[kinds.Cause | None, list[Anomaly]] = {}
    for each in anomalies:
        if each.column in names:
            grouped.setdefault(each.cause, []).append(each)
    roots = []
    for group in grouped.values():
        columns = {each.column for each in group}
        roots.append(_Root(name=view.name if len(columns) > 1 else str(group[0].column), anomalies=group, view=view))
    return roots


def _cause(root: _Root, *, asked: Asked) -> Cause:
    top = root.top
    chart = _chart(root, asked=asked)
    usual = f"{_figure_words(root, asked)}: usually {np.median(chart[:-1]):.4g}" if len(chart) > 1 else ""
    return Cause(
        key=f"{KEY}{root.name}",
        order="inputs",
        urgency=Urgency.INFORM,
        what=_said(root),
        scope=top.slice or root.name,
        normal=usual,
        likely_cause=_likely(root, asked),
        to_do=_to_do(root, asked),
        since=asked.since(root.columns, between=_GAP if top.rule == _OFF_GRID else 0),
        chart=chart,
        consequences=(*root.consequences, *_made_of(root, asked)),
    )


def _said(root: _Root) -> str:
    """One sentence, with how many columns it holds of."""
    top, columns = root.top, root.columns
    said = top.explanation if top.explanation and top.cause not in NO_FAULT else str(top)
    if root.view is None or len(columns) == 1:
        return said
    return f"{said} So it is with {len(columns)} columns of {root.view.name}: {', '.join(columns)}."


def _likely(root: _Root, asked: Asked) -> str:
    why = _LIKELY.get(root.top.cause, _NO_KNOWN_FAULT)
    if root.view is None:
        return f"At a caller: {why}." if root.top.cause not in NO_FAULT else f"{why.capitalize()}."
    behind = ", ".join(view_sources(root.view.sql, use_case=asked.use_case))
    if root.top.rule == _OFF_GRID and root.top.cause in NO_FAULT:
        why = "values are converted or computed otherwise than before"
    return f"In the source {behind}, or on its way here: {why}."


def _to_do(root: _Root, asked: Asked) -> str:
    if root.view is None:
        accept = f"mlops accept {asked.use_case.name} --source requests --day {asked.day}"
        return f"Ask who calls the service what changed in {root.name}; if it is right so, `{accept}`."
    behind = ", ".join(view_sources(root.view.sql, use_case=asked.use_case))
    return f"See whether {behind} has landed and been validated as usual, then ask its owner."


def _made_of(root: _Root, asked: Asked) -> tuple[str, ...]:
    features = [name for column in root.columns for name in asked.features.get(column, ()) if name != column]
    names = list(dict.fromkeys(features))
    if not names:
        return ()
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    are = "features are" if len(names) > 1 else "feature is"
    listed = f"{', '.join(names[:_LISTED])}{more}"
    return (f"{len(names)} {are} made of {', '.join(root.columns)} or looked up by it: {listed}.",)


def _chart(root: _Root, *, asked: Asked) -> tuple[float, ...]:
    """The figure that moved on the last days, and on the day itself."""
    top, scope = root.top, root.top.slice or OVERALL
    if top.column is None:
        return ()
    days = [*reversed(asked.days_before()[: _CHART - 1]), asked.day]
    columns = [asked.figures[day].of(top.column, scope=scope) for day in days]
    value = _moved_value(columns)
    figures = [_figure(each, top, value=value) for each in columns if each is not None]
    return tuple(figure for figure in figures if figure is not None)


def _figure_words(root: _Root, asked: Asked) -> str:
    top = root.top
    if top.code in _MISSING:
        return f"share of {top.column} that is missing"
    texts = {field.name for field in asked.columns.asked if str(field.type) == "string"}
    return f"share of rows by {top.column}" if top.column in texts else f"mean of {top.column}"


def _figure(column: ColumnProfile, found: Anomaly, *, value: str) -> float | None:
    if found.code in _MISSING:
        return column.missing_share
    return _share(column, value) if column.kind == CATEGORY else column.mean


def _moved_value(columns: Sequence[ColumnProfile | None]) -> str:
    """The text whose share of the last day differs most from that of the day before."""
    known = [each for each in columns if each is not None and each.kind == CATEGORY]
    if len(known) < 2:
        return known[-1].values[0] if known and known[-1].values else ""
    now, then = known[-1], known[-2]
    return max(sorted({*now.values, *then.values}), key=lambda each: _share(then, each) - _share(now, each), default="")


def _share(column: ColumnProfile, value: str) -> float:
    counts = dict(zip(column.values, column.counts.tolist(), strict=True))
    return float(counts.get(value, 0)) / max(column.rows, 1)


def longest_unchanged(view: AsOfView, *, asked: Asked) -> Unchanged | None:
    """For how many hours on end a view answered the same for some key; None where nothing can be said.

    Its bound is learnt from the longest stretch of every day before that was not beyond its own.
    """
    name = unchanged_column(view)
    hours = {day: _hours(figures, name) for day, figures in asked.figures.items() if figures.of(name)}
    usual = [hours[day] for day in asked.days_before() if day in hours and not asked.moved(name, day=day)]
    if view.time_column is None or len(usual) < _LEAST_PAST or asked.day not in hours:
        return None
    return Unchanged(hours=hours, usual=max(usual), bound=_LONGER[0] * max(usual) + _LONGER[1])


def _stuck(view: AsOfView, *, asked: Asked) -> list[Cause]:
    """The source of a view is stuck: what it answers for some key has not changed for longer than usual."""
    name, found = unchanged_column(view), longest_unchanged(view, asked=asked)
    if found is None or found.hours[asked.day] <= found.bound:
        return []
    scopes = [scope for scope in asked.profiles[asked.day].scopes if scope != OVERALL]
    where = [scope for scope in scopes if _hours(asked.figures[asked.day], name, scope=scope) > found.bound]
    behind = ", ".join(view_sources(view.sql, use_case=asked.use_case))
    keys = ", ".join(where) or f"some {', '.join(view.keys)}"
    days = [day for day in reversed(asked.days_before()[: _CHART - 1]) if day in found.hours]
    return [
        Cause(
            key=f"{KEY}{view.name}",
            order="inputs",
            urgency=Urgency.INFORM,
            what=f"What is looked up of {view.name} for {keys} stayed the same for {found.hours[asked.day]:.0f} hours.",
            scope=where[0] if len(where) == 1 else view.name,
            normal=f"hours without a change: usually up to {found.usual:.0f}, unusual above {found.bound:.0f}",
            likely_cause=f"In the source {behind}, or on its way here: the last observation is sent over and over.",
            to_do=f"See whether {behind} lands with new observations, then ask its owner.",
            since=asked.since([name]),
            chart=tuple(found.hours[day] for day in [*days, asked.day]),
            consequences=(f"{len(asked.columns.of_view(view))} features are looked up there.",),
        )
    ]


def _hours(figures: Figures, name: str, *, scope: str = OVERALL) -> float:
    column = figures.of(name, scope=scope)
    return (column.maximum or 0.0) if column is not None else 0.0
