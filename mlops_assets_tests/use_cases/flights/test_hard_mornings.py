"""Days on which something was silent once: after the storm, after the clocks changed, while a timetable is new."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import duckdb
import pytest

from mlops_assets.contract.anomalies import Anomaly, Cause, Code
from mlops_assets.use_cases.flights.seed import land_seed
from mlops_assets_tests.use_cases.flights.corruptions import Change, Day, later, values, write
from mlops_assets_tests.use_cases.flights.mornings import Known, anomalies, year_known

pytestmark = pytest.mark.slow

F, W = "flights", "weather"
STORM_WEEKS = ("2013-01-01", "2013-02-20")
CLOCK_WEEKS = ("2013-01-20", "2013-04-03")
OUTCOMES = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")


@pytest.fixture(scope="module", autouse=True)
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as one:
        yield one
    known.cache_clear()


@cache
def known(name: str, first: str, last: str) -> Known:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as one:
        land_seed(
            Path(folder), first=date.fromisoformat(first), last=date.fromisoformat(last), sources=[name, "planes"]
        )
        return year_known(name, folder=Path(folder), connection=one)


def seed_day(name: str, day: str, *, folder: Path) -> Day:
    morning = date.fromisoformat(day)
    land_seed(folder, first=morning - timedelta(days=1), last=morning, sources=[name])
    place = folder / "flights" / name
    rows = list(csv.DictReader(io.StringIO((place / f"{day}.csv").read_text())))
    before = (place / f"{morning - timedelta(days=1)}.csv").read_bytes()
    return Day(header=tuple(rows[0]), rows=tuple(rows), before=before)


def without_outcomes(share: float) -> Change:
    """The outcomes missing in so many rows, evenly spaced."""

    def change(day: Day) -> bytes:
        none = dict.fromkeys(OUTCOMES, "NA")
        lost = [int((at + 1) * share) > int(at * share) for at in range(len(day.rows))]
        return write(day.header, [{**row, **none} if gone else row for row, gone in zip(day.rows, lost, strict=True)])

    return change


def as_it_is(day: Day) -> bytes:
    return day.content


def said(
    name: str, day: str, change: Change, *, weeks: tuple[str, str], folder: Path, connection: duckdb.DuckDBPyConnection
) -> tuple[Anomaly, ...]:
    content = change(seed_day(name, day, folder=folder))
    (judged := folder / "judged").mkdir()
    return anomalies(content, name=name, day=day, of=known(name, *weeks), folder=judged, connection=connection)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9])
def test_flights_without_outcomes_are_told_after_the_storm(
    share: float, tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    told = said(F, "2013-02-20", without_outcomes(share), weeks=STORM_WEEKS, folder=tmp_path, connection=connection)
    assert {"dep_time", "arr_delay"} <= {each.column for each in told if not each.since}


@pytest.mark.parametrize("name", [F, W])
@pytest.mark.parametrize("day", ["2013-03-13", "2013-03-20", "2013-04-03"])
def test_a_clock_an_hour_off_is_told_in_the_weeks_after_the_clocks_changed(
    day: str, name: str, tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    change = values("time_hour", later(1))
    told = said(name, day, change, weeks=CLOCK_WEEKS, folder=tmp_path, connection=connection)
    (clock,) = [each for each in told if each.column == "hours_behind_utc"]
    assert (clock.code, clock.cause, clock.since) == (Code.DISTRIBUTION_MOVED, Cause.OFFSET, None)


def test_flights_cancelled_in_the_storm_are_values_missing_and_no_rows(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    told = said(F, "2013-02-09", as_it_is, weeks=STORM_WEEKS, folder=tmp_path, connection=connection)
    causes = {each.cause for each in told if each.column == "dep_time"}
    assert Cause.VALUES_MISSING in causes
    assert Cause.ROWS_MISSING not in causes
