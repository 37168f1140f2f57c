"""The one table as arrays: what a metric was in every scope, day and hour, and on which scale it is judged.

What is usual on that scale is in ``usual.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.arrays import Floats, Ints

Scale = Literal["share", "number", "positive", "correlation"]
"""What is between 0 and 1 by the arcsine of its root, which stays calm near 0 where log odds of a day without one
positive would not; any number as it is; what is above 0 by its logarithm; correlations by Fisher's z.
"""
HOURS, UNTIMED = 24, 0
"""Hours of a day; the ordinal that rows without a time have."""
_LEAST = 1e-6


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric: sums ``value`` and ``n`` of shape (scopes, days, hours), of ``days`` that are ordinals, ascending."""

    scopes: tuple[str, ...]
    days: Ints
    value: Floats
    n: Floats

    def of(self, scopes: tuple[str, ...]) -> Series:
        """The same of these scopes; one that has no rows is 0 of 0."""
        place = {scope: number for number, scope in enumerate(self.scopes)}
        rows = [place.get(scope, -1) for scope in scopes]
        value, n = (np.concatenate([each, np.zeros_like(each[:1])])[rows] for each in (self.value, self.n))
        return replace(self, scopes=scopes, value=value, n=n)

    def daily(self) -> Series:
        """One hour for the whole day."""
        return replace(self, value=self.value.sum(2, keepdims=True), n=self.n.sum(2, keepdims=True))

    def over(self, days: int) -> Series:
        """Of each day, the sum of it and those before it, ``days`` in all."""
        return replace(self, value=_trailing(self.value, days), n=_trailing(self.n, days))

    def less(self, other: Series) -> Series:
        """The rows of ``self`` (of one scope, or of as many) that are not in ``other``."""
        rest = replace(other, value=self.value - other.value, n=np.maximum(self.n - other.n, 0))
        return replace(rest, value=np.where(rest.n > 0, rest.value, 0.0))


def series(table: pa.Table, *, metric: str, days: Ints) -> Series:
    """The rows of ``metric`` in ``table`` (METRICS) as arrays over ``days``."""
    table = table.filter(pc.equal(table["metric"], metric))
    scopes = tuple(sorted(pc.unique(table["scope"]).to_pylist()))
    day, hour = _moments(table)
    code = np.asarray(pc.index_in(table["scope"], value_set=pa.array(scopes, pa.string())), dtype=np.int64)
    kept = np.isin(day, days)
    shape = (len(scopes), len(days), HOURS)
    cell = (code * len(days) + np.searchsorted(days, day)) * HOURS + hour
    sums = [
        np.bincount(cell[kept], weights=table[name].to_numpy()[kept], minlength=int(np.prod(shape)))
        .astype(np.float64)
        .reshape(shape)
        for name in ("value", "n")
    ]
    return Series(scopes=scopes, days=days, value=sums[0], n=sums[1])


def ordinals(table: pa.Table) -> Ints:
    """Of all days that have rows, ascending; ``UNTIMED`` of rows that have no hour."""
    return np.unique(_moments(table)[0])


def up_to(table: pa.Table, *, day: date, until: datetime) -> pa.Table:
    """The rows up to the judged day; if it is not over, those of every day before that hour. All without an hour."""
    end = datetime.combine(day, datetime.min.time()) + timedelta(days=1)
    kept = pc.less(table["hour"], pa.scalar(end, pa.timestamp("us")))
    if until < end:
        kept = pc.and_(kept, pc.less(pc.hour(table["hour"]), until.hour))
    return table.filter(pc.fill_null(kept, True))


def _moments(table: pa.Table) -> tuple[Ints, Ints]:
    moment = table["hour"].to_numpy().astype("datetime64[h]")
    day = moment.astype("datetime64[D]")
    untimed = np.isnat(moment)
    ordinal = np.where(untimed, UNTIMED, day.astype(np.int64) + date(1970, 1, 1).toordinal())
    return ordinal, np.where(untimed, 0, (moment - day).astype(np.int64))


def to_scale(value: Floats, *, n: Floats, scale: Scale) -> Floats:
    """Sums as figures on their scale; NaN where there are no rows."""
    with np.errstate(invalid="ignore", divide="ignore"):
        figure = np.where(n > 0, value / n, np.nan)
        if scale == "share":
            return np.asarray(np.arcsin(np.sqrt(np.clip(figure, 0, 1))))
        if scale == "correlation":
            return np.asarray(np.arctanh(np.clip(figure, _LEAST - 1, 1 - _LEAST)))
        return np.log(np.maximum(figure, _LEAST)) if scale == "positive" else figure


def from_scale(level: float, *, scale: Scale) -> float:
    """The figure that has that level."""
    if scale == "share":
        return float(np.square(np.sin(np.clip(level, 0, np.pi / 2))))
    if scale == "correlation":
        return float(np.tanh(level))
    return float(np.exp(level)) if scale == "positive" else level


def sampling(n: Floats, *, a_row: float, scale: Scale) -> Floats:
    """The variance that ``n`` independent rows give a figure; infinite without rows.

    ``a_row`` is the variance of one row, of a share in units of p (1 - p): on its scale that is a quarter for any p.
    """
    each = a_row / 4 if scale == "share" else a_row
    return np.where(n > 0, each / np.maximum(n, 1), np.inf)


def _trailing(sums: Floats, days: int) -> Floats:
    total = np.cumsum(sums, axis=1)
    total[:, days:] = total[:, days:] - total[:, :-days]
    return total
