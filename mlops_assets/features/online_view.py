"""What an online store must hold to answer as the offline path would on one day: computed here, stored
elsewhere.

The values are rolled up by the same code as in training (``features/roll_up.py``), for every entity that was seen
in the longest window before ``as_of``; figures over hours once for each minute in which they change, from the day
before ``as_of`` on. As-of views give their rows from ``max_age`` before that day on;
static views all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import AsOfView
from mlops_assets.contract.history import HistoryView
from mlops_assets.features.entity_codes import Integers
from mlops_assets.features.relations import entity_column
from mlops_assets.features.roll_up import EPOCH, MICROSECONDS, MINUTES, MINUTES_A_DAY, Totals, read_totals, roll_up
from mlops_assets.features.sql import compute, microseconds, quoted
from mlops_assets.features.training_view import refuse_repeats, value_columns

EARLIER = timedelta(days=1)
"""How long before the day of a store its figures over hours begin: for what is asked about late."""


@dataclass(frozen=True, kw_only=True)
class OnlineHistory:
    """One history view as of a day: row ``i`` of ``values`` (float64, NaN = unknown) belongs to ``entities[i]``.

    Of figures over hours it is what is true from ``observed[i]`` (microseconds) on, until the next row of the entity.
    """

    name: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    entities: list[str]
    values: NDArray[np.float64]
    observed: list[int] | None = None


@dataclass(frozen=True, kw_only=True)
class OnlineSideData:
    """One as-of view: ``values`` hold the columns as ``examples`` knows them; ``observed`` is NULL-free
    microseconds.

    ``observed`` is ``None`` for static data. ``delay`` and ``max_age`` are in microseconds.
    """

    name: str
    keys: tuple[str, ...]
    entities: list[str]
    observed: list[int] | None
    values: pa.Table
    delay: int
    max_age: int | None


@dataclass(frozen=True, kw_only=True)
class OnlineView:
    """Everything that serving looks up, as known at the start of ``as_of``."""

    as_of: date
    history: tuple[OnlineHistory, ...]
    side: tuple[OnlineSideData, ...]


def online_view(
    connection: duckdb.DuckDBPyConnection,
    *,
    as_of: date,
    history: Sequence[HistoryView] = (),
    asof: Sequence[AsOfView] = (),
) -> OnlineView:
    """Roll ``history`` up to ``as_of`` and collect the side data.

    ``connection`` holds the relation ``history`` (it is enough that it reaches back over the longest window)
    and the sources that the as-of views read. Side data later than ``as_of`` is kept: a look-up never goes
    past its moment.
    """
    earliest = as_of - EARLIER if any(view.by_minute for view in history) else as_of
    totals = read_totals(connection, views=history, asked=(earliest, as_of), later=True) if history else []
    parts = (_parts(known, view, as_of) for known, view in zip(totals, history, strict=True))
    return OnlineView(
        as_of=as_of,
        history=tuple(part for parts_of_view in parts for part in parts_of_view),
        side=tuple(_side_data(connection, view, as_of) for view in asof),
    )


def _parts(totals: Totals, view: HistoryView, as_of: date) -> Iterator[OnlineHistory]:
    """The figures over days, those over hours, or both."""
    if any(view.day_columns()):
        yield _of_day(totals, view, as_of)
    if view.by_minute:
        yield _by_minute(totals, view, as_of)


def _of_day(totals: Totals, view: HistoryView, as_of: date) -> OnlineHistory:
    days = np.full(len(totals.entities), (as_of - EPOCH).days, dtype=np.int64)
    names = [name for name, _, _ in view.day_columns()]
    values = _rolled(totals, view, names, entities=totals.entities, minutes=days * MINUTES_A_DAY)
    entities = totals.entities
    if view.by_minute:  # some entities were seen later only
        seen = ~np.isnan(values).all(axis=1)
        entities, values = entities.filter(pa.array(seen)), values[seen]
    return OnlineHistory(
        name=view.name, keys=view.keys, columns=tuple(names), entities=entities.to_pylist(), values=values
    )


def _by_minute(totals: Totals, view: HistoryView, as_of: date) -> OnlineHistory:
    """A row comes into every window in the minute after it became known, and leaves it its length later."""
    start = (as_of - EARLIER - EPOCH).days * MINUTES_A_DAY
    lengths = sorted({length for _, _, length in view.hour_columns()})
    after = np.concatenate([[0], np.array(lengths) * MINUTES]) + 1
    rows = np.flatnonzero(totals.times + after[-1] >= start)
    changed = np.maximum(totals.times[rows, None] + after, start)
    points = np.unique(np.column_stack([np.repeat(totals.codes[rows], len(after)), changed.ravel()]), axis=0)
    codes, minutes = points[:, 0], points[:, 1]
    entities = totals.entities.take(pa.array(codes))
    names = [name for name, _, _ in view.hour_columns()]
    return OnlineHistory(
        name=f"{view.name} by minute",
        keys=view.keys,
        columns=tuple(names),
        entities=entities.to_pylist(),
        values=_rolled(totals, view, names, entities=entities, minutes=minutes),
        observed=(minutes * MICROSECONDS).tolist(),
    )


def _rolled(
    totals: Totals, view: HistoryView, names: Sequence[str], *, entities: pa.Array, minutes: Integers
) -> NDArray[np.float64]:
    rolled = roll_up(totals, view=view, entities=entities, days=minutes // MINUTES_A_DAY, minutes=minutes)
    values = np.column_stack([rolled[name] for name in names]) if names else np.empty((len(minutes), 0))
    return np.ascontiguousarray(values, dtype=np.float64)


def _side_data(connection: duckdb.DuckDBPyConnection, view: AsOfView, as_of: date) -> OnlineSideData:
    name = f"asof_{view.name}"
    compute(connection, name, sql=view.sql)
    refuse_repeats(connection, view, relation=name)
    rows = connection.sql(f"FROM {quoted(name)}").to_arrow_table()
    if view.time_column is not None and view.max_age is not None:
        oldest = datetime.combine(as_of, time()) - view.max_age
        rows = rows.filter(pc.greater_equal(rows.column(view.time_column), pa.scalar(oldest, pa.timestamp("us"))))
    entities = entity_column(rows, view.keys)
    rows = rows.filter(pc.is_valid(entities))
    columns = value_columns(connection, view, relation=name)
    for column in columns:
        _refuse_type(rows.schema.field(column), view)
    return OnlineSideData(
        name=view.name,
        keys=view.keys,
        entities=entities.drop_null().to_pylist(),
        observed=_microseconds_of(rows, view.time_column),
        values=rows.select(columns).rename_columns([view.column(column) for column in columns]),
        delay=microseconds(view.delay),
        max_age=None if view.max_age is None else microseconds(view.max_age),
    )


def _microseconds_of(rows: pa.Table, time_column: str | None) -> list[int] | None:
    if time_column is None:
        return None
    moments: list[int] = pc.cast(pc.cast(rows.column(time_column), pa.timestamp("us")), pa.int64()).to_pylist()
    return moments


def _refuse_type(field: pa.Field, view: AsOfView) -> None:
    kind = field.type
    if not (pa.types.is_integer(kind) or pa.types.is_float64(kind) or pa.types.is_string(kind)):
        raise FeatureError(
            f"'{view.sql.name}' yields '{field.name}' as {kind}. "
            "Side data is whole numbers, DOUBLE or VARCHAR: cast it."
        )
