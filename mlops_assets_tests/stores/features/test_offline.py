"""Which batches the offline road reads: enough for windows, side data and late outcomes, and no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from mlops_assets.lake.batches import EVERY_BATCH, Wanted
from mlops_assets.stores.features.offline import LATE_OUTCOMES, reach_back, reach_between, reach_of_batch
from mlops_assets.use_cases.income import USE_CASE as INCOME
from mlops_assets_tests.orchestration.toy import PARCELS

DAY = date(2024, 3, 20)
WINDOW, AGE = timedelta(days=3), timedelta(days=2)


def first(day: date, *, back: timedelta) -> str:
    return (day - back - LATE_OUTCOMES).isoformat()


def test_a_batch_reaches_back_as_far_as_windows_and_the_age_of_side_data_ask() -> None:
    reach = reach_of_batch(PARCELS, batch=DAY.isoformat())

    assert reach.history == Wanted(first=first(DAY, back=WINDOW), last=DAY.isoformat())
    assert reach.sources == Wanted(first=first(DAY, back=AGE), last=DAY.isoformat())


def test_side_data_that_may_be_old_is_read_from_long_before() -> None:
    (roads,) = PARCELS.asof
    old = replace(PARCELS, asof=(replace(roads, max_age=timedelta(days=10)),))

    assert reach_of_batch(old, batch=DAY.isoformat()).sources == Wanted(
        first=first(DAY, back=timedelta(days=10)), last=DAY.isoformat()
    )


def test_side_data_of_any_age_is_read_up_to_the_last_day() -> None:
    (roads,) = PARCELS.asof
    ageless = replace(PARCELS, asof=(replace(roads, max_age=None),))

    assert reach_of_batch(ageless, batch=DAY.isoformat()).sources == Wanted(last=DAY.isoformat())
    assert reach_back(ageless, as_of=DAY).sources == EVERY_BATCH


def test_days_reach_from_before_the_first_to_the_last() -> None:
    reach = reach_between(PARCELS, first=DAY, last=DAY + timedelta(days=5))

    assert (reach.history.first, reach.history.last) == (first(DAY, back=WINDOW), "2024-03-25")


def test_a_named_batch_is_read_by_itself() -> None:
    assert reach_of_batch(INCOME, batch="june").sources == Wanted.these(["june"])
