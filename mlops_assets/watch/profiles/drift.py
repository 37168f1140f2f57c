"""Has a batch moved away from its reference? Judged from profiles alone: by how far, and whether chance explains it.

A batch is compared with the merge of its reference batches (the trailing window, the same weekdays, or the batches of a
training window), column by column and segment by segment. A distance is a verdict only if

- it is over its bound. Unless a use case declares one, the bound is learnt from the past of the same comparison:
  earlier batches were compared with *their* references; the logarithms of those distances are taken as normal, and
  the bound is the upper prediction limit for one more of them (G. J. Hahn, W. Q. Meeker, "Statistical Intervals",
  1991, ch. 4), corrected by Bonferroni for the number of comparisons, so that ``false_alarm_rate`` batches alarm where
  nothing happened, whatever the number of rows. It is never below the least effect worth a look;
- and chance does not explain it: Pearson's chi-squared test of homogeneity, corrected by Holm over columns and
  segments;
- on enough rows, batches and past distances: else the verdict is *insufficient data*.

What explains a shift is in ``explanations.py``; the distances themselves are in ``distances.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_array
from scipy.special import stdtrit

from mlops_assets.contract.drift import LEAST_EFFECTS, DriftPlan
from mlops_assets.contract.slices import OVERALL
from mlops_assets.judge.corrections import holm
from mlops_assets.watch.profiles import distances
from mlops_assets.watch.profiles.cells import Flags, Floats, Ints
from mlops_assets.watch.profiles.profile import CATEGORY, Profile
from mlops_assets.watch.profiles.series import ColumnSeries, column_series

Verdict = Literal["normal", "moved", "insufficient data"]
Sums: TypeAlias = "csr_array[Any, Any]"
"""(batches, batches): 1 where the second is in the reference of the first. Sparse, as dense products start threads."""

_ROUNDING = 1e-6
"""Deviations below this part of the mean are those of a constant."""
_SHARES = ("missing_share", "unseen_share")
_FEWEST = 5
"""A share of fewer rows than this has not moved: the test is no good on so few."""
_SMALLEST = 0.5
"""Distances below this part of the least effect count as this, so that a past of zeros has a logarithm."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """One measure of one column in one scope. ``bound`` and ``p_value`` are ``None`` where nothing could be judged."""

    scope: str
    column: str
    measure: str
    found: float
    bound: float | None
    p_value: float | None
    rows: int
    reference_rows: int
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """One batch against its ``reference`` batches: every shift of the whole batch, and those of segments that moved.

    ``raw`` has further distances of the whole batch, by column and name. ``judged`` counts the comparisons with a
    verdict in all scopes.
    """

    batch: str
    reference: tuple[str, ...]
    shifts: tuple[Shift, ...]
    raw: Mapping[str, Mapping[str, float]]
    judged: int

    @property
    def moved(self) -> tuple[Shift, ...]:
        """The shifts over their bound, the whole batch first, then the farthest beyond it."""
        found = [shift for shift in self.shifts if shift.verdict == "moved"]
        return tuple(sorted(found, key=lambda s: (s.scope != OVERALL, -s.found / (s.bound or 1.0), s.scope, s.column)))


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """One measure of one series for every batch looked at: distance and p-value, NaN where nothing can be compared."""

    series: ColumnSeries
    measure: str
    found: Floats
    p_value: Floats
    rows: Floats
    reference_rows: Floats


def compare(
    profiles: Mapping[str, Profile],
    *,
    batches: Sequence[str],
    plan: DriftPlan,
    ignored: Collection[str] = (),
    training: Collection[str] = (),
) -> dict[str, DriftReport]:
    """Judge ``batches`` among ``profiles``, which hold their references and past as well, by batch.

    With ``training`` all are compared with those batches instead of the plan's reference. The columns in ``ignored``
    are not compared, such as the date that names the batch.
    """
    names = sorted(profiles)
    ordinal = _ordinals(names)
    looked_at = _looked_at(names, ordinal=ordinal, batches=batches, plan=plan)
    chosen = reference_batches(names, ordinal=ordinal, plan=plan, training=training)[looked_at]
    enough = chosen.sum(axis=1) >= (1 if training else plan.minimum_batches)
    weights: Sums = csr_array(chosen, dtype=np.float64)
    compared: list[_Compared] = []
    raw: dict[str, dict[str, Floats]] = {}
    ordered = {name: profiles[name] for name in names}
    for series in column_series(ordered, ignored=ignored, minimum_rows=plan.minimum_rows):
        further = _measure(series, rows=looked_at, weights=weights, enough=enough, into=compared)
        if series.scope == OVERALL:
            raw[series.column] = further
    judging = _Judging(names=names, ordinal=ordinal, looked_at=looked_at, chosen=chosen, plan=plan)
    return {batch: _report(names.index(batch), judging=judging, compared=compared, raw=raw) for batch in batches}


@dataclass(frozen=True, kw_only=True)
class _Judging:
    """The batches by name and day; which of them are looked at, and each of these with its reference."""

    names: Sequence[str]
    ordinal: Ints
    looked_at: Ints
    chosen: Flags
    plan: DriftPlan


def _looked_at(names: Sequence[str], *, ordinal: Ints, batches: Sequence[str], plan: DriftPlan) -> Ints:
    """The batches to judge and the past that calibrates them."""
    judged = ordinal[np.isin(names, list(batches))]
    back = judged[:, None] - ordinal[None, :]
    return np.flatnonzero(((back >= 0) & (back <= plan.window)).any(axis=0))


def reference_batches(names: Sequence[str], *, ordinal: Ints, plan: DriftPlan, training: Collection[str] = ()) -> Flags:
    """(batches, batches): whether the second is in the reference of the first."""
    if training:
        return np.tile(np.isin(names, sorted(training)), (len(names), 1))
    back = ordinal[:, None] - ordinal[None, :]
    if plan.reference == "previous":
        return np.asarray(back == 1)
    if plan.reference == "same weekday":
        return np.asarray((back > 0) & (back <= 2 * plan.window) & (back % 7 == 0))
    return np.asarray((back > 0) & (back <= plan.window))


def _ordinals(names: Sequence[str]) -> Ints:
    """Days as day numbers; batches with other names by their place."""
    try:
        return np.array([date.fromisoformat(name).toordinal() for name in names], dtype=np.int64)
    except ValueError:
        return np.arange(len(names), dtype=np.int64)


def _measure(
    series: ColumnSeries, *, rows: Ints, weights: Sums, enough: Flags, into: list[_Compared]
) -> dict[str, Floats]:
    """Append every judged measure of a series for the batches ``rows``; answer the further ones."""
    mine = series.only(rows)
    before, missing = _summed(series.rows, over=weights), _summed(series.missing, over=weights)
    reference, found = _summed(series.counts, over=weights), mine.counts
    present = (mine.rows - mine.missing > 0) & (before - missing > 0) & enough
    if series.kind == CATEGORY:
        binned = distances.pool_rare(found, reference=reference)
    else:
        binned = distances.bin_by_reference(found, reference=reference)
    judged = {"jensen_shannon": distances.jensen_shannon(binned[0], reference=binned[1])}
    further = {"stability_index": distances.stability_index(binned[0], reference=binned[1])}
    if series.kind == CATEGORY:
        further["largest_difference"] = distances.largest_difference(found, reference=reference)
        complete = _summed(series.overlooked, over=weights) == 0
        judged["unseen_share"] = np.where(complete, distances.unseen_share(found, reference=reference), np.nan)
    else:
        moments = _moments(series, rows=rows, weights=weights)
        moved = distances.wasserstein(found, reference=reference, values=series.values)
        judged["outside_share"] = distances.outside_share(found, reference=reference)
        judged["wasserstein"] = np.where(
            moments["deviation"] > 0, moved / np.maximum(moments["deviation"], 1e-300), moved
        )
        further |= {"mean_shift": moments["mean_shift"], "deviation_ratio": moments["deviation_ratio"]}
    p_value = distances.homogeneity_p(binned[0], reference=binned[1])
    for measure, distance in judged.items():
        into.append(_compared(mine, measure, distance, p_value, holds=present, before=before))
    share = mine.missing / np.maximum(mine.rows, 1.0) - missing / np.maximum(before, 1.0)
    counts = [np.stack([part, of - part], axis=1) for part, of in ((mine.missing, mine.rows), (missing, before))]
    p_missing = distances.homogeneity_p(counts[0], reference=counts[1])
    there = (mine.rows > 0) & (before > 0) & enough
    into.append(_compared(mine, "missing_share", np.abs(share), p_missing, holds=there, before=before))
    return {name: np.where(present, values, np.nan) for name, values in further.items()}


def _summed(values: Floats, *, over: Sums) -> Floats:
    """``values`` by batch, added up over the reference of each batch."""
    total: Floats = np.asarray(over @ values)
    return total


def _compared(
    series: ColumnSeries, measure: str, found: Floats, p_value: Floats, *, holds: Flags, before: Floats
) -> _Compared:
    return _Compared(
        series=series,
        measure=measure,
        found=np.where(holds, found, np.nan),
        p_value=np.where(holds, p_value, np.nan),
        rows=series.rows,
        reference_rows=before,
    )


def _moments(series: ColumnSeries, *, rows: Ints, weights: Sums) -> dict[str, Floats]:
    """Mean shift in deviations of the reference, ratio of the deviations, and the reference's deviation."""
    count = series.rows - series.missing
    centre = float(np.average(series.mean, weights=count)) if count.sum() else 0.0
    mean = series.mean - centre
    total = np.maximum(_summed(count, over=weights), 1.0)
    of_reference = _summed(count * mean, over=weights) / total
    squares = _summed(series.squares + count * mean**2, over=weights) - total * of_reference**2
    deviation = np.sqrt(np.maximum(squares, 0.0) / np.maximum(total - 1.0, 1.0))
    deviation = np.where(deviation > _ROUNDING * np.abs(centre), deviation, 0.0)
    own = np.sqrt(series.squares / np.maximum(count - 1.0, 1.0))[rows]
    some = np.where(deviation > 0, deviation, np.nan)
    return {"deviation": deviation, "mean_shift": (mean[rows] - of_reference) / some, "deviation_ratio": own / some}


def _report(
    number: int,
    *,
    judging: _Judging,
    compared: Sequence[_Compared],
    raw: Mapping[str, Mapping[str, Floats]],
) -> DriftReport:
    """The verdicts on one batch, all comparisons together."""
    plan, at = judging.plan, int(np.searchsorted(judging.looked_at, number))
    found = np.array([each.found[at] for each in compared])
    p_value = np.array([each.p_value[at] for each in compared])
    rows = np.array([each.rows[at] for each in compared])
    batches = np.maximum(judging.chosen[at].sum(), 1)
    typical = np.array([each.reference_rows[at] for each in compared]) / batches
    testable = np.isfinite(found) & (rows >= plan.minimum_rows) & (typical >= plan.minimum_rows)
    back = judging.ordinal[number] - judging.ordinal[judging.looked_at]
    past = np.flatnonzero((back > 0) & (back <= plan.window))
    bounds = _bounds(compared, past=past, count=int(testable.sum()), plan=plan)
    testable &= np.isfinite(bounds)
    corrected = np.full(len(found), np.nan)
    corrected[testable] = holm(p_value[testable].tolist()) if testable.any() else ()
    shares = np.array([each.measure in _SHARES for each in compared])
    several = ~shares | (found * rows >= _FEWEST)
    moved = testable & (found > bounds) & (corrected < plan.false_alarm_rate) & several
    shifts = [
        _shift(each, at, bound=bounds[i], p_value=corrected[i], testable=testable[i], moved=moved[i], plan=plan)
        for i, each in enumerate(compared)
        if np.isfinite(found[i]) and (moved[i] or each.series.scope == OVERALL)
    ]
    return DriftReport(
        batch=judging.names[number],
        reference=tuple(name for name, used in zip(judging.names, judging.chosen[at], strict=True) if used),
        shifts=tuple(shifts),
        raw={
            column: {name: float(values[at]) for name, values in measures.items() if np.isfinite(values[at])}
            for column, measures in raw.items()
        },
        judged=int(testable.sum()),
    )


def _bounds(compared: Sequence[_Compared], *, past: Ints, count: int, plan: DriftPlan) -> Floats:
    """The bound of each comparison: declared, or learnt from its past; NaN where the past is too short."""
    least = np.array([LEAST_EFFECTS[each.measure] for each in compared])
    distance = np.stack([each.found[past] for each in compared]) if compared else np.zeros((0, len(past)))
    known = np.isfinite(distance)
    size = known.sum(axis=1)
    logs = np.where(known, np.log(np.maximum(np.where(known, distance, 1.0), least[:, None] * _SMALLEST)), 0.0)
    mean = logs.sum(axis=1) / np.maximum(size, 1)
    squares = np.where(known, (logs - mean[:, None]) ** 2, 0.0).sum(axis=1)
    deviation = np.sqrt(squares / np.maximum(size - 1, 1))
    reach = -stdtrit(np.maximum(size - 1, 1), plan.false_alarm_rate / max(count, 1))
    learnt = np.exp(np.minimum(mean + reach * deviation * np.sqrt(1 + 1 / np.maximum(size, 1)), 700.0))
    learnt = np.where([each.measure == "outside_share" for each in compared], least, learnt)
    bounds = np.where(size >= plan.minimum_past, np.maximum(learnt, least), np.nan)
    declared = [plan.bounds.get((each.series.column, each.measure)) for each in compared]
    return np.array([bound if told is None else told for bound, told in zip(bounds, declared, strict=True)])


def _shift(
    compared: _Compared, at: int, *, bound: float, p_value: float, testable: bool, moved: bool, plan: DriftPlan
) -> Shift:
    rows = int(compared.rows[at])
    why = "" if testable else f"{rows} rows, needs {plan.minimum_rows}"
    if not testable and rows >= plan.minimum_rows:
        why = f"fewer than {plan.minimum_past} earlier batches to learn from what is normal"
    return Shift(
        scope=compared.series.scope,
        column=compared.series.column,
        measure=compared.measure,
        found=float(compared.found[at]),
        bound=float(bound) if testable else None,
        p_value=float(p_value) if testable else None,
        rows=rows,
        reference_rows=int(compared.reference_rows[at]),
        verdict="moved" if moved else "normal" if testable else "insufficient data",
        why=why,
    )
