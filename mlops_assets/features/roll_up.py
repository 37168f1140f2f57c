"""Rolling aggregates up to any day or minute: exact sums over the days ``[D - w, D - 1]``, or minutes alike, for any
entities and moments.

The rows of a view are sorted by (entity, day), or by minute where it has windows of hours, and summed once from the
start; a window's sum is then the difference of two prefix sums. Where in the sorted rows a window begins and ends is
read from a table with one place per entity and time, or found by binary search where such a table would be out of
proportion. All sums are 64-bit integers, so neither the order of arrival nor the number of threads can move a bit.
Training, batch scoring and the online store all roll up through this module.
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

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.history import HistoryFeature, HistoryView
from mlops_assets.features.entity_codes import PLACES_PER_ROW, Integers, codes_among, distinct
from mlops_assets.features.history import KNOWN_AT
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
MINUTES, MINUTES_A_DAY = 60, 1440
"""Of an hour, of a day."""
MICROSECONDS = 60_000_000
"""Of a minute."""
_ROWS_AT_ONCE = 500_000
_STRETCH = "history_of_the_days_asked_for"


@dataclass(frozen=True, eq=False, kw_only=True)
class Totals:
    """One view's history, sorted by entity code and time.

    Times are whole days, or minutes of which there are ``a_day``, since 1970. ``places`` are the rows' (entity, time)
    as one integer, ``span`` places to an entity, of which the first is the time ``first``. ``prefixes`` hold, per
    measure that adds up, the sums of the first 0, 1, 2 … rows; ``others`` the measures that do not (minima, maxima,
    bits), with one neutral element more.
    """

    entities: pa.Array
    places: Integers
    first: int
    span: int
    a_day: int
    prefixes: Mapping[str, Integers]
    others: Mapping[str, Integers]

    @cached_property
    def codes(self) -> Integers:
        """The entity of every row, by its place among ``entities``."""
        return self.places // self.span

    @cached_property
    def times(self) -> Integers:
        """The time of every row."""
        return self.places % self.span + self.first

    def rows_before(self, codes: Integers, times: Integers) -> Integers:
        """How many rows stand before each (entity, time); ``len(entities)`` is the code of the unknown."""
        asked = codes * self.span + np.clip(times - self.first, 0, self.span - 1)
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

    Windows that end at the same times share the sums up to there, ``_up_to_high``. ``whole_days`` says that they are of
    days.
    """

    totals: Totals
    low: Integers
    high: Integers
    asked: Integers
    whole_days: bool
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
        if not self.whole_days:
            raise FeatureError("Days since the last one are of windows of days: a window of hours has none.")
        if not len(self.totals.places):
            return np.full(len(self.asked), np.nan)
        a_day = self.totals.a_day
        return np.where(self.seen, self.asked // a_day - self.totals.times[self.high - 1] // a_day, np.nan)

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


def to_minutes(moments: pa.Array | pa.ChunkedArray) -> Integers:
    """Minutes since 1970-01-01 of timestamps (cut down to their minute). NULL is not allowed."""
    exact = pc.cast(pc.cast(moments, pa.timestamp("us"), safe=False), pa.int64())
    return np.asarray(exact, dtype=np.int64) // MICROSECONDS


def from_day(day: int) -> date:
    """The date that is ``day`` days after 1970-01-01."""
    return date.fromordinal(EPOCH.toordinal() + day)


def read_totals(
    connection: duckdb.DuckDBPyConnection,
    *,
    views: Sequence[HistoryView],
    history: str = "history",
    asked: tuple[date, date] | None = None,
    later: bool = False,
) -> list[Totals]:
    """What the relation ``history`` holds of each of ``views`` that can reach into a window.

    ``asked`` are the first and the last day of prediction; without them everything is read. With ``later``, views by
    the minute are read to their end: they are asked about moments of later days, too. The files behind ``history``, one
    per batch, are opened once for all views. An entity's day may stand in several rows (one per
    batch): they add up in any window that holds it.
    """
    within, days = "", {}
    if asked is not None:
        longest = timedelta(days=max((view.longest for view in views), default=0))
        within, days = "WHERE known_on >= $first AND known_on < $last", {"first": asked[0] - longest, "last": asked[1]}
        if any(view.by_minute for view in views):
            _refuse_unknown_moments(connection, views, history=history)
            within = "WHERE known_on >= $first AND (known_on < $last OR known_at IS NOT NULL AND known_on <= $until)"
            days["until"] = date.max if later else asked[1]
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_STRETCH} AS FROM {quoted(history)} {within}", days)
    totals = [_totals(connection, view) for view in views]
    connection.execute(f"DROP TABLE {_STRETCH}")
    return totals


def _refuse_unknown_moments(
    connection: duckdb.DuckDBPyConnection, views: Sequence[HistoryView], *, history: str
) -> None:
    """Raises FeatureError for rows that were aggregated before their view had hours."""
    names = [view.name for view in views if view.by_minute]
    unknown = (
        KNOWN_AT not in connection.sql(f"FROM {quoted(history)}").columns
        or connection.execute(
            f"SELECT view FROM {quoted(history)} WHERE view IN (SELECT unnest($names)) AND {KNOWN_AT} IS NULL LIMIT 1",
            {"names": names},
        ).fetchone()
    )
    if unknown:
        raise FeatureError(
            f"History of {', '.join(names)} was made before there were windows of hours, and does not say at which "
            "moment something became known: materialise history again."
        )


def _totals(connection: duckdb.DuckDBPyConnection, view: HistoryView) -> Totals:
    """The rows of one view of the stretch that was read."""
    measures = _measures(view)
    columns = ", ".join(["entity", view.known, *(quoted(name) for name in measures)])
    reader = connection.sql(
        f"SELECT {columns} FROM {_STRETCH} WHERE view = $view", params={"view": view.name}
    ).to_arrow_reader(_ROWS_AT_ONCE)
    codes: dict[str, int] = {}
    parts = [_part(batch, measures=measures, codes=codes, known=view.known) for batch in reader]
    times = _joined(parts, view.known)
    earliest, span = (int(times.min()), int(times.max() - times.min()) + 2) if len(times) else (0, 1)
    places = _joined(parts, "entity") * span + times - earliest
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
        a_day=MINUTES_A_DAY if view.by_minute else 1,
        prefixes=prefixes,
        others=others,
    )


def _part(
    batch: pa.RecordBatch, *, measures: Mapping[str, str], codes: dict[str, int], known: str
) -> dict[str, Integers]:
    """The batch as NumPy arrays; ``codes`` learns entities."""
    coded = pc.dictionary_encode(batch.column("entity"))
    learnt = [codes.setdefault(entity, len(codes)) for entity in coded.dictionary.to_pylist()]
    own = np.array(learnt, dtype=np.int64)[np.asarray(coded.indices)]
    times = to_minutes if known == KNOWN_AT else to_days
    part = {"entity": own, known: times(batch.column(known))}
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


def roll_up(
    totals: Totals, *, view: HistoryView, entities: pa.Array, days: Integers, minutes: Integers | None = None
) -> dict[str, Floats]:
    """The columns of ``view`` for each entity at its time of prediction: float64, NaN where unknown.

    ``entities`` are texts, or texts by dictionary. Windows of days end before ``days``, those of hours before
    ``minutes``, or the start of the day where there are none.
    """
    codes = codes_among(totals.entities, entities)
    rolled: dict[str, Floats] = {}
    if by_day := list(view.day_columns()):
        rolled |= _rolled(totals, by_day, codes=codes, ends=days * totals.a_day, unit=totals.a_day)
    if by_hour := list(view.hour_columns()):
        ends = days * MINUTES_A_DAY if minutes is None else minutes
        rolled |= _rolled(totals, by_hour, codes=codes, ends=ends, unit=MINUTES)
    return rolled


def _rolled(
    totals: Totals, columns: Sequence[tuple[str, HistoryFeature, int]], *, codes: Integers, ends: Integers, unit: int
) -> dict[str, Floats]:
    """Windows of one kind: each ends before ``ends`` and is so many times ``unit`` long."""
    known, asked, row_of = _distinct_pairs(codes, ends)  # many rows ask the same
    high = totals.rows_before(known, asked)
    shared: dict[str, Integers] = {}
    whole_days = unit == totals.a_day
    windows = {
        length: Window(totals, totals.rows_before(known, asked - length * unit), high, asked, whole_days, shared)
        for length in sorted({length for _, _, length in columns})
    }
    rolled = np.empty((len(columns), len(ends)))
    with np.errstate(invalid="ignore"):
        for row, (_, feature, length) in zip(rolled, columns, strict=True):
            np.take(feature.over(windows[length]), row_of, out=row, mode="clip")  # other modes make a copy first
    return {name: row for row, (name, _, _) in zip(rolled, columns, strict=True)}


def _distinct_pairs(codes: Integers, times: Integers) -> tuple[Integers, Integers, Integers]:
    """The different pairs (entity, time), and for every row which of them it asks for."""
    if not len(times):
        return codes, times, codes
    first, span = int(times.min()), int(times.max() - times.min()) + 1
    found, row_of = distinct(codes * span + times - first)
    return found // span, found % span + first, row_of


def nan_as_null(values: Floats) -> pa.Array:
    """``values`` as a float64 column without a copy of them: NULL where they are NaN."""
    known = np.packbits(~np.isnan(values), bitorder="little")
    return pa.Array.from_buffers(pa.float64(), len(values), [pa.py_buffer(known), pa.py_buffer(values)])


def _measures(view: HistoryView) -> dict[str, str]:
    """Which measures the features need, and by which SQL aggregate their rows merge."""
    return {name: feature.merge for feature in view.features for name in feature.measures}
