"""The contenders of `benchmarks/features.py`, each run in a process of its own: history features over 7 and
28 days.

    python benchmarks/features_contenders.py NAME events.parquet --rounds 5 [--limit-mb 2048]

All start from the same file of flights with known outcomes and end with the sum of each of the same 70
columns: five views (carrier, origin, dest, route, tail number), two windows, seven figures. Prints one line
of JSON.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from memory import peak_mb

if TYPE_CHECKING:
    from mlops_assets.contract.history import HistoryView

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

VIEWS = {
    "carrier": ("carrier",),
    "origin": ("origin",),
    "dest": ("dest",),
    "route": ("origin", "dest"),
    "tailnum": ("tailnum",),
}
KEYS = ["carrier", "origin", "dest", "tailnum"]
WINDOWS = (7, 28)
MEASURES = {
    "flights": "1",
    "landed": "(arr_delay IS NOT NULL)::BIGINT",
    "late": "coalesce(late, 0)",
    "arr": "coalesce(arr_delay, 0)",
    "arr2": "coalesce(arr_delay * arr_delay, 0)",
    "dep": "coalesce(dep_delay, 0)",
    "dep2": "coalesce(dep_delay * dep_delay, 0)",
}
Sums = dict[str, float]


def ours(events: Path, folder: Path) -> Sums:
    """Daily aggregates in DuckDB, a year at a time (the platform: a day), and the rows of that year joined to them."""
    connection = _connect(folder)
    sums: Sums = {}
    for number, year in enumerate(_years(connection, events)):
        _aggregate(connection, events, years=range(year, year + 1), into=f"history_{number % 2}")
        recent = " UNION ALL ".join(f"FROM history_{each}" for each in range(min(number + 1, 2)))
        connection.execute(f"CREATE OR REPLACE TEMP VIEW history AS {recent}")
        _join(connection, _asked(events, years=range(year, year + 1)), sums=sums)
    return sums


def ours_stored(events: Path, folder: Path) -> tuple[float, Sums]:
    """The join alone, timed as Feast's is: daily aggregates in a file, rows in memory, columns in memory after it."""
    from mlops_assets.features.training_view import attach_history

    connection = _connect(folder)
    years = _years(connection, events)
    _aggregate(connection, events, years=years, into="aggregates")
    connection.execute(f"COPY aggregates TO '{folder}/history.parquet'")
    connection.execute(f"CREATE TEMP VIEW history AS FROM read_parquet('{folder}/history.parquet')")
    asked = _asked(events, years=years)
    begun = time.perf_counter()
    columns = attach_history(connection, asked, views=_views())
    seconds = time.perf_counter() - begun
    return seconds, {name: pc.sum(values).as_py() for name, values in columns.items()}


def _views() -> list[HistoryView]:
    from mlops_assets.use_cases.flights.features import HISTORY

    return [replace(view, windows=WINDOWS, features=view.features[:7]) for view in HISTORY if view.name in VIEWS]


def _years(connection: duckdb.DuckDBPyConnection, events: Path) -> range:
    (first, last) = connection.sql(f"SELECT min(batch)[:4], max(batch)[:4] FROM '{events}'").fetchall()[0]
    return range(int(first), int(last) + 1)


def _aggregate(connection: duckdb.DuckDBPyConnection, events: Path, *, years: range, into: str) -> None:
    from mlops_assets.features.history import compute_daily_aggregates

    within = f"BETWEEN '{years[0]}-01-01' AND '{years[-1]}-12-31'"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW outcomes AS FROM '{events}' WHERE batch {within}")
    compute_daily_aggregates(connection, views=_views(), into=into)


def _join(connection: duckdb.DuckDBPyConnection, asked: pa.Table, *, sums: Sums) -> None:
    """The rows ``asked`` for joined to ``history``, their columns added to ``sums``."""
    from mlops_assets.features.training_view import stream_history

    for rolled in stream_history(connection, [asked], views=_views()):
        for name, values in rolled.items():
            sums[name] = sums.get(name, 0.0) + (pc.sum(values).as_py() or 0.0)


def _asked(events: Path, *, years: range) -> pa.Table:
    """Time and keys of the rows of some years."""
    return pq.read_table(
        events,
        columns=["event_time", *KEYS],
        read_dictionary=KEYS,
        filters=[("event_time", ">=", datetime(years[0], 1, 1)), ("event_time", "<", datetime(years[-1] + 1, 1, 1))],
    )


def duckdb_windows(events: Path, folder: Path) -> Sums:
    """The plain way in SQL: daily aggregates, RANGE windows over days, joined back."""
    return _sql(events, folder, _windows_query)


def duckdb_asof(events: Path, folder: Path) -> Sums:
    """One event-level query: running sums per event, ASOF joins at both ends of each window."""
    return _sql(events, folder, _asof_query)


def bare(events: Path, folder: Path) -> Sums:
    """The bare limit: reading the events and grouping them once per view, with nothing rolled up or joined."""
    connection = _connect(folder)
    sums = ", ".join(f"sum({value}) AS {name}" for name, value in MEASURES.items())
    for keys in VIEWS.values():
        key = " || '|' || ".join(keys)
        connection.execute(
            f"SELECT count(*), sum(arr2) FROM (SELECT {key} AS k, known_on, {sums} FROM '{events}' GROUP BY ALL)"
        ).fetchall()
    return {}


def numpy(events: Path, folder: Path) -> Sums:
    """Hand-written: events sorted once per view, prefix sums, binary search. Factorising is pandas' fast
    hash.
    """
    import pandas as pd

    table = pq.read_table(events)
    day = table["event_time"].cast("date32", safe=False).cast("int32").to_numpy().astype(np.int64)
    known = table["known_on"].cast("int32").to_numpy().astype(np.int64)
    arr, dep = (table[name].to_numpy().astype(float) for name in ("arr_delay", "dep_delay"))
    landed = ~np.isnan(arr)
    arr, dep = (np.where(landed, value, 0).astype(np.int64) for value in (arr, dep))
    values = {
        "flights": np.ones(len(day), np.int64),
        "landed": landed.astype(np.int64),
        "late": (arr > 15).astype(np.int64),
        "arr": arr,
        "arr2": arr * arr,
        "dep": dep,
        "dep2": dep * dep,
    }
    plain = {
        name: pd.factorize(table[name].to_pandas())[0].astype(np.int64)
        for name in ("carrier", "origin", "dest", "tailnum")
    }
    sums: Sums = {}
    for view, keys in VIEWS.items():
        codes = plain[keys[0]] if len(keys) == 1 else plain["origin"] * 1000 + plain["dest"]
        position = codes * (1 << 20) + known
        order = np.argsort(position[codes >= 0])
        rows = np.flatnonzero(codes >= 0)[order]
        position = position[rows]
        prefix = {name: np.concatenate(([0], np.cumsum(value[rows]))) for name, value in values.items()}
        asked = codes * (1 << 20) + day
        high = np.searchsorted(position, asked)
        for window in WINDOWS:
            low = np.searchsorted(position, asked - window)
            total = {name: (running[high] - running[low]).astype(float) for name, running in prefix.items()}
            sums |= _figures(total, view=view, window=window)
    return sums


def pandas(events: Path, folder: Path) -> Sums:
    """Daily groupby, running sums per entity, merge_asof at both ends of each window."""

    names = ["event_time", "known_on", "carrier", "origin", "dest", "tailnum", "late", "arr_delay", "dep_delay"]
    frame = pq.read_table(events, columns=names).to_pandas(date_as_object=False)
    frame["day"] = frame["event_time"].dt.floor("D").astype("datetime64[us]")
    frame["known_on"] = frame["known_on"].astype("datetime64[us]")
    frame["flights"], frame["landed"] = 1, frame["arr_delay"].notna().astype("int64")
    frame["arr"], frame["dep"] = (frame[name].fillna(0).astype("int64") for name in ("arr_delay", "dep_delay"))
    frame["late"], frame["arr2"], frame["dep2"] = (
        frame["late"].fillna(0).astype("int64"),
        frame["arr"] ** 2,
        frame["dep"] ** 2,
    )
    for name in ("carrier", "origin", "dest", "tailnum"):
        frame[name] = frame[name].astype("category")
    sums: Sums = {}
    for view, keys in VIEWS.items():
        codes = frame[keys[0]].cat.codes.astype("int64")
        frame["entity"] = codes if len(keys) == 1 else codes * 1000 + frame[keys[1]].cat.codes
        rows = frame[frame["entity"] >= 0]
        daily = rows.groupby(["entity", "known_on"], sort=True)[list(MEASURES)].sum()
        running = daily.groupby(level="entity").cumsum().reset_index().sort_values("known_on", kind="stable")
        asked = rows[["entity", "day"]].sort_values("day", kind="stable")
        high = _merged(asked, running, back=0)
        for window in WINDOWS:
            low = _merged(asked, running, back=window)
            total = {name: (high[name] - low[name]).to_numpy(dtype=float) for name in MEASURES}
            sums |= _figures(total, view=view, window=window)
    return sums


def _merged(asked, running, *, back: int):  # type: ignore[no-untyped-def]
    import pandas as pd

    moved = asked.assign(until=asked["day"] - pd.Timedelta(days=back))
    found = pd.merge_asof(moved, running, left_on="until", right_on="known_on", by="entity", allow_exact_matches=False)
    return found[list(MEASURES)].fillna(0)


def _figures(total: dict[str, np.ndarray], *, view: str, window: int) -> Sums:
    """The seven figures from a window's sums, as the flights use case declares them; summed over all rows."""
    flights, landed = (np.where(total[name] > 0, total[name], np.nan) for name in ("flights", "landed"))
    arr, dep = total["arr"] / landed, total["dep"] / landed
    figures = {
        "late_rate": total["late"] / landed,
        "arr_delay_mean": arr,
        "arr_delay_std": np.sqrt(np.maximum(total["arr2"] / landed - arr * arr, 0)),
        "dep_delay_mean": dep,
        "dep_delay_std": np.sqrt(np.maximum(total["dep2"] / landed - dep * dep, 0)),
        "cancelled_rate": (total["flights"] - total["landed"]) / flights,
        "flights": flights,
    }
    return {f"{view}__{name}_{window}d": float(np.nansum(values)) for name, values in figures.items()}


def _sql(events: Path, folder: Path, query: Callable[[str, str], str]) -> Sums:
    connection = _connect(folder)
    sums: Sums = {}
    for view, keys in VIEWS.items():
        figures = ", ".join(
            f"sum({sql}) AS {view}__{name}_{window}d"
            for window in WINDOWS
            for name, sql in {
                "late_rate": f"late_{window} / nullif(landed_{window}, 0)",
                "arr_delay_mean": f"arr_{window} / nullif(landed_{window}, 0)",
                "arr_delay_std": _deviation("arr", window=window),
                "dep_delay_mean": f"dep_{window} / nullif(landed_{window}, 0)",
                "dep_delay_std": _deviation("dep", window=window),
                "cancelled_rate": f"(flights_{window} - landed_{window}) / nullif(flights_{window}, 0)",
                "flights": f"nullif(flights_{window}, 0)::DOUBLE",
            }.items()
        )
        relation = connection.sql(f"SELECT {figures} FROM ({query(str(events), ' || chr(124) || '.join(keys))})")
        (row,) = relation.fetchall()
        sums |= dict(zip(relation.columns, row, strict=True))
    return sums


def _deviation(delay: str, *, window: int) -> str:
    landed = f"nullif(landed_{window}, 0)"
    return f"sqrt(greatest({delay}2_{window} / {landed} - ({delay}_{window} / {landed}) ** 2, 0))"


def _windows_query(events: str, key: str) -> str:
    sums = ", ".join(f"sum({value}) AS {name}" for name, value in MEASURES.items())
    asked = ", ".join(f"sum({name}) OVER w{window} AS {name}_{window}" for window in WINDOWS for name in MEASURES)
    windows = ", ".join(
        f"w{window} AS (PARTITION BY k ORDER BY day RANGE BETWEEN {window} PRECEDING AND 1 PRECEDING)"
        for window in WINDOWS
    )
    epoch = "- DATE '1970-01-01'"
    return f"""WITH daily AS (
            SELECT {key} AS k, known_on {epoch} AS day, {sums} FROM '{events}' WHERE {key} IS NOT NULL GROUP BY ALL
        ),
        spine AS (SELECT {key} AS k, event_time::DATE {epoch} AS day FROM '{events}'),
        grid AS (FROM daily UNION ALL BY NAME SELECT DISTINCT k, day FROM spine WHERE k IS NOT NULL),
        days AS (SELECT k, day, {", ".join(f"sum({name}) AS {name}" for name in MEASURES)} FROM grid GROUP BY
        ALL), rolled AS (SELECT k, day, {asked} FROM days WINDOW {windows})
        FROM spine JOIN rolled USING (k, day)"""


def _asof_query(events: str, key: str) -> str:
    running = ", ".join(f"sum({value}) OVER w AS {name}" for name, value in MEASURES.items())
    chosen = ", ".join(
        f"(h.{name} - coalesce(l{window}.{name}, 0))::DOUBLE AS {name}_{window}"
        for window in WINDOWS
        for name in MEASURES
    )
    joins = " ".join(
        f"ASOF LEFT JOIN running l{window} ON s.k = l{window}.k AND s.day - {window} > l{window}.known_on"
        for window in WINDOWS
    )
    return f"""WITH running AS (SELECT {key} AS k, known_on, {running} FROM '{events}' WHERE {key} IS NOT NULL
            WINDOW w AS (PARTITION BY {key} ORDER BY known_on)),
        s AS (SELECT {key} AS k, event_time::DATE AS day FROM '{events}' WHERE {key} IS NOT NULL)
        SELECT {chosen} FROM s ASOF LEFT JOIN running h ON s.k = h.k AND s.day > h.known_on {joins}"""


def _connect(folder: Path) -> duckdb.DuckDBPyConnection:
    limit = (
        {"memory_limit": "500MB", "preserve_insertion_order": False, "temp_directory": str(folder)} if LIMITED else {}
    )
    return duckdb.connect(config=limit)


LIMITED = False
CONTENDERS = {each.__name__: each for each in (ours, bare, duckdb_windows, duckdb_asof, numpy, pandas)}


def timed(name: str, events: Path, folder: Path) -> tuple[float, Sums]:
    """Seconds of one round, from the file of events to the sums; of the join alone where that is asked."""
    if name == ours_stored.__name__:
        return ours_stored(events, folder)
    begun = time.perf_counter()
    sums = CONTENDERS[name](events, folder)
    return time.perf_counter() - begun, sums


def main() -> None:
    """Run one contender and print what it took."""
    global LIMITED
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=[*CONTENDERS, ours_stored.__name__])
    parser.add_argument("events", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit-mb", type=int, default=0)
    chosen = parser.parse_args()
    LIMITED = bool(chosen.limit_mb)
    if chosen.limit_mb:
        resource.setrlimit(resource.RLIMIT_DATA, (chosen.limit_mb << 20, chosen.limit_mb << 20))
    for name in ("pandas", "mlops_assets.features.training_view", "mlops_assets.use_cases.flights.features"):
        importlib.import_module(name)  # loading is no part of the work
    seconds, sums = [], Sums()
    for _ in range(chosen.rounds):
        with tempfile.TemporaryDirectory() as folder:
            spent, sums = timed(chosen.name, chosen.events, Path(folder))
            seconds.append(spent)
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "sums": sums}))


if __name__ == "__main__":
    main()
