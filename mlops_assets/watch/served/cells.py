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
from dataclasses import replace
from datetime import date, datetime, time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.arrays import Ints
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.served.context import AREA, GAIN, GAP, LOSSES, WEEK, Context, Spec
from mlops_assets.watch.served.counts import events, traffic
from mlops_assets.watch.served.daily import decisions, levels, segments
from mlops_assets.watch.served.drafts import WORTH_OF_ERRORS, WORTH_OF_FLAGS, Draft
from mlops_assets.watch.served.report import Cell
from mlops_assets.watch.served.series import Scale, Series, ordinals, series, up_to
from mlops_assets.watch.served.shape import hours, spreads
from mlops_assets.watch.served.table import (
    ANSWERED,
    CLASS,
    DOUBLED,
    ERRORS,
    ESTIMATED,
    FLAGGED,
    HISTORY_AGE,
    LATENCY,
    POSITIVES,
    PRIOR,
    REALISED,
    REFUSED,
    RESIDUAL,
    SCORE,
    SCORE_SQUARED,
    SERVICE,
)

_DAYS_OF_A_MONTH = 30.4


def judge(
    figures: pa.Table,
    *,
    day: date,
    until: datetime,
    over: datetime | None = None,
    version: str,
    plan: MonitoringPlan,
    held_out: pa.Table | None = None,
    binary: bool,
) -> tuple[Cell, ...]:
    """The cells of ``day`` as far as ``until``, in order of trust.

    ``figures`` (METRICS) are those of the day and of the trailing ``plan.weeks`` weeks. What ``version`` answered is
    compared with its own answers, and with ``held_out`` (METRICS of the rows that it was judged on; without hours if
    events have no time) until it has served ``plan.minimum_weeks``; everything else with that of all versions.
    A day that is not over is compared with other days as far as that hour, its traffic as far as hours are ``over``
    (None: until then, too); weeks and slow changes are those of whole days, and wait for its end.
    """
    figures = up_to(figures, day=day, until=until)
    context = Context(day=day, plan=plan, binary=binary, over=until >= datetime.combine(day, time.max))
    mine = figures.filter(pc.equal(figures["version"], version))
    asked = figures
    if held_out is not None:
        stand_in = up_to(held_out, day=day, until=until)
        mine = _with_held_out(mine, stand_in, day=day, plan=plan)
        asked = _with_held_out(figures, stand_in, day=day, plan=plan)
    asked, hours = (up_to(each, day=day, until=over or until) for each in (asked, figures))
    drafts = [*_traffic(asked, hours, context), *_of_all(figures, context), *_of_version(mine, context)]
    cells = Counter(draft.family for draft in drafts)
    a_day = plan.false_alarms_a_month / _DAYS_OF_A_MONTH / max(len(cells), 1)
    return tuple(draft.judged(chance=a_day / cells[draft.family]) for draft in drafts)


def _with_held_out(mine: pa.Table, held_out: pa.Table, *, day: date, plan: MonitoringPlan) -> pa.Table:
    served = ordinals(mine)
    first = int(served.min()) if len(served) else day.toordinal()
    if day.toordinal() - first >= WEEK * plan.minimum_weeks:
        return mine
    before = pc.less(held_out["hour"], pa.scalar(datetime.combine(date.fromordinal(first), datetime.min.time())))
    return pa.concat_tables([mine, held_out.filter(pc.fill_null(before, True)).select(mine.column_names)])


def _traffic(asked: pa.Table, figures: pa.Table, context: Context) -> Iterator[Draft]:
    """How many were ``asked``. Days of which nothing is known count as without an answer only since the first one that
    was served.
    """
    served, known = (ordinals(each.filter(pc.is_valid(each["hour"]))) for each in (figures, asked))
    if len(known):
        since = int(served.min()) if len(served) else context.day.toordinal()
        days = np.union1d(known, np.arange(since, context.day.toordinal() + 1))
        yield from traffic(series(asked, metric=ANSWERED, days=days).of((OVERALL,)), context)


def _of_all(table: pa.Table, context: Context) -> Iterator[Draft]:
    """What does not depend on the version: the service's own figures, and requests. Their columns, what is missing in
    them and what is new, ``request_judgement.py`` judges.
    """
    timed = table.filter(pc.is_valid(table["hour"]))
    if not timed.num_rows:
        return
    names = pc.unique(timed["metric"]).to_pylist()
    days = np.arange(int(ordinals(timed)[0]), context.day.toordinal() + 1)
    for name in (each for each in (ERRORS, REFUSED) if each in names):
        yield from events(series(timed, metric=name, days=days).of((SERVICE,)), name, context, worth=WORTH_OF_ERRORS)
    for name in (each for each in names if each == DOUBLED or each.startswith(FLAGGED)):
        of = series(timed, metric=name, days=days).of((OVERALL,))
        yield from events(of, name, context, worth=WORTH_OF_FLAGS)
    latency = Spec(metric=LATENCY, scale="positive", order="exact", family="requests")
    age = Spec(metric=HISTORY_AGE, scale="number", order="exact", family="requests", worth=0.5)
    for spec, scope in ((latency, SERVICE), (age, OVERALL)):
        if spec.metric in names:
            yield from levels(series(timed, metric=spec.metric, days=days).of((scope,)), spec, context, spans=("day",))


def _of_version(table: pa.Table, context: Context) -> Iterator[Draft]:
    """What this version said, and how right it was."""
    names = [*pc.unique(table["metric"]).to_pylist()]
    classes = [name for name in names if name.startswith(CLASS)]
    days = np.union1d(ordinals(table), [context.day.toordinal()])
    scale: Scale = "share" if context.binary or classes else "number"
    for name in (each for each in (SCORE, POSITIVES, *classes) if each in names):
        of = series(table, metric=name, days=days)
        spec = Spec(metric=name, scale="share", order="predictions", a_row=1.0)
        if name != SCORE:
            yield from hours(of.of((OVERALL,)), spec, context)
            yield from levels(of.of((OVERALL,)), spec, context, spans=("day", "week"))
            continue
        squares = series(table, metric=SCORE_SQUARED, days=days).of(of.scopes)
        spec = replace(spec, scale=scale, a_row=_a_row(of, squares, scale=scale))
        # rows of an hour go together (a storm): as if they differed as much as they can
        yield from hours(of.of((OVERALL,)), replace(spec, a_row=1.0) if scale == "share" else spec, context)
        yield from levels(of.of((OVERALL,)), spec, context, spans=("day", "week", "slow"))
        yield from segments(of, spec, context, spans=("day", "week", "slow"))
        yield from spreads(of.daily(), squares.daily(), context)
    if {SCORE, POSITIVES} <= {*names}:
        positives, scores = (series(table, metric=name, days=days).of((OVERALL,)) for name in (POSITIVES, SCORE))
        yield from decisions(positives, scores, context)
    for name, of in _truths(table, names, days=days):
        spec = Spec(metric=name, scale="number", order="truth", a_row=None, alarms=_worse(name))
        yield from levels(of.of((OVERALL,)), replace(spec, family="truth"), context, spans=("day", "week"))
        if not name.startswith(GAIN):
            yield from levels(of.of((OVERALL,)), spec, context, spans=("slow",))
        if name == RESIDUAL or name.startswith(GAP):
            yield from segments(of, spec, context, spans=("week", "slow"))


def _worse(name: str) -> tuple[int, ...]:
    """The sides of a figure of truth that are worse than usual: answers that are better are no reason for an alarm."""
    if name == RESIDUAL:
        return (-1, 1)
    return (1,) if name.endswith(("_loss", "_error")) and not name.startswith(GAIN) else (-1,)


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
