"""The shape of a day's scores: each hour less the day, how alike hours are to what they usually are, and how far scores
differ at all. Shuffled or constant answers keep the day's mean and are seen here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.served.context import HOURS, SPREAD, WEEK, Context, Spec
from mlops_assets.watch.served.daily import Daily, levels, pattern
from mlops_assets.watch.served.drafts import Draft, Smooth
from mlops_assets.watch.served.series import UNTIMED, Series, sampling, to_scale
from mlops_assets.watch.served.table import SCORE
from mlops_assets.watch.served.usual import HEAVY, learn


def hours(of: Series, spec: Spec, context: Context) -> Iterator[Draft]:
    """Each hour of the day less the whole day, against the same hour of the week."""
    timed = of.days != UNTIMED
    of = replace(of, days=of.days[timed], value=of.value[:, timed], n=of.n[:, timed])
    if not len(of.days) or (of.n[0, -1] > 0).sum() < 2:
        return
    whole = of.daily()
    base = to_scale(whole.value, n=whole.n, scale=spec.scale)
    y = (to_scale(of.value, n=of.n, scale=spec.scale) - base)[0]
    y = np.where(of.n[0] >= context.plan.minimum_rows, y, np.nan)
    of_hours, of_days = (sampling(n, a_row=spec.a_row or 0.0, scale=spec.scale) for n in (of.n[0], whole.n[0]))
    noise = of_hours + of_days
    days = np.repeat(of.days, y.shape[1])
    bucket = days % WEEK * y.shape[1] + np.tile(np.arange(y.shape[1]), len(of.days))
    past, flat = days < context.day.toordinal(), (y.reshape(1, -1), noise.reshape(1, -1))
    usual = learn(flat[0], noise=flat[1], bucket=bucket, past=past)
    if spec.metric == SCORE:
        others = usual.without_own(flat[0], noise=flat[1], bucket=bucket, past=past).reshape(y.shape)
        yield from pattern(
            y.T, level=others.T, variance=(noise + usual.between[0]).T, own=of, name=HOURS, context=context
        )
    for hour in np.flatnonzero(of.n[0, -1]).tolist():
        at = int(bucket[len(bucket) - y.shape[1] + hour])
        figure = float(of.value[0, -1, hour] / of.n[0, -1, hour])
        lacking = context.lacking(of.days[of.n.sum((0, 2)) > 0]) or context.few(of.n[0, -1, hour])
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
            freedom=min(float(usual.freedom[0]), HEAVY),
            base=float(base[0, -1, 0]),
            lacking=lacking or ("" if np.isfinite(level) else "no such hour of the week before it"),
        )


def spreads(of: Series, squares: Series, context: Context) -> Iterator[Draft]:
    """How far scores differ from row to row, in all and in each segment beside the rest."""
    spec = Spec(metric=SPREAD, scale="positive", order="predictions", a_row=1.0)
    whole, all_squares = of.of((OVERALL,)), squares.of((OVERALL,))
    yield from levels(_spread(whole, all_squares), spec, context, spans=("day",))
    scopes = tuple(scope for scope in of.scopes if scope != OVERALL)
    if scopes:
        own, own_squares = of.of(scopes), squares.of(scopes)
        rest = _spread(whole.less(own), all_squares.less(own_squares))
        bucket = np.zeros(len(of.days), dtype=np.int64)
        yield from Daily.of(_spread(own, own_squares), rest, spec, context, bucket=bucket).drafts(("day",))


def _spread(of: Series, squares: Series) -> Series:
    """The standard deviation of scores, as sums."""
    n = np.maximum(of.n, 1)
    return replace(of, value=np.sqrt(np.maximum(squares.value / n - np.square(of.value / n), 0)) * of.n)
