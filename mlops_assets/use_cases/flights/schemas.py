"""What must be true of each landed file of flights, as pandera models.

Column order is the order of the file's header; how files arrive is in ``sources.py``. Clock times are whole
numbers (517 is 05:17) in New York wall time; ``time_hour`` is UTC. Rows that break a rule are quarantined, so
a rule here is a fact, never a wish.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import pandera.pandas as pa

from mlops_assets import is_time_zone

NEW_YORK_AIRPORTS = ["EWR", "JFK", "LGA"]
TAIL_NUMBER = r"^N[0-9A-Z]{2,5}$"
CARRIER = r"^[0-9A-Z]{2}$"
AIRPORT = r"^[0-9A-Z]{3}$"
PLANE_TYPES = ["Fixed wing single engine", "Fixed wing multi engine", "Rotorcraft"]
ENGINES = ["Turbo-fan", "Turbo-jet", "Turbo-prop", "Turbo-shaft", "Reciprocating", "4 Cycle"]
_DAY_MINUTES = 24 * 60


def _within(low: float, high: float, description: str, *, nullable: bool = False) -> Any:
    """A column whose values lie from ``low`` to ``high``, both included."""
    return pa.Field(in_range={"min_value": low, "max_value": high}, nullable=nullable, description=description)


def _minutes(clock: pd.Series) -> pd.Series:
    """Minutes since midnight of a clock time: 517 -> 317."""
    return clock // 100 * 60 + clock % 100


def _is_clock_time(clock: pd.Series) -> pd.Series:
    """Between 0000 and 2400, with minutes below 60."""
    return (clock >= 0) & (clock <= 2400) & (clock % 100 < 60)


def _agrees(scheduled: pd.Series, *, delay: pd.Series, actual: pd.Series) -> pd.Series:
    """Scheduled clock time plus delay is the actual one, across midnight; missing where any of them is."""
    return (_minutes(scheduled) + delay - _minutes(actual)) % _DAY_MINUTES == 0


def _is_utc_of(time_hour: pd.Series, *, of: pd.DataFrame) -> pd.Series:
    """``time_hour`` is four or five hours (summer, winter) ahead of the row's New York hour."""
    days = pd.to_datetime(of[["year", "month", "day"]].astype("float64"), errors="coerce")
    ahead = time_hour - (days + pd.to_timedelta(of["hour"].astype("float64"), unit="h"))
    return ahead.isin([pd.Timedelta(hours=4), pd.Timedelta(hours=5)]) | ahead.isna()


class FlightRows(pa.DataFrameModel):
    """One scheduled departure from New York; cancelled ones have no times, diverted ones no arrival delay."""

    year: int = _within(1987, 2100, "year, New York time")
    month: int = _within(1, 12, "month, 1 to 12")
    day: int = _within(1, 31, "day of the month")
    dep_time: pd.Int64Dtype = pa.Field(nullable=True, description="actual departure, clock time")
    sched_dep_time: int = pa.Field(description="scheduled departure, clock time")
    dep_delay: pd.Int64Dtype = _within(-120, 3000, "departure delay, minutes", nullable=True)
    arr_time: pd.Int64Dtype = pa.Field(nullable=True, description="actual arrival, clock time at the destination")
    sched_arr_time: int = pa.Field(description="scheduled arrival, clock time at the destination")
    arr_delay: pd.Int64Dtype = _within(-180, 3000, "arrival delay, minutes", nullable=True)
    carrier: str = pa.Field(str_matches=CARRIER, description="airline, two characters")
    flight: int = _within(1, 9999, "flight number")
    tailnum: str = pa.Field(nullable=True, str_matches=TAIL_NUMBER, description="US registration of the aircraft")
    origin: str = pa.Field(isin=NEW_YORK_AIRPORTS, description="airport of departure")
    dest: str = pa.Field(str_matches=AIRPORT, description="scheduled airport of arrival")
    air_time: pd.Int64Dtype = _within(10, 1200, "minutes in the air", nullable=True)
    distance: int = _within(10, 6000, "statute miles")
    hour: int = _within(0, 23, "scheduled hour of departure")
    minute: int = _within(0, 59, "scheduled minute of departure")
    time_hour: datetime = pa.Field(description="scheduled hour of departure, UTC")

    @pa.check(
        "dep_time", "sched_dep_time", "arr_time", "sched_arr_time",
        description="must be a clock time from 0 to 2400 with minutes below 60",
    )  # fmt: skip
    @classmethod
    def is_clock_time(cls, clock: pd.Series) -> pd.Series:
        """Clock times are written as whole numbers."""
        return _is_clock_time(clock)

    @pa.dataframe_check(description="hour and minute must be those of sched_dep_time")
    @classmethod
    def hour_and_minute_are_scheduled(cls, rows: pd.DataFrame) -> pd.Series:
        """``hour`` and ``minute`` repeat ``sched_dep_time``."""
        return rows["hour"] * 100 + rows["minute"] == rows["sched_dep_time"]

    @pa.dataframe_check(description="sched_dep_time plus dep_delay must be dep_time")
    @classmethod
    def departure_times_agree(cls, rows: pd.DataFrame) -> pd.Series:
        """The delay explains the actual departure."""
        return _agrees(rows["sched_dep_time"], delay=rows["dep_delay"], actual=rows["dep_time"])

    @pa.dataframe_check(description="sched_arr_time plus arr_delay must be arr_time")
    @classmethod
    def arrival_times_agree(cls, rows: pd.DataFrame) -> pd.Series:
        """The delay explains the actual arrival."""
        return _agrees(rows["sched_arr_time"], delay=rows["arr_delay"], actual=rows["arr_time"])

    @pa.dataframe_check(description="dep_time and dep_delay must both be there or both be missing")
    @classmethod
    def departure_is_whole(cls, rows: pd.DataFrame) -> pd.Series:
        """A departure has a time and a delay."""
        return rows["dep_time"].isna() == rows["dep_delay"].isna()

    @pa.dataframe_check(description="an arrival (arr_time, arr_delay, air_time) needs the parts before it")
    @classmethod
    def arrival_follows_departure(cls, rows: pd.DataFrame) -> pd.Series:
        """Nothing arrives that did not depart; delay and air time come together, with an arrival time."""
        departed, arrived = rows["dep_time"].notna(), rows["arr_time"].notna()
        timed = rows["arr_delay"].notna()
        return (departed | ~arrived) & (arrived | ~timed) & (timed == rows["air_time"].notna())

    @pa.dataframe_check(description="distance over air_time must be a possible speed (60 to 750 miles an hour)")
    @classmethod
    def speed_is_possible(cls, rows: pd.DataFrame) -> pd.Series:
        """Miles and minutes: another unit would show here."""
        hours = rows["air_time"] / 60
        return (rows["distance"] >= 60 * hours) & (rows["distance"] <= 750 * hours)

    @pa.dataframe_check(description="time_hour must be the scheduled hour in UTC")
    @classmethod
    def time_hour_is_utc(cls, rows: pd.DataFrame) -> pd.Series:
        """UTC is four or five hours ahead of New York."""
        return _is_utc_of(rows["time_hour"], of=rows)

    class Config:
        strict = True
        ordered = True
        unique = ["year", "month", "day", "carrier", "flight", "origin"]  # noqa: RUF012 - pandera reads a list


class WeatherRows(pa.DataFrameModel):
    """One hour of weather at a New York airport, as observed in that hour."""

    origin: str = pa.Field(isin=NEW_YORK_AIRPORTS, description="airport")
    year: int = _within(1987, 2100, "year, New York time")
    month: int = _within(1, 12, "month, 1 to 12")
    day: int = _within(1, 31, "day of the month")
    hour: int = _within(0, 23, "hour, New York time")
    temp: float = _within(-40, 125, "temperature, °F", nullable=True)
    dewp: float = _within(-60, 100, "dew point, °F", nullable=True)
    humid: float = _within(0, 100, "relative humidity, %", nullable=True)
    wind_dir: pd.Int64Dtype = _within(0, 360, "wind direction, degrees", nullable=True)
    wind_speed: float = _within(0, 150, "wind speed, miles an hour", nullable=True)
    wind_gust: float = _within(0, 200, "speed of gusts, miles an hour", nullable=True)
    precip: float = _within(0, 10, "precipitation, inches", nullable=True)
    pressure: float = _within(870, 1085, "sea-level pressure, millibar", nullable=True)
    visib: float = _within(0, 10, "visibility, miles", nullable=True)
    time_hour: datetime = pa.Field(description="the hour, UTC")

    @pa.dataframe_check(description="the dew point must not be above the temperature")
    @classmethod
    def dew_point_is_below_temperature(cls, rows: pd.DataFrame) -> pd.Series:
        """Air cannot hold more water than it can hold."""
        return (rows["dewp"] <= rows["temp"]) | rows["dewp"].isna() | rows["temp"].isna()

    @pa.dataframe_check(description="gusts must not be slower than the wind")
    @classmethod
    def gusts_exceed_wind(cls, rows: pd.DataFrame) -> pd.Series:
        """A gust is a peak of the wind."""
        return (rows["wind_gust"] >= rows["wind_speed"]) | rows["wind_gust"].isna() | rows["wind_speed"].isna()

    @pa.dataframe_check(description="time_hour must be the row's hour in UTC")
    @classmethod
    def time_hour_is_utc(cls, rows: pd.DataFrame) -> pd.Series:
        """UTC is four or five hours ahead of New York; so the hour repeated in November is told apart."""
        return _is_utc_of(rows["time_hour"], of=rows)

    class Config:
        strict = True
        ordered = True
        unique = ["origin", "time_hour"]  # noqa: RUF012 - pandera reads a list


class PlaneRows(pa.DataFrameModel):
    """One aircraft of the FAA registry."""

    tailnum: str = pa.Field(unique=True, str_matches=TAIL_NUMBER, description="US registration")
    year: pd.Int64Dtype = _within(1930, 2100, "year of manufacture", nullable=True)
    type: str = pa.Field(isin=PLANE_TYPES, description="type of aircraft")
    manufacturer: str = pa.Field(str_length={"min_value": 2, "max_value": 60}, description="manufacturer")
    model: str = pa.Field(str_length={"min_value": 1, "max_value": 60}, description="model")
    engines: int = _within(1, 8, "number of engines")
    seats: int = _within(1, 900, "number of seats")
    speed: pd.Int64Dtype = _within(50, 1000, "cruising speed, miles an hour", nullable=True)
    engine: str = pa.Field(isin=ENGINES, description="type of engine")

    class Config:
        strict = True
        ordered = True


class AirlineRows(pa.DataFrameModel):
    """One airline: its two-character code and its name."""

    carrier: str = pa.Field(unique=True, str_matches=CARRIER, description="code")
    name: str = pa.Field(str_length={"min_value": 2, "max_value": 80}, description="name")

    class Config:
        strict = True
        ordered = True


class AirportRows(pa.DataFrameModel):
    """One airport of the United States."""

    faa: str = pa.Field(unique=True, str_matches=AIRPORT, description="FAA code")
    name: str = pa.Field(str_length={"min_value": 2, "max_value": 80}, description="name")
    lat: float = _within(13, 71.5, "latitude, degrees north")
    lon: float = _within(-180, 180, "longitude, degrees east")
    alt: int = _within(-300, 12000, "altitude, feet")
    tz: int = _within(-12, 14, "hours from UTC, standard time")
    dst: str = pa.Field(isin=["A", "U", "N"], description="daylight saving time: A US rules, U unknown, N none")
    tzone: str = pa.Field(nullable=True, str_matches=r"^[A-Za-z]+/[A-Za-z_]+$", description="time zone, IANA name")

    @pa.check("lon", description="must lie in the western hemisphere, or west of 170° E among the Aleutian Islands")
    @classmethod
    def is_american(cls, lon: pd.Series) -> pd.Series:
        """A lost minus sign puts an American airport into Asia."""
        return (lon < -60) | (lon > 170)

    @pa.check("tzone", description="must be a time zone that the IANA database knows")
    @classmethod
    def is_time_zone(cls, tzone: pd.Series) -> pd.Series:
        """One unknown name would stop every query that converts times."""
        return is_time_zone(tzone)

    class Config:
        strict = True
        ordered = True
