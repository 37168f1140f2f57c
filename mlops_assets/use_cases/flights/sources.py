"""How the sources of flights arrive: which are daily, what ties a row to its day, how much may be wrong."""

from __future__ import annotations

from mlops_assets import Cadence, DriftPlan, Reference, Source

SCHEMAS = "mlops_assets.use_cases.flights.schemas"  # imported when files are judged, never by the service
OWNER = "flight-data@example.org"
MISSING = ("NA", "")
HOURS_BEHIND_UTC = "(extract('hour' FROM time_hour) - hour + 24) % 24"

FLIGHTS = Source(
    name="flights",
    description="Every flight that was to leave a New York airport that day, with its actual delay.",
    owner=OWNER,
    cadence=Cadence.DAILY,
    schema=f"{SCHEMAS}:FlightRows",
    null_values=MISSING,
    batch_day=("year", "month", "day"),
    references=(
        # two airlines report fleet numbers instead of registrations: 15 % of a usual day, 17.7 % of the worst
        Reference(columns=("tailnum",), source="planes", max_share=0.25),
        Reference(columns=("origin", "time_hour"), source="weather", max_share=0.05),
    ),
    derived={"hours_behind_utc": HOURS_BEHIND_UTC, "miles_an_hour": "distance / nullif(air_time / 60, 0)"},
)
WEATHER = Source(
    name="weather",
    description="The weather at the New York airports, hour by hour of that day.",
    owner=OWNER,
    cadence=Cadence.DAILY,
    schema=f"{SCHEMAS}:WeatherRows",
    null_values=MISSING,
    batch_day=("year", "month", "day"),
    max_quarantined_share=0.05,  # a day has 72 rows: three wrong observations don't cost the day
    derived={"hours_behind_utc": HOURS_BEHIND_UTC},
    # a shower after dry weeks, rain on one airport, a day of wind from one side: weather, and nothing to look at
    drift=DriftPlan(
        bounds={
            ("precip", "wasserstein"): 2.0,
            ("precip", "segment_gap"): 10.0,
            ("wind_dir", "wasserstein"): 3.0,
        }
    ),
)
PLANES = Source(
    name="planes",
    description="Aircraft of the FAA registry by tail number.",
    owner=OWNER,
    cadence=Cadence.STATIC,
    schema=f"{SCHEMAS}:PlaneRows",
    null_values=MISSING,
)
AIRLINES = Source(
    name="airlines",
    description="Names of the airlines by their two-character code.",
    owner=OWNER,
    cadence=Cadence.STATIC,
    schema=f"{SCHEMAS}:AirlineRows",
    null_values=("",),
    max_quarantined_share=0.0,
)
AIRPORTS = Source(
    name="airports",
    description="Airports of the United States with place, altitude and time zone.",
    owner=OWNER,
    cadence=Cadence.STATIC,
    schema=f"{SCHEMAS}:AirportRows",
    null_values=MISSING,
)
SOURCES = (FLIGHTS, WEATHER, PLANES, AIRLINES, AIRPORTS)
