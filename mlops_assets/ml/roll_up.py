"""Rolling daily aggregates up to any day: exact sums over the days ``[D - w, D - 1]`` for any entities and
days.

The rows of a view are sorted by (entity, day) and summed once from the start; a window's sum is then the
difference of two prefix sums, found by binary search. All sums are 64-bit integers, so neither the order of
arrival nor the number of threads can move a bit. Training, batch scoring and the online store all roll up
through this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.ml.features import quoted
from mlops_assets.ml.history import HistoryView

EPOCH = date(1970, 1, 1)
NEUTRAL = {
    "sum": 0,
    "min": np.iinfo(np.int64).max,
    "max": np.iinfo(np.int64).min,
}  # what a NULL measure counts as
_ROWS_AT_ONCE = 500_000
_DAYS = 1 << 22  # a day and a window added to it fit below this, so (entity code, day) is one sortable integer
_SHIFT = 1 << 20  # keeps days before 1970 positive


@dataclass(frozen=True, kw_only=True)
class Totals:
    """One view's history, sorted by ``position``: entity code and day as one integer.

    ``prefixes`` hold, per measure that adds up, the sums of the first 0, 1, 2 … rows; ``extremes`` the daily
    minima and maxima, with one neutral element more.
    """

    entities: pa.Array
    position: NDArray[np.int64]
    prefixes: Mapping[str, NDArray[np.int64]]
    extremes: Mapping[str, NDArray[np.int64]]

    @property
    def last_known_on(self) -> date | None:
        """The last day in this history, ``None`` when it is empty."""
        if not len(self.position):
            return None
        return from_day(int((self.position % _DAYS).max()) - _SHIFT)


@dataclass(frozen=True, eq=False)
class Window:
    """For every row asked for: the stretch of ``totals``, ``low`` up to ``high``, in its window."""

    totals: Totals
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    asked: NDArray[np.int64]
    _sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def total(self, measure: str) -> NDArray[np.float64]:
        """The sum of ``measure``; NaN where the entity was not seen. Exact up to 2^53. Made once."""
        if measure not in self._sums:
            prefix = self.totals.prefixes[measure]
            self._sums[measure] = np.where(self.seen, prefix[self.high] - prefix[self.low], np.nan)
        return self._sums[measure]

    def days_since_last(self) -> NDArray[np.float64]:
        """Days from the last row in the window to the day asked for; NaN where the entity was not seen."""
        if not len(self.totals.position):
            return np.full(len(self.asked), np.nan)
        return np.where(self.seen, self.asked - self.totals.position[self.high - 1], np.nan)

    def extreme(self, measure: str, merge: str) -> NDArray[np.float64]:
        """The smallest (``min``) or largest (``max``) of ``measure``; NaN where the entity has none in the
        window.
        """
        found = np.full(len(self.asked), np.nan)
        if self.seen.any():
            edges = np.column_stack((self.low[self.seen], self.high[self.seen])).ravel()
            best = (np.minimum if merge == "min" else np.maximum).reduceat(self.totals.extremes[measure], edges)[::2]
            found[self.seen] = np.where(best == NEUTRAL[merge], np.nan, best)
        return found

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """True where the window holds at least one row."""
        return self.high > self.low


def to_days(dates: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Days since 1970-01-01 of dates or timestamps (cut down to their day). NULL is not allowed."""
    days = pc.cast(pc.cast(dates, pa.date32(), safe=False), pa.int32())
    return np.asarray(days, dtype=np.int64)


def from_day(day: int) -> date:
    """The date that is ``day`` days after 1970-01-01."""
    return date.fromordinal(EPOCH.toordinal() + day)


def read_totals(
    connection: duckdb.DuckDBPyConnection,
    *,
    view: HistoryView,
    history: str = "history",
    first: date = date.min,
    before: date = date.max,
) -> Totals:
    """The rows that the relation ``history`` holds of ``view``, known from ``first`` on and before ``before``.

    An entity's day may stand in several rows (one per batch): they add up in any window that holds the day.
    """
    measures = _measures(view)
    columns = ", ".join(["entity", "known_on", *(quoted(name) for name in measures)])
    reader = connection.sql(
        f"SELECT {columns} FROM {quoted(history)} WHERE view = $view AND known_on >= $first AND known_on < $before",
        params={"view": view.name, "first": first, "before": before},
    ).to_arrow_reader(_ROWS_AT_ONCE)
    codes: dict[str, int] = {}
    parts = [_part(batch, measures=measures, codes=codes) for batch in reader]
    position = _joined(parts, "position")
    order = np.argsort(position)
    prefixes, extremes = {}, {}
    for name, merge in measures.items():  # a copy of one column at a time: histories can be large
        values = np.append(_joined(parts, name)[order], NEUTRAL[merge])
        if merge == "sum":
            prefixes[name] = np.roll(np.cumsum(values), 1)
            prefixes[name][0] = 0
        else:
            extremes[name] = values
    return Totals(entities=pa.array(codes, pa.string()), position=position[order], prefixes=prefixes, extremes=extremes)


def _part(batch: pa.RecordBatch, *, measures: Mapping[str, str], codes: dict[str, int]) -> dict[str, NDArray[np.int64]]:
    """The batch as NumPy arrays of their own, so that DuckDB's memory is given back; ``codes`` learns entities."""
    coded = pc.dictionary_encode(batch.column("entity"))
    learnt = [codes.setdefault(entity, len(codes)) for entity in coded.dictionary.to_pylist()]
    own = np.array(learnt, dtype=np.int64)[np.asarray(coded.indices)]
    part = {"position": _position(own, to_days(batch.column("known_on")))}
    for name, merge in measures.items():
        part[name] = np.array(pc.fill_null(batch.column(name), NEUTRAL[merge]), dtype=np.int64)
    return part


def _joined(parts: Sequence[dict[str, NDArray[np.int64]]], name: str) -> NDArray[np.int64]:
    """One column of all parts, which let it go."""
    return np.concatenate([np.empty(0, np.int64), *(part.pop(name) for part in parts)])


def roll_up(
    totals: Totals, *, view: HistoryView, entities: pa.Array, days: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """The columns of ``view`` for each pair (entity, day of prediction): float64, NaN where unknown."""
    codes = pc.index_in(entities, value_set=totals.entities)
    known = np.asarray(pc.fill_null(codes, -1), dtype=np.int64)
    asked, row_of = np.unique(_position(known, days), return_inverse=True)  # many rows ask the same
    high = np.searchsorted(totals.position, asked)
    windows = {
        length: Window(totals, np.searchsorted(totals.position, asked - length), high, asked)
        for length in sorted({length for _, _, length in view.columns()})
    }
    with np.errstate(invalid="ignore"):
        return {name: feature.over(windows[length])[row_of] for name, feature, length in view.columns()}


def _position(codes: NDArray[np.int64], days: NDArray[np.int64]) -> NDArray[np.int64]:
    return codes * _DAYS + days + _SHIFT


def _measures(view: HistoryView) -> dict[str, str]:
    """Which measures the features need, and by which SQL aggregate their rows merge."""
    merges: dict[str, str] = {}
    for feature in view.features:
        for role in ("of", "per", "squares"):
            if name := getattr(feature, role, None):
                merges[name] = feature.merge
    return merges
