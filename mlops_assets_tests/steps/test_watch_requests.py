"""The requests of a served day are judged from what was collected, and what they looked like is kept for later days."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta

import duckdb
import pyarrow as pa

from mlops_assets.contract.acceptance import Acceptance
from mlops_assets.lake.tables import read_parquet
from mlops_assets.lake.write import Write
from mlops_assets.steps.watch_requests import WatchedRequests, watch_requests
from mlops_assets.stores.landing.acceptances import publish_acceptance
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.predictions.collected_files import records_of_day
from mlops_assets.stores.predictions.served_profiles import REQUESTS, days_before, held_out_profiles, stored_past
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.steps.played import NOW, SERVED, Loop

AFTER = date.fromisoformat(SERVED) + timedelta(days=1)


def watched(loop: Loop, *, until: datetime) -> WatchedRequests:
    head = loop.lake.at()
    records = records_of_day(head, use_case="parcels", event_day=date.fromisoformat(SERVED))
    version = require_champion(head, use_case="parcels").version
    return watch_requests(
        head, {SERVED: records}, use_case=PARCELS, version=version, until=until, connect=duckdb.connect
    )


def test_the_first_served_day_is_compared_with_held_out_rows(served: Loop) -> None:
    served.collect()
    version = require_champion(served.lake.at(), use_case="parcels").version

    day = watched(served, until=datetime.combine(AFTER, datetime.min.time())).days[SERVED]

    assert day.rows == 60
    assert day.compared_with == f"4 days' worth of held-out rows of {version}"
    assert {shift.column: shift.then for shift in day.shifts}["weight"] is not None
    assert {shift.column: shift.looked_up for shift in day.shifts}["roads__snow"]


def test_of_a_day_that_goes_on_only_hours_that_are_over_are_judged(served: Loop) -> None:
    served.collect()

    day = watched(served, until=datetime.fromisoformat(f"{SERVED} 10:30")).days[SERVED]

    assert (day.until, day.rows) == (10, 10)


def test_the_profile_that_is_published_is_the_past_of_the_next_day(served: Loop) -> None:
    served.collect()
    made = watched(served, until=datetime.combine(AFTER, datetime.min.time()))
    served.lake.publish(Write(use_case="parcels", asset="monitoring"), files=made.files, audit=lambda staged: [])

    past = stored_past(served.lake.at(), day=AFTER.isoformat(), use_case=PARCELS, days=7)

    assert set(past.profiles) == set(past.unusual) == {SERVED}
    assert past.profiles[SERVED].column("weight").rows == 60
    assert past.unusual[SERVED] == made.days[SERVED].unusual


def test_a_day_that_a_person_accepts_is_told_to_later_days(served: Loop) -> None:
    told = {"first": SERVED, "last": SERVED, "reason": "a new scale", "by": "somebody", "at": NOW}
    publish_acceptance(served.lake, Acceptance(use_case="parcels", sources=(REQUESTS,), **told))

    past = stored_past(served.lake.at(), day=AFTER.isoformat(), use_case=PARCELS, days=7)

    assert past.accepted == {SERVED}


def test_held_out_days_lie_before_the_first_served_day_on_their_own_weekdays(served: Loop) -> None:
    head, later = served.lake.at(), AFTER + timedelta(days=20)
    version = require_champion(head, use_case="parcels").version
    judged = read_parquet(head.local(f"parcels/evaluations/{version}/predictions.parquet"))["event_time"].to_pylist()

    with duckdb.connect() as connection:
        days = held_out_profiles(
            head, use_case=PARCELS, version=version, before=later.isoformat(), connection=connection
        )

    assert max(days) < later.isoformat() <= (date.fromisoformat(max(days)) + timedelta(days=7)).isoformat()
    assert {date.fromisoformat(day).weekday() for day in days} == {moment.weekday() for moment in judged}


def test_held_out_rows_without_a_time_are_dealt_out_over_days() -> None:
    days = days_before(pa.table({"id": range(56)}), before=date(2024, 3, 29), timed=False).to_pylist()

    assert Counter(days) == {(date(2024, 3, 1) + timedelta(days=number)).isoformat(): 2 for number in range(28)}
