"""What a batch is compared with: which batches are its reference, and which of them are too odd to be in it.

One storm in the merge of four weeks makes every calm day look far from it, and so widens what is usual as much as if
the storm itself were counted: the masking of outliers by one another (P. J. Rousseeuw, M. Hubert, "Robust statistics
for outlier detection", WIREs Data Mining 1, 2011). So the few batches that alarmed in a column and are farthest from
all others are left out of its reference; where more than a few did, the rest of them is what is usual, and stays.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import numpy as np

from mlops_assets.contract.drift import LEAST_EFFECTS, DriftPlan
from mlops_assets.contract.periods import Period
from mlops_assets.watch.profiles.bounds import few_odd
from mlops_assets.watch.profiles.cells import Flags, Floats, Ints
from mlops_assets.watch.profiles.measures import Referred, measure_series
from mlops_assets.watch.profiles.series import ColumnSeries


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


def ordinals(names: Sequence[str]) -> Ints:
    """Days as day numbers; batches with other names by their place."""
    if all(map(Period.DAY.is_name, names)):
        return np.array([date.fromisoformat(name).toordinal() for name in names], dtype=np.int64)
    return np.arange(len(names), dtype=np.int64)


def without_farthest(chosen: Flags, *, rows: Ints, whole: ColumnSeries, odd: Flags, minimum: int) -> Flags:
    """(rows, batches): the ``chosen`` references (batches, batches) of these ``rows``, each without the few ``odd``
    batches that were farthest from their own, by the ``whole`` column; at least ``minimum`` stay.
    """
    base = chosen[rows]
    if not base[:, odd].any():
        return base
    far = _effects(whole, odd=odd, chosen=chosen)
    order = np.argsort(np.where(base, -far[None, :], np.inf), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    size = base.sum(axis=1)
    most = np.clip(np.minimum(few_odd(size), size - minimum), 0, None)
    return np.asarray(base & ~((far[None, :] > 1.0) & (rank < most[:, None])))


def _effects(whole: ColumnSeries, *, odd: Flags, chosen: Flags) -> Floats:
    """How far each odd batch is from the batches before it that are not, in least effects; 0 of the others."""
    rows = np.flatnonzero(odd)
    others = chosen[rows] & ~odd
    referred = Referred.of(others, rows=rows, enough=np.asarray(others.any(axis=1)))
    compared = measure_series(whole, referred=referred).compared
    effects = np.stack([each.found / LEAST_EFFECTS[each.measure] for each in compared])
    far = np.zeros(len(odd))
    far[rows] = np.nan_to_num(effects, nan=0.0).max(axis=0)
    return far
