"""A rule for columns that name a time zone: one unknown name would stop every query that converts times by it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

if TYPE_CHECKING:
    import pandas as pd


def is_time_zone(names: pd.Series) -> pd.Series:
    """Which of ``names`` are time zones of the IANA database that DuckDB knows, too: true or false for each."""
    return names.isin(_known())


@cache
def _known() -> frozenset[str]:
    """Looking them up takes some hundredths of a second."""
    import duckdb  # a program that only declares does without

    with duckdb.connect() as connection:
        of_duckdb = {name for (name,) in connection.execute("SELECT name FROM pg_timezone_names()").fetchall()}
    return frozenset(available_timezones() & of_duckdb)
