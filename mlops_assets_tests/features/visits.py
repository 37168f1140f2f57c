"""A small made-up world for feature tests: visits to shops, known some days after they happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from mlops_assets.contract.history import Count, Deviation, Highest, HistoryView, Lowest, Mean, Recency

Visit = tuple[str, str, date, int]  # batch, shop, known_on, amount

_SQL = """
-- One row per batch, shop and day.
SELECT batch, shop, known_on, count(*) AS visits, CAST(sum(amount) AS BIGINT) AS amount,
    CAST(sum(amount * amount) AS BIGINT) AS squares, min(amount) AS least, max(amount) AS most
FROM visits GROUP BY ALL
"""


def shop_view(folder: Path, *, windows: tuple[int, ...] = (1, 7), sql: str = _SQL) -> HistoryView:
    """A history view with one feature of each kind."""
    file = folder / "shop.sql"
    file.write_text(sql)
    return HistoryView(
        name="shop",
        keys=("shop",),
        sql=file,
        windows=windows,
        features=(
            Count(name="visits", of="visits", description="Visits"),
            Mean(name="mean", of="amount", per="visits", description="Mean amount"),
            Deviation(name="std", of="amount", squares="squares", per="visits", description="Deviation"),
            Lowest(name="least", of="least", description="Smallest amount"),
            Highest(name="most", of="most", description="Largest amount"),
            Recency(name="days_since", description="Days since the last visit"),
        ),
    )


def every_shop_view(folder: Path) -> HistoryView:
    """The past of all shops together."""
    sql = _SQL.replace("batch, shop, known_on", "batch, known_on")
    return replace(shop_view(folder, sql=sql), name="all", keys=())


def visits_table(connection: duckdb.DuckDBPyConnection, visits: Iterable[Visit]) -> None:
    """(Re)make the source ``visits``."""
    rows = [dict(zip(("batch", "shop", "known_on", "amount"), visit, strict=True)) for visit in visits]
    schema = pa.schema(
        [("batch", pa.string()), ("shop", pa.string()), ("known_on", pa.date32()), ("amount", pa.int64())]
    )
    connection.register("visits", pa.Table.from_pylist(rows, schema=schema))


def examples_table(*rows: tuple[str | None, datetime]) -> pa.Table:
    """One example per (shop, event_time), with ids in order."""
    return pa.table(
        {
            "id": [f"e{position}" for position in range(len(rows))],
            "event_time": pa.array([moment for _, moment in rows], pa.timestamp("us")),
            "shop": pa.array([shop for shop, _ in rows], pa.string()),
        }
    )
