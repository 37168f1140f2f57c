"""The requests of a served day are judged from what was collected, and what they looked like is kept for later days."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import duckdb

from mlops_assets.lake.write import Write
from mlops_assets.steps.watch_requests import WatchedRequests, watch_requests
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.predictions.collected_files import records_of_day
from mlops_assets.stores.predictions.served_profiles import stored_past
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.steps.played import SERVED, Loop

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
