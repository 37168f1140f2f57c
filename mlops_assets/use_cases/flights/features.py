"""The features of flights: history per entity, side data as of the hour before, and the model's columns.

Only declarations: the SQL is in ``sql/``, the arithmetic in ``features/``.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mlops_assets import (
    AsOfView,
    Count,
    Deviation,
    Feature,
    HistoryFeature,
    HistoryView,
    Mean,
    Recency,
    Relation,
    history_features,
)

SQL = Path(__file__).parent / "sql"
WINDOWS = (1, 7, 28)

EXAMPLES_SQL = SQL / "examples.sql"
FEATURES_SQL = SQL / "features.sql"
RELATIONS = (Relation(name="outcomes", sql=SQL / "outcomes.sql"),)

_FIGURES: tuple[HistoryFeature, ...] = (
    Mean(name="late_rate", of="late", per="landed", description="Share of arrivals more than 15 minutes late"),
    Mean(name="arr_delay_mean", of="arr_delay", per="landed", description="Mean arrival delay in minutes"),
    Deviation(
        name="arr_delay_std",
        of="arr_delay",
        squares="arr_delay_squares",
        per="landed",
        description="Standard deviation of the arrival delay in minutes",
    ),
    Mean(name="dep_delay_mean", of="dep_delay", per="landed", description="Mean departure delay in minutes"),
    Deviation(
        name="dep_delay_std",
        of="dep_delay",
        squares="dep_delay_squares",
        per="landed",
        description="Standard deviation of the departure delay in minutes",
    ),
    Mean(
        name="cancelled_rate",
        of="cancelled",
        per="flights",
        description="Share of flights cancelled or diverted",
    ),
    Count(name="flights", of="flights", description="Flights whose outcome became known"),
)
_RECENCY = Recency(name="days_since", windows=(28,), description="Days since the last known flight")


def _view(name: str, *, keys: tuple[str, ...], more: tuple[HistoryFeature, ...] = ()) -> HistoryView:
    return HistoryView(
        name=name, keys=keys, sql=SQL / f"history_{name}.sql", windows=WINDOWS, features=(*_FIGURES, *more)
    )


HISTORY = (
    _view("carrier", keys=("carrier",)),
    _view("origin", keys=("origin",)),
    _view("dest", keys=("dest",)),
    _view("route", keys=("origin", "dest")),
    _view("tailnum", keys=("tailnum",), more=(_RECENCY,)),
    _view("hour", keys=("hour_of_day",)),
)

ASOF = (
    AsOfView(
        name="weather",
        keys=("origin",),
        sql=SQL / "asof_weather.sql",
        time_column="observed_at",
        delay=timedelta(hours=1),
        max_age=timedelta(hours=6),
    ),
    AsOfView(name="plane", keys=("tailnum",), sql=SQL / "asof_plane.sql"),
)


def _computed(name: str, description: str) -> Feature:
    return Feature(name=name, kind="numeric", description=description)


FEATURES: tuple[Feature | str, ...] = (
    "carrier",
    "origin",
    "dest",
    _computed("hour_of_day", "Scheduled hour of departure, New York."),
    _computed("minute_of_day", "Scheduled minute of departure since midnight, New York."),
    _computed("clock_sin", "Scheduled departure on the circle of a day, sine."),
    _computed("clock_cos", "Scheduled departure on the circle of a day, cosine."),
    _computed("day_of_week", "0 is Sunday, 6 is Saturday."),
    _computed("month", "1 to 12."),
    _computed("year_sin", "Day on the circle of a year, sine."),
    _computed("year_cos", "Day on the circle of a year, cosine."),
    "distance",
    _computed("sched_clock_minutes", "Scheduled arrival minus departure, each on its own local clock, in minutes."),
    _computed("plane_age", "Years since the aircraft was made."),
    "plane__seats",
    "plane__engines",
    "weather__temp",
    "weather__dewp",
    "weather__humid",
    "weather__wind_dir",
    "weather__wind_speed",
    "weather__wind_gust",
    "weather__precip",
    "weather__pressure",
    "weather__visib",
    *history_features(HISTORY),
)
