"""History views: the past of an entity as mergeable daily aggregates, and what features are made of them.

Here belong the declarations, the aggregation of one or many batches, and its long table: one row per batch,
view, entity and day on which something became KNOWN, with integer measures. Adding these rows up over a
window is in ``ml/features/roll_up.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.ml.errors import FeatureError
from mlops_assets.ml.features.declarations import KEY_SEPARATOR, Feature, Relation, compute_relations
from mlops_assets.ml.sql import quoted

if TYPE_CHECKING:
    from mlops_assets.ml.features.roll_up import Window

Merge = Literal["sum", "min", "max", "or"]
BITS = 62
"""Bits that one measure of a ``Distinct`` holds: a BIGINT's, without its sign and the one beside it."""

_DISTINCT_BITS = f"""
CREATE OR REPLACE TEMP MACRO distinct_bits(value, word, words) AS bit_or(
    CASE WHEN md5_number_lower(CAST(value AS VARCHAR)) // {BITS} % words = word
    THEN CAST(1 AS BIGINT) << CAST(md5_number_lower(CAST(value AS VARCHAR)) % {BITS} AS INTEGER) END
)"""
IDENTITY = ("batch", "view", "entity", "known_on")


@dataclass(frozen=True, kw_only=True)
class HistoryFeature:
    """One figure over a window of an entity's past. ``windows`` (days) overrides those of the view.

    ``merge`` is how the measures that it reads add up over rows and days.
    """

    merge: ClassVar[Merge] = "sum"
    name: str
    description: str
    windows: tuple[int, ...] = ()

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that it reads: its fields ``of``, ``per`` and ``squares``."""
        return tuple(name for role in ("of", "per", "squares") if (name := getattr(self, role, None)))

    def over(self, window: Window) -> NDArray[np.float64]:
        """The figure for every row of ``window``; NaN where nothing is known."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Count(HistoryFeature):
    """The sum of a measure that counts."""

    of: str

    def over(self, window: Window) -> NDArray[np.float64]:
        """The window's sum of ``of``."""
        return window.total(self.of)


@dataclass(frozen=True, kw_only=True)
class Mean(HistoryFeature):
    """``of`` divided by ``per``, both summed over the window; with a 0/1 measure this is a rate."""

    of: str
    per: str

    def over(self, window: Window) -> NDArray[np.float64]:
        """One division of two exact sums, hence independent of the order of arrival."""
        return window.total(self.of) / _positive(window.total(self.per))


@dataclass(frozen=True, kw_only=True)
class Deviation(HistoryFeature):
    """Standard deviation (of the population) from the sums of values and squares and the count."""

    of: str
    squares: str
    per: str

    def over(self, window: Window) -> NDArray[np.float64]:
        """sqrt(E[x²] - E[x]²), never below 0."""
        count = _positive(window.total(self.per))
        mean = window.total(self.of) / count
        return np.sqrt(np.maximum(window.total(self.squares) / count - mean * mean, 0.0))


@dataclass(frozen=True, kw_only=True)
class Recency(HistoryFeature):
    """Days from the last day on which the entity was seen to the day of prediction (1 = yesterday)."""

    def over(self, window: Window) -> NDArray[np.float64]:
        """At least 1, at most the window's length."""
        return window.days_since_last()


@dataclass(frozen=True, kw_only=True)
class Lowest(HistoryFeature):
    """The smallest daily value of a measure that is a minimum."""

    of: str
    merge: ClassVar[Merge] = "min"

    def over(self, window: Window) -> NDArray[np.float64]:
        """The window's minimum of ``of``."""
        return window.extreme(self.of, self.merge)


@dataclass(frozen=True, kw_only=True)
class Highest(HistoryFeature):
    """The largest daily value of a measure that is a maximum."""

    of: str
    merge: ClassVar[Merge] = "max"

    def over(self, window: Window) -> NDArray[np.float64]:
        """The window's maximum of ``of``."""
        return window.extreme(self.of, self.merge)


@dataclass(frozen=True, kw_only=True)
class Distinct(HistoryFeature):
    """About how many different values there were, by linear counting (Whang et al. 1990): the same in any order.

    Every value sets one of ``words * BITS`` bits, in the measures ``<of>_0``, ``<of>_1`` … that the view's SQL makes by
    ``distinct_bits(value, 0, words) AS <of>_0`` and so on. With n bits, the standard error is about 3 % for n / 2
    values and 248 bits, 7 % for 2n; when every bit is set, the figure is the highest that can be told.
    """

    of: str
    words: int = 4
    merge: ClassVar[Merge] = "or"

    @property
    def measures(self) -> tuple[str, ...]:
        """One measure per word."""
        return tuple(f"{self.of}_{word}" for word in range(self.words))

    def over(self, window: Window) -> NDArray[np.float64]:
        """-n ln(share of bits not set)."""
        bits = self.words * BITS
        counted = [bits * math.log(bits / max(bits - count, 1)) for count in range(bits + 1)]
        words = [np.bitwise_count(window.merged(name, self.merge)) for name in self.measures]
        return np.where(window.seen, np.array(counted)[np.sum(words, axis=0, dtype=np.int64)], np.nan)


@dataclass(frozen=True, kw_only=True)
class HistoryView:
    """The past of one kind of entity.

    ``sql`` reads the validated sources (each with a column ``batch``) and declared relations, and yields
    ``batch``, the ``keys``, ``known_on`` (DATE, the day on which the outcome became known) and integer
    measures (BIGINT).
    """

    name: str
    keys: tuple[str, ...]
    sql: Path
    windows: tuple[int, ...]
    features: tuple[HistoryFeature, ...]

    def columns(self) -> Iterator[tuple[str, HistoryFeature, int]]:
        """Name, feature and window (days) of every column that this view gives, e.g.
        ``carrier__late_rate_28d``.
        """
        for feature in self.features:
            for window in feature.windows or self.windows:
                yield f"{self.name}__{feature.name}_{window}d", feature, window

    @property
    def longest(self) -> int:
        """The longest window, in days."""
        return max(window for _, _, window in self.columns())


def history_features(views: Sequence[HistoryView], *, owner: str) -> tuple[Feature, ...]:
    """Every column of ``views`` declared as a numeric feature of the model."""
    return tuple(
        Feature(
            name=name,
            kind="numeric",
            owner=owner,
            description=f"{feature.description}, per {' and '.join(view.keys)}, over {_before(window)}.",
        )
        for view in views
        for name, feature, window in view.columns()
    )


def _before(days: int) -> str:
    return "the day before" if days == 1 else f"the {days} days before"


def daily_aggregates(
    connection: duckdb.DuckDBPyConnection, *, views: Sequence[HistoryView], relations: Sequence[Relation] = ()
) -> pa.Table:
    """The long history of whatever batches the connection's sources hold, sorted by batch, view, entity, day.

    The sources stand in ``connection`` under their names, each row with its ``batch``: one call serves one
    day or 181. Columns: batch, view, entity (keys joined by ``|``), known_on, then the measures of all views
    (NULL where a view lacks one). Rows with a NULL key belong to no entity and are left out.
    """
    compute_daily_aggregates(connection, views=views, relations=relations, into="daily_aggregates")
    return connection.sql(f"FROM daily_aggregates ORDER BY {', '.join(IDENTITY)}").to_arrow_table()


def compute_daily_aggregates(
    connection: duckdb.DuckDBPyConnection,
    *,
    views: Sequence[HistoryView],
    relations: Sequence[Relation] = (),
    into: str = "history",
) -> None:
    """The same rows in no order, left in ``connection`` as the temporary table ``into``: may be large."""
    compute_relations(connection, relations)
    connection.execute(_DISTINCT_BITS)
    for view in views:
        text = view.sql.read_text(encoding="utf-8")
        _run(connection, view, f"CREATE OR REPLACE TEMP VIEW {quoted(_name(view))} AS {text}")
        _check_columns(connection, view)
    parts = " UNION ALL BY NAME ".join(_long_rows(view) for view in sorted(views, key=lambda view: view.name))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(into)} AS {parts}")
    for view in views:
        _refuse_separator(connection, view, relation=into)


def split_by_batch(table: pa.Table, *, batches: Sequence[str]) -> Mapping[str, pa.Table]:
    """One table per batch, without the column ``batch``: the batch's own file. A batch may be empty.

    ``table`` is sorted by batch, as ``daily_aggregates`` gives it.
    """
    runs = pc.run_end_encode(table.column("batch").combine_chunks(), run_end_type=pa.int64())
    ends = np.asarray(runs.run_ends)
    starts = np.concatenate(([0], ends[:-1]))
    bounds = dict(zip(runs.values.to_pylist(), zip(starts, ends - starts, strict=True), strict=True))
    rows = table.drop_columns(["batch"])
    return {batch: rows.slice(*bounds.get(batch, (0, 0))).combine_chunks() for batch in batches}


def _name(view: HistoryView) -> str:
    return f"history_{view.name}"


def _run(connection: duckdb.DuckDBPyConnection, view: HistoryView, sql: str) -> None:
    try:
        connection.execute(sql)
    except duckdb.Error as error:
        raise FeatureError(f"'{view.sql.name}' failed: {error}") from error


def _long_rows(view: HistoryView) -> str:
    entity = f" || '{KEY_SEPARATOR}' || ".join(f"CAST({quoted(key)} AS VARCHAR)" for key in view.keys)
    aside = ", ".join(quoted(column) for column in ("batch", *view.keys, "known_on"))
    name = view.name.replace("'", "''")
    return (
        f"SELECT CAST(batch AS VARCHAR) AS batch, '{name}' AS view, {entity} AS entity, known_on, "
        f"* EXCLUDE ({aside}) FROM {quoted(_name(view))} WHERE {entity} IS NOT NULL"
    )


def _check_columns(connection: duckdb.DuckDBPyConnection, view: HistoryView) -> None:
    relation = connection.sql(f"FROM {quoted(_name(view))}")
    types = dict(zip(relation.columns, (str(kind) for kind in relation.types), strict=True))
    for needed in ("batch", *view.keys, "known_on"):
        if needed not in types:
            raise FeatureError(f"'{view.sql.name}' must yield '{needed}'. It yields: {', '.join(types)}.")
    if types["known_on"] != "DATE":
        raise FeatureError(f"'{view.sql.name}' yields known_on as {types['known_on']}; it must be a DATE.")
    for column, kind in types.items():
        if column not in ("batch", *view.keys, "known_on") and kind != "BIGINT":
            raise FeatureError(
                f"'{view.sql.name}' yields measure '{column}' as {kind}. Measures are BIGINT, so that sums "
                "do not depend on the order of arrival: cast it, scaled if need be."
            )


def _refuse_separator(connection: duckdb.DuckDBPyConnection, view: HistoryView, *, relation: str) -> None:
    too_many = "%".join(["", *[KEY_SEPARATOR] * len(view.keys), ""])
    odd = connection.sql(
        f"SELECT entity FROM {quoted(relation)} WHERE view = $view AND entity LIKE '{too_many}' LIMIT 1",
        params={"view": view.name},
    ).fetchall()
    if odd:
        raise FeatureError(
            f"A key of view '{view.name}' contains '{KEY_SEPARATOR}', which joins keys: clean '{odd[0][0]}'."
        )


def _positive(count: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(count > 0, count, np.nan)
