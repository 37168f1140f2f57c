"""Means and shares by day, of all rows and of segments beside the rest: the day, the week, and slow change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.served.context import DECIDED, LEAST_DAYS, SEGMENTS, WEEK, Context, Spec
from mlops_assets.watch.served.drafts import Draft, Slow, Smooth
from mlops_assets.watch.served.report import Span
from mlops_assets.watch.served.series import UNTIMED, Series, sampling, to_scale
from mlops_assets.watch.served.slow import (
    ALLOWANCE,
    ALLOWANCE_OF_SEGMENTS,
    LOOKED_BACK,
    correlation,
    cusum,
    whitened,
)
from mlops_assets.watch.served.table import SCORE, SERVICE
from mlops_assets.watch.served.usual import HEAVY, Usual, learn

_CERTAIN, _FAR = 1e6, 4.0
"""Degrees of freedom where rows are all there is; deviations that an alarm is away, about."""


def levels(of: Series, spec: Spec, context: Context, *, spans: tuple[Span, ...]) -> Iterator[Draft]:
    """The figure of all rows, against the same day of the week."""
    bucket = np.zeros(len(of.days), dtype=np.int64) if UNTIMED in of.days else of.days % WEEK
    yield from Daily.of(of.daily(), None, spec, context, bucket=bucket).drafts(spans)


def segments(of: Series, spec: Spec, context: Context, *, spans: tuple[Span, ...]) -> Iterator[Draft]:
    """The figure of each segment less that of the day's other rows."""
    of = of.daily()
    own = of.of(tuple(scope for scope in of.scopes if scope not in (OVERALL, SERVICE)))
    if own.scopes:
        rest, bucket = of.of((OVERALL,)).less(own), np.zeros(len(of.days), dtype=np.int64)
        gaps = Daily.of(own, rest, spec, context, bucket=bucket)
        yield from gaps.drafts(spans)
        if spec.metric == SCORE:
            yield from gaps.likeness()


def decisions(positives: Series, scores: Series, context: Context) -> Iterator[Draft]:
    """The share of positives against what the day's mean score leads to expect (a line by Theil and Sen): a threshold
    that moved, or decisions that are not the scores', stand out whatever the day is like.
    """
    spec = Spec(metric=DECIDED, scale="share", order="predictions", a_row=1.0)
    bucket = np.zeros(len(positives.days), dtype=np.int64)
    daily = Daily.of(positives.daily(), None, spec, context, bucket=bucket)
    mean = to_scale(scores.daily().value, n=scores.daily().n, scale="share")[..., 0]
    known = np.isfinite(daily.y[0]) & np.isfinite(mean[0]) & (positives.days < context.day.toordinal())
    apart, rise = (np.subtract.outer(each[0, known], each[0, known]) for each in (mean, daily.y))
    if (apart > 0).any():
        line = float(np.median(rise[apart > 0] / apart[apart > 0])) * mean
        yield from replace(daily, y=daily.y - line, base=line).drafts(("day",))


@dataclass(frozen=True, kw_only=True)
class Daily:
    """One metric by day: figures ``y`` on their scale less ``base`` (that of the ``rest``, if any), and their sampling
    variance ``noise``; all of shape (scopes, days).
    """

    own: Series
    rest: Series | None
    spec: Spec
    context: Context
    bucket: Ints
    y: Floats
    noise: Floats
    base: Floats

    @classmethod
    def of(cls, own: Series, rest: Series | None, spec: Spec, context: Context, *, bucket: Ints) -> Daily:
        n, scale = own.n[..., 0], spec.scale
        base = np.zeros_like(n) if rest is None else to_scale(rest.value, n=rest.n, scale=scale)[..., 0]
        y = np.where(n >= context.plan.minimum_rows, to_scale(own.value, n=own.n, scale=scale)[..., 0] - base, np.nan)
        past = own.days < context.day.toordinal()
        a_row = _fitted(y[:, past], n=n[:, past]) if spec.a_row is None else spec.a_row
        noise = sampling(n, a_row=a_row, scale=scale)
        if rest is not None:
            noise = noise + sampling(rest.n[..., 0], a_row=a_row, scale=scale)
        return cls(own=own, rest=rest, spec=spec, context=context, bucket=bucket, y=y, noise=noise, base=base)

    def drafts(self, spans: tuple[Span, ...]) -> Iterator[Draft]:
        """Of every scope that has rows on the day."""
        for span, made in (("day", self._day), ("week", self._week), ("slow", self._slow)):
            if span in spans and (span == "day" or self.context.over):
                yield from made()

    def _day(self) -> Iterator[Draft]:
        usual = self._learn(before=1)
        last = self.bucket[-1]
        deviation = np.sqrt(
            self.noise[:, -1] + usual.between + usual.error[:, last] + np.square(self.spec.worth / _FAR)
        )
        for scope in np.flatnonzero(self.own.n[:, -1, 0]).tolist():
            yield self._draft(
                scope, span="day", seen=self.y[scope, -1], level=usual.level[scope, last],
                deviation=deviation[scope], freedom=usual.freedom[scope],
            )  # fmt: skip

    def likeness(self) -> Iterator[Draft]:
        """Whether segments differ from each other as they usually do."""
        usual, past = self._learn(before=1), self.own.days < self.context.day.toordinal()
        level = usual.without_own(self.y, noise=self.noise, bucket=self.bucket, past=past)
        variance = self.noise + usual.between[:, None]
        yield from pattern(self.y, level=level, variance=variance, own=self.own, name=SEGMENTS, context=self.context)

    def _week(self) -> Iterator[Draft]:
        """The rows of seven days together. How far they move follows from how far days do, and go on."""
        if len(self.own.days) < WEEK + LEAST_DAYS:
            return
        usual = self._learn(before=WEEK)
        week = replace(self, own=self.own.over(WEEK), rest=self.rest.over(WEEK) if self.rest else None)
        week = Daily.of(week.own, week.rest, self.spec, self.context, bucket=np.zeros_like(self.bucket))
        weeks = week._learn(before=WEEK, first=WEEK - 1)
        rho = correlation(self._residuals(usual)[:, :-WEEK])
        lags = np.arange(1, WEEK)
        together = (1 + 2 * float(((1 - lags / WEEK) * rho**lags).sum())) / WEEK
        days = np.maximum(np.isfinite(self.y[:, :-WEEK]).sum(1), 1)
        of_level = usual.between * (1 + rho) / (1 - rho) / days
        between = np.maximum(usual.between * together, weeks.between)
        deviation = np.sqrt(week.noise[:, -1] + between + of_level)
        for scope in np.flatnonzero(self.own.n[:, -1, 0]).tolist():
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
        for scope in np.flatnonzero(self.own.n[:, -1, 0]).tolist():
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
        usual = replace(usual, freedom=np.minimum(usual.freedom, HEAVY))
        return replace(usual, freedom=np.full(len(self.y), _CERTAIN)) if UNTIMED in self.own.days else usual

    def _residuals(self, usual: Usual) -> Floats:
        """In standard deviations; NaN where there are too few rows."""
        return (self.y - usual.level[:, self.bucket]) / np.sqrt(self.noise + usual.between[:, None])

    def _draft(self, scope: int, *, span: Span, **judged: Any) -> Draft:
        n, value = self.own.n[scope, -1, 0], self.own.value[scope, -1, 0]
        known = self.own.days[np.isfinite(self.y[scope])]
        lacking = self.context.few(n) or self.context.lacking(known, untimed=UNTIMED in known and bool(self.spec.a_row))
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


def pattern(y: Floats, *, level: Floats, variance: Floats, own: Series, name: str, context: Context) -> Iterator[Draft]:
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
    spec = Spec(metric=name, scale="correlation", order="predictions", alarms=(-1,))
    yield from Daily.of(of, None, spec, context, bucket=np.zeros(len(own.days), dtype=np.int64)).drafts(("day",))
