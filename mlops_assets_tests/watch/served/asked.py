"""Days of requests of the toy, each with a little chance of its own, and their profiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa

from mlops_assets.contract.use_case import UseCase
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.served.request_judgement import WHOLE_DAY, Past, RequestsJudged, judge_requests
from mlops_assets.watch.served.request_profiles import EVENT_HOUR, profile_requests, request_columns
from mlops_assets_tests.orchestration.toy import PARCELS

FIRST = date(2024, 3, 1)
DEPOTS = ("AMS", "BER", "CDG")
HOURS = range(6, 22)
Change = Callable[[pa.Table], pa.Table]


def name_of(number: int) -> str:
    """The toy's day 0, 1, 2 …"""
    return (FIRST + timedelta(days=number)).isoformat()


def day_of_requests(number: int, *, a_day: int = 240) -> pa.Table:
    """Parcels over the day's hours; it snows otherwise at each depot and hour."""
    random = np.random.default_rng(number)
    hour = np.sort(random.integers(HOURS.start, HOURS.stop, a_day))
    depot = random.integers(0, len(DEPOTS), a_day)
    snow = np.round(random.gamma(2, 5, (24, len(DEPOTS))), 2)
    midnight = datetime.combine(FIRST + timedelta(days=number), datetime.min.time())
    return pa.table(
        {
            "number": random.integers(1, 400, a_day),
            "depot": np.array(DEPOTS)[depot],
            "weight": np.round(random.gamma(4, 2, a_day), 2),
            "sent_at": pa.array([midnight + timedelta(hours=int(each)) for each in hour], pa.timestamp("us")),
            "roads__snow": snow[hour, depot],
            EVENT_HOUR: hour,
        }
    )


def put(table: pa.Table, name: str, values: object) -> pa.Table:
    """The same with other values in a column."""
    place = table.schema.get_field_index(name)
    return table.set_column(place, name, pa.array(values, table.schema.field(name).type))


def profiles_of(days: Mapping[str, pa.Table], *, use_case: UseCase = PARCELS) -> dict[str, Profile]:
    """Through the product's own code."""
    with duckdb.connect() as connection:
        return profile_requests(days, columns=request_columns(use_case), connection=connection)


def judged(
    change: Change = lambda rows: rows, *, days: int = 1, before: int = 45, until: int = WHOLE_DAY
) -> list[RequestsJudged]:
    """The verdict on each of ``days`` on which requests were changed, after so many ``before`` that were not."""
    tables = {name_of(number): day_of_requests(number) for number in range(before + days)}
    names = [name_of(before + number) for number in range(days)]
    profiles = profiles_of(tables | {name: change(tables[name]) for name in names})
    unusual: dict[str, Mapping[str, tuple[str, ...]]] = {}
    found = []
    for name in names:
        past = Past(profiles={day: each for day, each in profiles.items() if day < name}, unusual=unusual)
        found.append(judge_requests(profiles[name], day=name, use_case=PARCELS, past=past, until=until))
        unusual[name] = found[-1].unusual
    return found
