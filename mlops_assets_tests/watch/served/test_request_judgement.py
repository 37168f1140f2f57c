"""One fault in what is asked is one cause that names it; usual days have none, and what cannot be judged says so."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_assets.watch.served.report import Cause
from mlops_assets.watch.served.request_judgement import Past, judge_requests
from mlops_assets.watch.served.request_profiles import EVENT_HOUR
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.watch.served.asked import Change, day_of_requests, judged, name_of, profiles_of, put

DAY = 45


def kilograms_to_pounds(rows: pa.Table) -> pa.Table:
    return put(rows, "weight", pc.multiply(rows["weight"], 2.20462).to_pylist())


def weight_missing(rows: pa.Table) -> pa.Table:
    return put(rows, "weight", [None] * rows.num_rows)


def depot_renamed(rows: pa.Table) -> pa.Table:
    return put(rows, "depot", pc.replace_substring(rows["depot"], "BER", "BRB").to_pylist())


def depot_gone(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.not_equal(rows["depot"], "BER"))


def roads_stopped(rows: pa.Table) -> pa.Table:
    return put(rows, "roads__snow", [None] * rows.num_rows)


def one_depot_stuck(rows: pa.Table) -> pa.Table:
    return put(rows, "roads__snow", pc.if_else(pc.equal(rows["depot"], "AMS"), 12.5, rows["roads__snow"]).to_pylist())


def heavier_in_one_depot(rows: pa.Table) -> pa.Table:
    heavier = pc.add(rows["weight"], np.random.default_rng(1).gamma(4, 1, rows.num_rows))
    return put(rows, "weight", pc.if_else(pc.equal(rows["depot"], "AMS"), heavier, rows["weight"]).to_pylist())


def only_cause(change: Change, *, until: int = 24) -> Cause:
    (day,) = judged(change, until=until)
    (cause,) = day.causes
    return cause


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        (kilograms_to_pounds, "input:weight", "kilograms to pounds (times 2.205)"),
        (weight_missing, "input:weight", "weight is missing in all 240 rows"),
        (depot_renamed, "input:depot", "'BRB' appeared"),
        (depot_gone, "input:depot", "BER"),
        (roads_stopped, "input:roads__snow", "roads__snow is missing in all"),
        (one_depot_stuck, "input:roads", "What is looked up of roads for depot=AMS stayed the same for"),
    ],
)
def test_a_fault_is_one_cause_that_names_it(change: Change, key: str, said: str) -> None:
    cause = only_cause(change)

    assert cause.key == key
    assert said in cause.what
    assert cause.order == "inputs"
    assert cause.since == datetime.fromisoformat(name_of(DAY))
    assert cause.likely_cause
    assert cause.to_do
    assert cause.normal
    assert len(cause.chart) == 15


@pytest.mark.parametrize("until", [24, 14])
def test_usual_days_have_no_cause(until: int) -> None:
    assert [cause.what for day in judged(days=10, until=until) for cause in day.causes] == []


def test_a_cause_tells_what_follows_from_it() -> None:
    assert only_cause(depot_renamed).consequences == (
        "3 features are made of depot or looked up by it: roads__snow, depot__late_rate_3d, depot__parcels_3d.",
    )


def test_a_fault_is_seen_in_the_hours_of_a_day_that_goes_on() -> None:
    assert "kilograms to pounds" in only_cause(kilograms_to_pounds, until=14).what


def test_a_source_that_is_stuck_is_seen_within_hours() -> None:
    found = [bool(judged(one_depot_stuck, until=until)[0].causes) for until in (8, 18)]

    assert found == [False, True]


def test_a_fault_that_stays_is_the_same_cause_since_its_first_day() -> None:
    days = judged(kilograms_to_pounds, days=3)

    assert [[cause.key for cause in day.causes] for day in days] == [["input:weight"]] * 3
    assert {cause.since for day in days for cause in day.causes} == {datetime.fromisoformat(name_of(DAY))}


def test_what_moved_in_one_segment_is_a_cause_once_it_stays() -> None:
    days = judged(heavier_in_one_depot, days=6)

    assert [[cause.key for cause in day.causes] for day in days][:4] == [[]] * 4
    assert "weight" in days[0].unusual
    assert [cause.key for cause in days[5].causes] == ["input:weight"]
    assert days[5].causes[0].since == datetime.fromisoformat(name_of(DAY))


def test_days_that_a_person_accepts_are_the_new_usual() -> None:
    tables = {name_of(number): day_of_requests(number) for number in range(DAY + 2)}
    changed = {name: kilograms_to_pounds(tables[name]) for name in (name_of(DAY), name_of(DAY + 1))}
    profiles = profiles_of({**tables, **changed})
    last = name_of(DAY + 1)
    past = Past(
        profiles={name: each for name, each in profiles.items() if name < last},
        unusual={name_of(DAY): {"weight": ("wasserstein/overall",)}},
        accepted=frozenset([name_of(DAY)]),
    )

    assert judge_requests(profiles[last], day=last, use_case=PARCELS, past=past).causes == ()


def test_after_too_few_days_nothing_is_called_usual() -> None:
    (day,) = judged(kilograms_to_pounds, before=3)

    assert day.causes == ()
    assert {shift.verdict for shift in day.shifts} == {"cannot be judged"}
    assert all(shift.why and shift.detectable is None for shift in day.shifts)


def test_what_is_called_usual_could_have_been_unusual() -> None:
    (day,) = judged()

    usual = [shift for shift in day.shifts if shift.verdict == "usual"]
    assert {"depot", "weight", "roads__snow"} <= {shift.column for shift in usual}
    assert all(shift.detectable is not None and shift.bound is not None for shift in usual)


def test_a_column_that_names_its_rows_is_not_compared() -> None:
    tables = {name_of(number): day_of_requests(number) for number in range(40)}
    named = {
        name: put(rows, "number", range(at * 1000, at * 1000 + rows.num_rows))
        for at, (name, rows) in enumerate(tables.items())
    }
    profiles = profiles_of(named)
    last = max(profiles)

    day = judge_requests(profiles.pop(last), day=last, use_case=PARCELS, past=Past(profiles=profiles))

    assert "number" not in {shift.column for shift in day.shifts}
    assert day.causes == ()


def test_a_day_without_requests_in_its_first_hours_is_not_judged() -> None:
    (day,) = judged(lambda rows: rows.filter(pc.greater(rows[EVENT_HOUR], 12)), until=10)

    assert (day.rows, day.shifts, day.causes) == (0, (), ())


def test_held_out_days_in_the_reference_are_told() -> None:
    profiles = profiles_of({name_of(number): day_of_requests(number) for number in range(30)})
    last = max(profiles)
    today = profiles.pop(last)
    past = Past(profiles=profiles, held_out=frozenset(sorted(profiles)[:20]), version="v1")

    told = judge_requests(today, day=last, use_case=PARCELS, past=past).compared_with
    assert told == "9 served days and 19 days' worth of held-out rows of v1"
