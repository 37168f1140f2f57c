"""The committed seed data as validated tables in DuckDB, for the tests of flights' features."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pyarrow as pa

from mlops_assets.use_cases.flights.seed import SEED

WHOLE_NUMBERS = [
    "year",
    "month",
    "day",
    "dep_time",
    "sched_dep_time",
    "dep_delay",
    "arr_time",
    "sched_arr_time",
    "arr_delay",
    "flight",
    "air_time",
    "distance",
    "hour",
    "minute",
]


def seed_tables(*, first: date, last: date) -> duckdb.DuckDBPyConnection:
    """A connection with flights, weather, planes and airports, days ``first`` to ``last`` (both included)."""
    connection = duckdb.connect()
    days = {"first": first.isoformat(), "last": last.isoformat()}
    batch = "printf('%04d-%02d-%02d', year::INTEGER, month::INTEGER, day::INTEGER)"
    numbers = ", ".join(f"nullif({name}, 'NA')::BIGINT AS {name}" for name in WHOLE_NUMBERS)
    connection.execute(
        f"CREATE TABLE flights AS SELECT * REPLACE ({numbers}, nullif(tailnum, 'NA') AS tailnum, "
        f"time_hour[:19]::TIMESTAMP AS time_hour), {batch} AS batch "
        f"FROM '{SEED / 'flights.parquet'}' WHERE batch BETWEEN $first AND $last",
        days,
    )
    measured = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
    values = ", ".join(f"nullif({name}, 'NA')::DOUBLE AS {name}" for name in measured)
    connection.execute(
        f"CREATE TABLE weather AS SELECT * REPLACE ({values}, "
        f"time_hour[:19]::TIMESTAMP AS time_hour), {batch} AS batch "
        f"FROM '{SEED / 'weather.parquet'}' WHERE batch BETWEEN $first AND $last",
        days,
    )
    for name in ("planes", "airports"):
        connection.execute(f"CREATE TABLE {name} AS FROM read_csv('{SEED / name}.csv', nullstr = 'NA')")
    return connection


def put_history(connection: duckdb.DuckDBPyConnection, history: pa.Table) -> None:
    """(Re)register the relation ``history``."""
    connection.register("history", history)


def days_from(first: date, count: int) -> list[date]:
    """``count`` days from ``first`` on."""
    return [first + timedelta(days=number) for number in range(count)]
