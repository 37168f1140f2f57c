"""A window is judged as a whole, beside the windows of its length before it."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa

from mlops_assets.contract.drift import DriftPlan
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.profiling import profile_batches
from mlops_assets.watch.profiles.windows import WINDOWS, Window, compare_windows, merged_windows, windows_until

FIRST = date(2024, 1, 1)
LENGTH, COUNT = 4, 18
LAST = Window(first=FIRST + timedelta(days=LENGTH * (COUNT - 1)), last=FIRST + timedelta(days=LENGTH * COUNT - 1))


def profiles(*, moved_by: float = 0.0, count: int = COUNT) -> dict[str, Profile]:
    """Windows of days; on every day of the last one a number is ``moved_by`` deviations higher, days differ by more."""
    random = np.random.default_rng(3)
    days = {}
    for number in range(LENGTH * (COUNT - count), LENGTH * COUNT):
        day = (FIRST + timedelta(days=number)).isoformat()
        of_the_day = (number % LENGTH - 1.5) * 2 + moved_by * (day in LAST.days)
        days[day] = pa.table(
            {"number": random.normal(of_the_day, 1, 300).round(2), "word": random.choice(["a", "b"], 300)}
        )
    with duckdb.connect() as connection:
        return profile_batches(days, columns=["number", "word"], connection=connection)


def test_windows_before_are_of_the_same_length_and_touch() -> None:
    february = Window(first=date(2013, 2, 1), last=date(2013, 2, 28))
    assert str(february.before) == "2013-01-04 to 2013-01-31"
    assert (len(february.days), february.days[0], february.days[-1]) == (28, "2013-02-01", "2013-02-28")
    assert len(windows_until(february)) == WINDOWS + 1


def test_merged_windows_are_the_merge_of_their_days_and_end_where_nothing_is_known() -> None:
    days = profiles()
    merged = merged_windows(days, until=LAST)
    assert len(merged) == COUNT
    assert list(merged)[-1] == str(LAST)
    assert {profile.rows for profile in merged.values()} == {LENGTH * 300}
    lacking = {day: profile for day, profile in days.items() if day not in LAST.before.days}
    assert list(merged_windows(lacking, until=LAST)) == [str(LAST)]
    begun = {day: profile for day, profile in days.items() if day != LAST.days[-1]}
    assert len(merged_windows(begun, until=LAST)) == COUNT


def test_a_window_that_moved_as_a_whole_is_found_however_unlike_its_days_are() -> None:
    calm = compare_windows(merged_windows(profiles(), until=LAST), plan=DriftPlan())
    assert calm.judged > 0
    assert calm.moved == ()
    moved = compare_windows(merged_windows(profiles(moved_by=1.0), until=LAST), plan=DriftPlan())
    assert {shift.column for shift in moved.moved} == {"number"}
    assert moved.reference == (str(LAST.before),)


def test_few_windows_before_are_insufficient_but_distances_are_told() -> None:
    report = compare_windows(merged_windows(profiles(moved_by=1.0, count=5), until=LAST), plan=DriftPlan())
    assert report.judged == 0
    assert {shift.verdict for shift in report.shifts} == {"insufficient data"}
    assert max(shift.found for shift in report.shifts if shift.column == "number") > 0.3
