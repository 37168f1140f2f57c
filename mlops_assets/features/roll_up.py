"""Rolling daily aggregates up to any day: exact sums over the days ``[D - w, D - 1]`` for any entities and
days.

The rows of a view are sorted by (entity, day) and summed once from the start; a window's sum is then the
difference of two prefix sums. Where in the sorted rows a window begins and ends is read from a table with one
place per entity and day, or found by binary search where such a table would be out of proportion. All sums are
64-bit integers, so neither the order of arrival nor the number of threads can move a bit. Training, batch scoring
and the online store all roll up through this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.history import HistoryView
from mlops_assets.features.entity_codes import PLACES_PER_ROW, Integers, codes_among, distinct
from mlops_assets.features.sql import quoted

Floats = NDArray[np.float64]

EPOCH = date(1970, 1, 1)
NEUTRAL = {
    "sum": 0,
    "min": np.iinfo(np.int64).max,
    "max": np.iinfo(np.int64).min,
    "or": 0,
}  # what a NULL measure counts as
_REDUCE = {"min": np.minimum, "max": np.maximum, "or": np.bitwise_or}
_ROWS_AT_ONCE = 500_000
_STRETCH = "history_of_the_days_asked_for"


@dataclass(frozen=True, eq=False, kw_only=True)
class Totals:
    """One view's history, sorted by entity code and day.

    ``places`` are the rows' (entity, day) as one integer, ``span`` places to an entity, of which the first is the day
    ``first``. ``prefixes`` hold, per measure that adds up, the sums of the first 0, 1, 2 … rows; ``others`` the
    measures that do not (minima, maxima, bits), with one neutral element more.
    """

    entities: pa.Array
    places: Integers
    first: int
    span: int
    prefixes: Mapping[str, Integers]
    others: Mapping[str, Integers]

    @cached_property
    def days(self) -> Integers:
        """The day of every row."""
        return self.places % self.span + self.first

    def rows_before(self, codes: Integers, days: Integers) -> Integers:
        """How many rows stand before each (entity, day); ``len(entities)`` is the code of the unknown."""
        asked = codes * self.span + np.clip(days - self.first, 0, self.span - 1)
        size = (len(self.entities) + 1) * self.span
        if size > PLACES_PER_ROW * (len(self.places) + len(asked)):
            return np.searchsorted(self.places, asked)
        return self._table[asked]

    @cached_property
    def _table(self) -> Integers:
        size = (len(self.entities) + 1) * self.span
        counts = np.bincount(self.places, minlength=size)
        return np.cumsum(counts) - counts


@dataclass(frozen=True, eq=False)
class Window:
    """For every row asked for: the stretch of ``totals``, ``low`` up to ``high``, in its window.

    Windows that end on the same days share the sums up to there, ``_up_to_high``.
    """

    totals: Totals
    low: Integers
    high: Integers
    asked: Integers
    _up_to_high: dict[str, Integers]
    _sums: dict[str, Floats] = field(default_factory=dict)

    def total(self, measure: str) -> Floats:
        """The sum of ``measure``; NaN where the entity was not seen. Exact up to 2^53. Made once."""
        if measure not in self._sums:
            prefix = self.totals.prefixes[measure]
            if measure not in self._up_to_high:
                self._up_to_high[measure] = prefix[self.high]
            self._sums[measure] = np.where(self.seen, self._up_to_high[measure] - prefix[self.low], np.nan)
        return self._sums[measure]

    def days_since_last(self) -> Floats:
        """Days from the last row in the window to the day asked for; NaN where the entity was not seen."""
        if not len(self.totals.places):
            return np.full(len(self.asked), np.nan)
        return np.where(self.seen, self.asked - self.totals.days[self.high - 1], np.nan)

    def extreme(self, measure: str, merge: str) -> Floats:
        """The smallest (``min``) or largest (``max``) of ``measure``; NaN where the entity has none in the
        window.
        """
        best = self.merged(measure, merge)
        return np.where(best == NEUTRAL[merge], np.nan, best)

    def merged(self, measure: str, merge: str) -> Integers:
        """``measure`` merged over the window; the merge's neutral element where the entity was not seen."""
        found = np.full(len(self.asked), NEUTRAL[merge], dtype=np.int64)
        if self.seen.any():
            edges = np.column_stack((self.low[self.seen], self.high[self.seen])).ravel()
            found[self.seen] = _REDUCE[merge].reduceat(self.totals.others[measure], edges)[::2]
        return found

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """True where the window holds at least one row."""
        return self.high > self.low


def to_days(dates: pa.Array | pa.ChunkedArray) -> Integers:
    """Days since 1970-01-01 of dates or timestamps (cut down to their day). NULL is not allowed."""
    days = pc.cast(pc.cast(dates, pa.date32(), safe=False), pa.int32())
    return np.asarray(days, dtype=np.int64)


def from_day(day: int) -> date:
    """The date that is ``day`` days after 1970-01-01."""
    return date.fromordinal(EPOCH.toordinal() + day)


def read_totals(
    connection: duckdb.DuckDBPyConnection,
    *,
    views: Sequence[HistoryView],
    history: str = "history",
    asked: tuple[date, date] | None = None,
) -> list[Totals]:
    """What the relation ``history`` holds of each of ``views`` that can reach into a window.

    ``asked`` are the first and the last day of prediction; without them everything is read. The files behind
    ``history``, one per batch, are opened once for all views. An entity's day may stand in several rows (one per
    batch): they add up in any window that holds it.
    """
    within, days = "", {}
    if asked is not None:
        longest = timedelta(days=max((view.longest for view in views), default=0))
        within, days = "WHERE known_on >= $first AND known_on < $last", {"first": asked[0] - longest, "last": asked[1]}
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_STRETCH} AS FROM {quoted(history)} {within}", days)
    totals = [_totals(connection, view) for view in views]
    connection.execute(f"DROP TABLE {_STRETCH}")
    return totals


def _totals(connection: duckdb.DuckDBPyConnection, view: HistoryView) -> Totals:
    """The rows of one view of the stretch that was read."""
    measures = _measures(view)
    columns = ", ".join(["entity", "known_on", *(quoted(name) for name in measures)])
    reader = connection.sql(
        f"SELECT {columns} FROM {_STRETCH} WHERE view = $view", params={"view": view.name}
    ).to_arrow_reader(_ROWS_AT_ONCE)
    codes: dict[str, int] = {}
    parts = [_part(batch, measures=measures, codes=codes) for batch in reader]
    days = _joined(parts, "known_on")
    earliest, span = (int(days.min()), int(days.max() - days.min()) + 2) if len(days) else (0, 1)
    places = _joined(parts, "entity") * span + days - earliest
    order = np.argsort(places)
    prefixes, others = {}, {}
    for name, merge in measures.items():  # a copy of one column at a time: histories can be large
        values = _joined(parts, name)
        if merge == "sum":
            prefixes[name] = _running(values[order])
        else:
            others[name] = np.append(values[order], NEUTRAL[merge])
    return Totals(
        entities=pa.array(codes, pa.string()),
        places=places[order],
        first=earliest,
        span=span,
        prefixes=prefixes,
        others=others,
    )


def _part(batch: pa.RecordBatch, *, measures: Mapping[str, str], codes: dict[str, int]) -> dict[str, Integers]:
    """The batch as NumPy arrays; ``codes`` learns entities."""
    coded = pc.dictionary_encode(batch.column("entity"))
    learnt = [codes.setdefault(entity, len(codes)) for entity in coded.dictionary.to_pylist()]
    own = np.array(learnt, dtype=np.int64)[np.asarray(coded.indices)]
    part = {"entity": own, "known_on": to_days(batch.column("known_on"))}
    for name, merge in measures.items():
        part[name] = np.asarray(pc.fill_null(batch.column(name), NEUTRAL[merge]), dtype=np.int64)
    return part


def _joined(parts: Sequence[dict[str, Integers]], name: str) -> Integers:
    """One column of all parts, which let it go."""
    return np.concatenate([np.empty(0, np.int64), *(part.pop(name) for part in parts)])


def _running(values: Integers) -> Integers:
    """The sums of the first 0, 1, 2 … values."""
    sums = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def roll_up(totals: Totals, *, view: HistoryView, entities: pa.Array, days: Integers) -> dict[str, Floats]:
    """The columns of ``view`` for each pair (entity, day of prediction): float64, NaN where unknown.

    ``entities`` are texts, or texts by dictionary.
    """
    codes = codes_among(totals.entities, entities)
    known, asked, row_of = _distinct_pairs(codes, days)  # many rows ask the same
    high = totals.rows_before(known, asked)
    columns = list(view.columns())
    shared: dict[str, Integers] = {}
    windows = {
        length: Window(totals, totals.rows_before(known, asked - length), high, asked, shared)
        for length in sorted({length for _, _, length in columns})
    }
    rolled = np.empty((len(columns), len(days)))
    with np.errstate(invalid="ignore"):
        for row, (_, feature, length) in zip(rolled, columns, strict=True):
            np.take(feature.over(windows[length]), row_of, out=row, mode="clip")  # other modes make a copy first
    return {name: row for row, (name, _, _) in zip(rolled, columns, strict=True)}


def _distinct_pairs(codes: Integers, days: Integers) -> tuple[Integers, Integers, Integers]:
    """The different pairs (entity, day), and for every row which of them it asks for."""
    if not len(days):
        return codes, days, codes
    first, span = int(days.min()), int(days.max() - days.min()) + 1
    found, row_of = distinct(codes * span + days - first)
    return found // span, found % span + first, row_of


def nan_as_null(values: Floats) -> pa.Array:
    """``values`` as a float64 column without a copy of them: NULL where they are NaN."""
    known = np.packbits(~np.isnan(values), bitorder="little")
    return pa.Array.from_buffers(pa.float64(), len(values), [pa.py_buffer(known), pa.py_buffer(values)])


def _measures(view: HistoryView) -> dict[str, str]:
    """Which measures the features need, and by which SQL aggregate their rows merge."""
    return {name: feature.merge for feature in view.features for name in feature.measures}
