"""What an online store must hold to answer as the offline path would on one day: computed here, stored
elsewhere.

The values are rolled up by the same code as in training (``features/roll_up.py``), for every entity that was seen
in the longest window before ``as_of``. As-of views give their rows from ``max_age`` before that day on;
static views all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import AsOfView
from mlops_assets.contract.history import HistoryView
from mlops_assets.features.relations import entity_column
from mlops_assets.features.roll_up import EPOCH, Totals, read_totals, roll_up
from mlops_assets.features.sql import compute, microseconds, quoted
from mlops_assets.features.training_view import refuse_repeats, value_columns


@dataclass(frozen=True, kw_only=True)
class OnlineHistory:
    """One history view as of a day: row ``i`` of ``values`` (float64, NaN = unknown) belongs to
    ``entities[i]``.
    """

    name: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    entities: list[str]
    values: NDArray[np.float64]


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
    totals = read_totals(connection, views=history, asked=(as_of, as_of)) if history else []
    return OnlineView(
        as_of=as_of,
        history=tuple(_history(known, view, as_of) for known, view in zip(totals, history, strict=True)),
        side=tuple(_side_data(connection, view, as_of) for view in asof),
    )


def _history(totals: Totals, view: HistoryView, as_of: date) -> OnlineHistory:
    days = np.full(len(totals.entities), (as_of - EPOCH).days, dtype=np.int64)
    rolled = roll_up(totals, view=view, entities=totals.entities, days=days)
    values = np.column_stack(list(rolled.values())) if rolled else np.empty((len(days), 0))
    return OnlineHistory(
        name=view.name,
        keys=view.keys,
        columns=tuple(rolled),
        entities=totals.entities.to_pylist(),
        values=np.ascontiguousarray(values, dtype=np.float64),
    )


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
