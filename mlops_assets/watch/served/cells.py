"""Every figure of a served day against what is usual of it, with the smallest shift that would have been seen.

One mechanism for all: a figure is taken on its scale (``series.py``), what is usual is its level in the bucket of the
week, trailing weeks decide how far it moves by itself (``usual.py``), and an alarm begins where chance comes
``plan.false_alarms_a_month``, shared equally by the families and within a family by its cells (Bonferroni). The level
of the day is taken out of hours ("day": the hour less the day) and of segments ("rest": the segment less the other
rows). Small shifts that stay are added up (``slow.py``). A cell that no answers could have moved beyond its bounds
cannot be judged, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.profiles.cells import Flags
from mlops_assets.watch.served.drafts import Draft, Rare, Slow, Smooth
from mlops_assets.watch.served.report import Cell, Order, Span
from mlops_assets.watch.served.series import UNTIMED, Scale, Series, ordinals, sampling, series, to_scale, up_to
from mlops_assets.watch.served.slow import ALLOWANCE, ALLOWANCE_OF_SEGMENTS, LOOKED_BACK, correlation, cusum, whitened
from mlops_assets.watch.served.table import (
    ANSWERED,
    CLASS,
    DOUBLED,
    ERRORS,
    ESTIMATED,
    FLAGGED,
    HISTORY_AGE,
    LATENCY,
    MISSING,
    POSITIVES,
    PRIOR,
    REALISED,
    REFUSED,
    RESIDUAL,
    SCORE,
    SCORE_SQUARED,
    SERVICE,
    UNSEEN,
)
from mlops_assets.watch.served.usual import Usual, learn

WEEK = 7
_DAYS_OF_A_MONTH = 30.4
_LEAST_DAYS = 10
"""With rows, beside ``minimum_weeks``: of fewer no spread is told."""
_CERTAIN = 1e6
_HEAVY = 24.0
"""Degrees of freedom at most: normal bounds of one in a thousand were passed 4 to 12 times as often in half a year of
flights, because days of bad weather come in all sizes."""
GAIN, GAP = "gain:", "realised less estimated:"
"""Before the name of a loss: by how much it is better than the prior's on the same rows; the realised one less what
the scores led to expect.
"""
SPREAD, HOURS, SEGMENTS = "score_spread", "score_pattern:hours", "score_pattern:segments"
"""The standard deviation of scores; how alike to the usual their pattern over hours and segments is."""
AREA, LOSSES = f"{REALISED}roc_auc_score", ("log_loss", "mean_squared_error", "accuracy_score")


def judge(
    figures: pa.Table,
    *,
    day: date,
    until: datetime,
    version: str,
    plan: MonitoringPlan,
    held_out: pa.Table | None = None,
    binary: bool,
) -> tuple[Cell, ...]:
    """The cells of ``day`` as far as ``until``, in order of trust.

    ``figures`` (METRICS) are those of the day and of the trailing ``plan.weeks`` weeks. What ``version`` answered is
    compared with its own answers, and with ``held_out`` (METRICS of the rows that it was judged on; without hours if
    events have no time) until it has served ``plan.minimum_weeks``; everything else with that of all versions.
    A day that is not over is compared with other days as far as that hour.
    """
    figures = up_to(figures, day=day, until=until)
    context = _Context(day=day, plan=plan, binary=binary)
    mine = figures.filter(pc.equal(figures["version"], version))
    if held_out is not None:
        mine = _with_held_out(mine, up_to(held_out, day=day, until=until), day=day, plan=plan)
    drafts = [*_of_all(figures, context), *_of_version(mine, context)]
    cells = Counter(draft.family for draft in drafts)
    a_day = plan.false_alarms_a_month / _DAYS_OF_A_MONTH / max(len(cells), 1)
    return tuple(draft.judged(chance=a_day / cells[draft.family]) for draft in drafts)


@dataclass(frozen=True, kw_only=True)
class _Context:
    day: date
    plan: MonitoringPlan
    binary: bool

    def lacking(self, days: Ints, *, untimed: bool = False) -> str:
        """What days that have rows lack to say what is usual before this one; empty if nothing."""
        before = days[(days < self.day.toordinal()) & (days != UNTIMED)]
        if untimed:
            return ""
        span = self.day.toordinal() - int(before.min()) if len(before) else 0
        if span >= WEEK * self.plan.minimum_weeks and len(before) >= _LEAST_DAYS:
            return ""
        return f"{len(before)} days before it in {span} days, needs {_LEAST_DAYS} in {WEEK * self.plan.minimum_weeks}"


def _with_held_out(mine: pa.Table, held_out: pa.Table, *, day: date, plan: MonitoringPlan) -> pa.Table:
    served = ordinals(mine)
    first = int(served.min()) if len(served) else day.toordinal()
    if day.toordinal() - first >= WEEK * plan.minimum_weeks:
        return mine
    before = pc.less(held_out["hour"], pa.scalar(datetime.combine(date.fromordinal(first), datetime.min.time())))
    return pa.concat_tables([mine, held_out.filter(pc.fill_null(before, True)).select(mine.column_names)])


def _of_all(table: pa.Table, context: _Context) -> Iterator[Draft]:
    """What does not depend on the version: traffic, the service's own figures, and requests."""
    timed = table.filter(pc.is_valid(table["hour"]))
    if not timed.num_rows:
        return
    names = pc.unique(timed["metric"]).to_pylist()
    days = np.arange(int(ordinals(timed)[0]), context.day.toordinal() + 1)
    yield from _traffic(series(timed, metric=ANSWERED, days=days).of((OVERALL,)), context)
    for name in (each for each in (ERRORS, REFUSED) if each in names):
        yield from _events(series(timed, metric=name, days=days).of((SERVICE,)), name, context, order="exact")
    for name in (each for each in names if each == DOUBLED or each.startswith((FLAGGED, MISSING, UNSEEN))):
        order: Order = "inputs" if name.startswith((MISSING, UNSEEN)) else "exact"
        yield from _events(series(timed, metric=name, days=days).of((OVERALL,)), name, context, order=order)
    for name, scope, scale in ((LATENCY, SERVICE, "positive"), (HISTORY_AGE, OVERALL, "number")):
        if name in names:
            of = series(timed, metric=name, days=days).of((scope,))
            spec = _Spec(metric=name, scale=scale, order="exact", family="service")  # type: ignore[arg-type]
            yield from _levels(of, spec, context, spans=("day",))


def _of_version(table: pa.Table, context: _Context) -> Iterator[Draft]:
    """What this version said, and how right it was."""
    names = [*pc.unique(table["metric"]).to_pylist()]
    classes = [name for name in names if name.startswith(CLASS)]
    days = np.union1d(ordinals(table), [context.day.toordinal()])
    scale: Scale = "share" if context.binary or classes else "number"
    for name in (each for each in (SCORE, POSITIVES, *classes) if each in names):
        of, spec = (
            series(table, metric=name, days=days),
            _Spec(metric=name, scale="share", order="predictions", a_row=1.0),
        )
        yield from _hours(of.of((OVERALL,)), spec, context)
        if name != SCORE:
            yield from _levels(of.of((OVERALL,)), spec, context, spans=("day", "week"))
            continue
        spec = replace(spec, scale=scale, a_row=_a_row(of, series(table, metric=SCORE_SQUARED, days=days), scale=scale))
        yield from _levels(of.of((OVERALL,)), spec, context, spans=("day", "week", "slow"))
        yield from _segments(of, spec, context, spans=("day", "week", "slow"))
        yield from _spreads(of.daily(), series(table, metric=SCORE_SQUARED, days=days).of(of.scopes).daily(), context)
    for name, of in _truths(table, names, days=days):
        spec = _Spec(metric=name, scale="number", order="truth", a_row=None, alarms=_worse(name))
        yield from _levels(of.of((OVERALL,)), replace(spec, family="truth"), context, spans=("day", "week"))
        if not name.startswith(GAIN):
            yield from _levels(of.of((OVERALL,)), spec, context, spans=("slow",))
        if name == RESIDUAL or name.startswith(GAP):
            yield from _segments(of, spec, context, spans=("week", "slow"))


def _worse(name: str) -> tuple[int, ...]:
    """The sides of a figure of truth that are worse than usual: answers that are better are no reason for an alarm."""
    if name == RESIDUAL:
        return (-1, 1)
    return (1,) if name.endswith(("_loss", "_error")) and not name.startswith(GAIN) else (-1,)


@dataclass(frozen=True, kw_only=True)
class _Spec:
    """How a metric is judged; ``a_row`` is the variance of one row (``series.sampling``), None to be estimated;
    ``alarms`` are the sides that are a reason for an alarm."""

    metric: str
    scale: Scale
    order: Order
    family: str = ""
    a_row: float | None = 0.0
    alarms: tuple[int, ...] = (-1, 1)


def _truths(table: pa.Table, names: Collection[str], *, days: Ints) -> Iterator[tuple[str, Series]]:
    """How right answers were: outcome less score, the loss that tells most beside the prior's and beside what the
    scores led to expect, and the area under the curve.
    """
    if RESIDUAL in names:
        yield RESIDUAL, series(table, metric=RESIDUAL, days=days)
    if AREA in names:
        yield AREA, series(table, metric=AREA, days=days)
    loss = next((each for each in LOSSES if f"{REALISED}{each}" in names), None)
    if loss is None:
        return
    of = series(table, metric=f"{REALISED}{loss}", days=days).daily()
    beside = {
        kind: series(table, metric=f"{kind}{loss}", days=days).of(of.scopes).daily()
        for kind in (PRIOR, ESTIMATED)
        if f"{kind}{loss}" in names
    }
    if PRIOR in beside:
        gain = beside[PRIOR].value - of.value
        yield f"{GAIN}{loss}", replace(of, value=gain if loss.endswith("_loss") or loss.endswith("_error") else -gain)
    if ESTIMATED in beside:
        said = beside[ESTIMATED]
        yield f"{GAP}{loss}", replace(of, value=of.value - of.n * said.value / np.maximum(said.n, 1))
    else:
        yield f"{REALISED}{loss}", of


def _a_row(of: Series, squares: Series, *, scale: Scale) -> float:
    """The variance of one row's score; of a share in units of p (1 - p)."""
    all_rows, all_squares = of.of((OVERALL,)), squares.of((OVERALL,))
    n = max(float(all_squares.n.sum()), 1.0)
    mean = float(all_rows.value.sum()) / max(float(all_rows.n.sum()), 1.0)
    variance = max(float(all_squares.value.sum()) / n - mean**2, 0.0)
    return min(variance / max(mean * (1 - mean), 1e-9), 1.0) if scale == "share" else variance


def _traffic(answered: Series, context: _Context) -> Iterator[Draft]:
    lacking = context.lacking(answered.days[answered.n.sum((0, 2)) > 0])
    for of in (answered, answered.daily()):
        hours = of.value.shape[2]
        counts, days = of.value[0].ravel(), np.repeat(of.days, hours)
        bucket = days % WEEK * hours + np.tile(np.arange(hours), len(of.days))
        rates = _Rates.of(counts, exposure=np.ones_like(counts), bucket=bucket, past=days < context.day.toordinal())
        for at in range(len(counts) - hours, len(counts)):
            rate, between, error = rates.at(int(bucket[at]))
            if counts[at] or rate >= 1:
                yield Rare(
                    order="exact",
                    family="traffic",
                    metric=ANSWERED,
                    scope=OVERALL,
                    span="hour" if hours > 1 else "day",
                    hour=at - len(counts) + hours if hours > 1 else None,
                    n=int(counts[at]),
                    value=float(counts[at]),
                    figure=float(counts[at]),
                    count=float(counts[at]),
                    of=None,
                    rate=rate,
                    between=between,
                    error=error,
                    lacking=lacking,
                )


def _events(of: Series, name: str, context: _Context, *, order: Order) -> Iterator[Draft]:
    """The share of rows for which something holds that seldom does, on the day."""
    count, n = of.daily().value[0, :, 0], of.daily().n[0, :, 0]
    if not n[-1]:
        return
    past = (of.days < context.day.toordinal()) & (n > 0)
    rates = _Rates.of(count, exposure=n, bucket=np.zeros(len(n), dtype=np.int64), past=past)
    rate, between, error = rates.at(0)
    yield Rare(
        order=order,
        family="requests",
        metric=name,
        scope=of.scopes[0],
        span="day",
        n=int(n[-1]),
        value=float(count[-1] / n[-1]),
        figure=float(count[-1] / n[-1]),
        count=float(count[-1]),
        of=float(n[-1]),
        rate=rate,
        between=between,
        error=error,
        lacking=context.lacking(of.days[n > 0]),
    )


@dataclass(frozen=True, kw_only=True)
class _Rates:
    """Counts a unit of exposure, by bucket: ``plain`` ones, relative to which ``usual`` is learnt."""

    plain: Floats
    usual: Usual

    @classmethod
    def of(cls, counts: Floats, *, exposure: Floats, bucket: Ints, past: Flags) -> _Rates:
        size = int(bucket.max()) + 1
        sums, exposed = (np.bincount(bucket[past], weights=each[past], minlength=size) for each in (counts, exposure))
        plain = np.maximum(sums, 0.5) / np.maximum(exposed, 1e-9)
        expected = plain[bucket] * exposure
        with np.errstate(divide="ignore", invalid="ignore"):
            relative, noise = np.where(expected > 0, counts / expected, np.nan), 1 / expected
        return cls(plain=plain, usual=learn(relative[None], noise=noise[None], bucket=bucket, past=past))

    def at(self, bucket: int) -> tuple[float, float, float]:
        """The rate, its relative variance from time to time, and the relative variance of the rate itself."""
        level = float(np.nan_to_num(self.usual.level[0, bucket], nan=1.0))
        return float(self.plain[bucket]) * level, float(self.usual.between[0]), float(self.usual.error[0, bucket])


def _hours(of: Series, spec: _Spec, context: _Context) -> Iterator[Draft]:
    """Each hour of the day less the whole day, against the same hour of the week."""
    timed = of.days != UNTIMED
    of = replace(of, days=of.days[timed], value=of.value[:, timed], n=of.n[:, timed])
    if not len(of.days) or (of.n[0, -1] > 0).sum() < 2:
        return
    whole = of.daily()
    base = to_scale(whole.value, n=whole.n, scale=spec.scale)
    y = (to_scale(of.value, n=of.n, scale=spec.scale) - base)[0]
    y = np.where(of.n[0] >= context.plan.minimum_rows, y, np.nan)
    noise = sum(sampling(n, a_row=spec.a_row or 0.0, scale=spec.scale) for n in (of.n[0], whole.n[0]))
    days = np.repeat(of.days, y.shape[1])
    bucket = days % WEEK * y.shape[1] + np.tile(np.arange(y.shape[1]), len(of.days))
    usual = learn(y.reshape(1, -1), noise=noise.reshape(1, -1), bucket=bucket, past=days < context.day.toordinal())
    if spec.metric == SCORE:
        level = usual.level[0, bucket].reshape(y.shape)
        yield from _pattern(
            y.T, level=level.T, variance=(noise + usual.between[0]).T, own=of, name=HOURS, context=context
        )
    for hour in np.flatnonzero(of.n[0, -1]):
        at = int(bucket[len(bucket) - y.shape[1] + hour])
        figure = float(of.value[0, -1, hour] / of.n[0, -1, hour])
        lacking = context.lacking(of.days[of.n.sum((0, 2)) > 0]) or _few(of.n[0, -1, hour], context)
        level = float(usual.level[0, at])
        yield Smooth(
            order=spec.order,
            family="hours",
            metric=spec.metric,
            scope=OVERALL,
            span="hour",
            hour=int(hour),
            gap="day",
            n=int(of.n[0, -1, hour]),
            value=figure - float(whole.value[0, -1, 0] / whole.n[0, -1, 0]),
            figure=figure,
            scale=spec.scale,
            seen=float(np.nan_to_num(y[-1, hour])),
            level=level,
            deviation=float(np.sqrt(noise[-1, hour] + usual.between[0] + usual.error[0, at])),
            freedom=min(float(usual.freedom[0]), _HEAVY),
            base=float(base[0, -1, 0]),
            lacking=lacking or ("" if np.isfinite(level) else "no such hour of the week before it"),
        )


def _pattern(
    y: Floats, *, level: Floats, variance: Floats, own: Series, name: str, context: _Context
) -> Iterator[Draft]:
    """How alike the day's gaps ``y`` are to the usual ones (a correlation): 0 if answers were shuffled.

    ``y``, ``level`` and ``variance`` have shape (gaps, days); ``own`` are the rows of all.
    """
    known = np.isfinite(y) & np.isfinite(level) & np.isfinite(variance)
    weight = np.where(known, 1 / np.where(known, variance, 1.0), 0.0)
    at, usual_at = np.where(known, y, 0.0), np.where(known, level, 0.0)
    both, theirs, usual_ones = ((weight * each).sum(0) for each in (at * usual_at, at**2, usual_at**2))
    enough = (known.sum(0) > 2) & (theirs > 0) & (usual_ones > 0)
    likeness = np.where(enough, both / np.sqrt(np.where(enough, theirs * usual_ones, 1.0)), np.nan)
    value = np.where(enough, likeness, 0.0)[None, :, None]
    rows = own.n.sum((0, 2))[None, :, None] * enough[None, :, None]
    of = Series(scopes=(OVERALL,), days=own.days, value=value * rows, n=rows)
    spec = _Spec(metric=name, scale="correlation", order="predictions", alarms=(-1,))
    yield from _Daily.of(of, None, spec, context, bucket=np.zeros(len(own.days), dtype=np.int64)).drafts(("day",))


def _spreads(of: Series, squares: Series, context: _Context) -> Iterator[Draft]:
    """How far scores differ from row to row, in all and in each segment beside the rest: nothing if all are the same."""
    spec = _Spec(metric=SPREAD, scale="positive", order="predictions", a_row=1.0)
    whole, all_squares = of.of((OVERALL,)), squares.of((OVERALL,))
    yield from _levels(_spread(whole, all_squares), spec, context, spans=("day",))
    scopes = tuple(scope for scope in of.scopes if scope != OVERALL)
    if scopes:
        own, own_squares = of.of(scopes), squares.of(scopes)
        rest = _spread(whole.less(own), all_squares.less(own_squares))
        bucket = np.zeros(len(of.days), dtype=np.int64)
        yield from _Daily.of(_spread(own, own_squares), rest, spec, context, bucket=bucket).drafts(("day",))


def _spread(of: Series, squares: Series) -> Series:
    """The standard deviation of scores, as sums."""
    n = np.maximum(of.n, 1)
    return replace(of, value=np.sqrt(np.maximum(squares.value / n - np.square(of.value / n), 0)) * of.n)


def _few(rows: float, context: _Context) -> str:
    needed = context.plan.minimum_rows
    return "" if rows >= needed else f"{int(rows)} rows, needs {needed}"


def _levels(of: Series, spec: _Spec, context: _Context, *, spans: Collection[Span]) -> Iterator[Draft]:
    """The figure of all rows, against the same day of the week."""
    bucket = np.zeros(len(of.days), dtype=np.int64) if UNTIMED in of.days else of.days % WEEK
    yield from _Daily.of(of.daily(), None, spec, context, bucket=bucket).drafts(spans)


def _segments(of: Series, spec: _Spec, context: _Context, *, spans: Collection[Span]) -> Iterator[Draft]:
    """The figure of each segment less that of the day's other rows."""
    of = of.daily()
    own = of.of(tuple(scope for scope in of.scopes if scope not in (OVERALL, SERVICE)))
    if own.scopes:
        rest, bucket = of.of((OVERALL,)).less(own), np.zeros(len(of.days), dtype=np.int64)
        yield from _Daily.of(own, rest, spec, context, bucket=bucket).drafts(spans)


@dataclass(frozen=True, kw_only=True)
class _Daily:
    """One metric by day: figures ``y`` on their scale less ``base`` (that of the ``rest``, if any), and their sampling
    variance ``noise``; all of shape (scopes, days).
    """

    own: Series
    rest: Series | None
    spec: _Spec
    context: _Context
    bucket: Ints
    y: Floats
    noise: Floats
    base: Floats

    @classmethod
    def of(cls, own: Series, rest: Series | None, spec: _Spec, context: _Context, *, bucket: Ints) -> _Daily:
        n, scale = own.n[..., 0], spec.scale
        base = np.zeros_like(n) if rest is None else to_scale(rest.value, n=rest.n, scale=scale)[..., 0]
        y = np.where(n >= context.plan.minimum_rows, to_scale(own.value, n=own.n, scale=scale)[..., 0] - base, np.nan)
        past = own.days < context.day.toordinal()
        a_row = _fitted(y[:, past], n=n[:, past]) if spec.a_row is None else spec.a_row
        noise = sampling(n, a_row=a_row, scale=scale)
        if rest is not None:
            noise = noise + sampling(rest.n[..., 0], a_row=a_row, scale=scale)
        return cls(own=own, rest=rest, spec=spec, context=context, bucket=bucket, y=y, noise=noise, base=base)

    def drafts(self, spans: Collection[Span]) -> Iterator[Draft]:
        """Of every scope that has rows on the day."""
        for span, made in (("day", self._day), ("week", self._week), ("slow", self._slow)):
            if span in spans:
                yield from made()

    def _day(self) -> Iterator[Draft]:
        usual = self._learn(before=1)
        last = self.bucket[-1]
        deviation = np.sqrt(self.noise[:, -1] + usual.between + usual.error[:, last])
        if self.spec.metric == SCORE and self.rest is not None:
            level = np.broadcast_to(usual.level, self.y.shape)
            variance = self.noise + usual.between[:, None]
            yield from _pattern(
                self.y, level=level, variance=variance, own=self.own, name=SEGMENTS, context=self.context
            )
        for scope in np.flatnonzero(self.own.n[:, -1, 0]):
            yield self._draft(
                scope, span="day", seen=self.y[scope, -1], level=usual.level[scope, last],
                deviation=deviation[scope], freedom=usual.freedom[scope],
            )  # fmt: skip

    def _week(self) -> Iterator[Draft]:
        """The rows of seven days together. How far they move follows from how far days do, and go on."""
        if len(self.own.days) < WEEK + _LEAST_DAYS:
            return
        usual = self._learn(before=WEEK)
        week = replace(self, own=self.own.over(WEEK), rest=self.rest.over(WEEK) if self.rest else None)
        week = _Daily.of(week.own, week.rest, self.spec, self.context, bucket=np.zeros_like(self.bucket))
        weeks = week._learn(before=WEEK, first=WEEK - 1)
        rho = correlation(self._residuals(usual)[:, :-WEEK])
        lags = np.arange(1, WEEK)
        together = (1 + 2 * float(((1 - lags / WEEK) * rho**lags).sum())) / WEEK
        days = np.maximum(np.isfinite(self.y[:, :-WEEK]).sum(1), 1)
        of_level = usual.between * (1 + rho) / (1 - rho) / days
        between = np.maximum(usual.between * together, weeks.between)
        deviation = np.sqrt(week.noise[:, -1] + between + of_level)
        for scope in np.flatnonzero(self.own.n[:, -1, 0]):
            yield week._draft(
                scope, span="week", seen=week.y[scope, -1], level=weeks.level[scope, 0],
                deviation=deviation[scope], freedom=usual.freedom[scope],
            )  # fmt: skip

    def _slow(self) -> Iterator[Draft]:
        """The last four weeks added up, against what was usual before them."""
        days = min(LOOKED_BACK, len(self.own.days) - WEEK * self.context.plan.minimum_weeks)
        if days < WEEK:
            return
        usual = self._learn(before=days)
        residuals = self._residuals(usual)
        rho = correlation(residuals[:, :-days])
        allowance = ALLOWANCE if self.rest is None else ALLOWANCE_OF_SEGMENTS
        runs = cusum(whitened(residuals, correlation=rho)[:, -days:], allowance=allowance)
        stays = (1 + rho) / (1 - rho)
        deviations = np.sqrt(
            stays * (_middles(np.where(np.isfinite(self.y), self.noise, np.nan))[:, 0] + usual.between)
        )
        learnt_from = np.isfinite(residuals[:, :-days]).sum(1) / stays
        for scope in np.flatnonzero(self.own.n[:, -1, 0]):
            run, deviation = runs[scope], float(deviations[scope])
            level = float(usual.level[scope, self.bucket[-1]])
            yield self._draft(
                scope, span="slow", level=level, deviation=deviation, freedom=usual.freedom[scope], run=run,
                seen=level + run.side * deviation * (allowance + run.high / max(run.days, 1)) * (run.days > 0),
                began=date.fromordinal(max(int(self.own.days[-max(run.days, 1)]), 1)), allowance=allowance,
                unsure=float(np.sqrt(1 + run.days / max(learnt_from[scope], 1))),
            )  # fmt: skip

    def _learn(self, *, before: int, first: int = 0) -> Usual:
        """What is usual, from the days before the last ``before``."""
        place = np.arange(len(self.own.days))
        past = (place >= first) & (place < len(place) - before) & (self.own.days < self.context.day.toordinal())
        usual = learn(self.y, noise=self.noise, bucket=self.bucket, past=past)
        usual = replace(usual, freedom=np.minimum(usual.freedom, _HEAVY))
        return replace(usual, freedom=np.full(len(self.y), _CERTAIN)) if UNTIMED in self.own.days else usual

    def _residuals(self, usual: Usual) -> Floats:
        """In standard deviations; NaN where there are too few rows."""
        return (self.y - usual.level[:, self.bucket]) / np.sqrt(self.noise + usual.between[:, None])

    def _draft(self, scope: int, *, span: Span, **judged: Any) -> Draft:
        n, value = self.own.n[scope, -1, 0], self.own.value[scope, -1, 0]
        known = self.own.days[np.isfinite(self.y[scope])]
        lacking = _few(n, self.context) or self.context.lacking(known, untimed=UNTIMED in known)
        figure = float(value / n)
        beside = None if self.rest is None else float(self.rest.value[scope, -1, 0] / max(self.rest.n[scope, -1, 0], 1))
        base = float(self.base[scope, -1])
        made: type[Smooth] = Slow if span == "slow" else Smooth
        if not np.isfinite([judged["seen"], judged["level"], judged["deviation"], base]).all():
            lacking, judged["seen"], judged["level"] = lacking or "no other rows to compare it with", 0.0, 0.0
        return made(
            order=self.spec.order,
            family=self.spec.family or ("slow" if span == "slow" else "overall" if self.rest is None else "slices"),
            metric=self.spec.metric,
            scope=self.own.scopes[scope],
            span=span,
            gap="" if self.rest is None else "rest",
            n=int(n),
            value=figure if beside is None else figure - beside,
            figure=figure,
            lacking=lacking,
            scale=self.spec.scale,
            base=base,
            alarms=self.spec.alarms,
            **judged,
        )


def _middles(y: Floats) -> Floats:
    """The median of each scope's known figures, as a column; 0 where there is none."""
    known = np.isfinite(y).any(1)
    middle = np.zeros((len(y), 1))
    middle[known, 0] = np.nanmedian(y[known], axis=1)
    return middle


def _fitted(y: Floats, *, n: Floats) -> float:
    """The variance of one row: by how much scopes of fewer rows vary more, robustly."""
    spread = np.square(1.4826 * _middles(np.abs(y - _middles(y)))[:, 0])
    a_row = _middles(np.where(n > 0, 1 / np.maximum(n, 1), np.nan))[:, 0]
    if len(spread) < 3 or np.ptp(a_row) == 0:
        return 0.0
    return max(float(np.polyfit(a_row, spread, 1)[0]), 0.0)
