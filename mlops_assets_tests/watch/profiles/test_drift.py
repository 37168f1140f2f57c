"""A batch has moved if it is farther from its reference than batches usually are, on enough rows; else not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.drift import DriftPlan
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.profiling import profile_batches
from mlops_assets.watch.profiles.shift import DriftReport

FIRST = date(2024, 1, 1)
DAYS = 60
LAST = (FIRST + timedelta(days=DAYS - 1)).isoformat()


def table(random: np.random.Generator, rows: int) -> pa.Table:
    columns: dict[str, object] = {f"number_{i}": np.round(random.normal(0, 10, rows)) for i in range(3)}
    columns["word"] = random.choice(["a", "b", "c", "d"], rows, p=[0.4, 0.3, 0.2, 0.1])
    missing = random.random(rows) < 0.1
    return pa.table(columns).append_column("gap", pa.array(random.normal(0, 1, rows).round(1), mask=missing))


def profiles(
    rows: int, *, last: Callable[[pa.Table], pa.Table] = lambda table: table, seed: int = 1
) -> dict[str, Profile]:
    """Sixty days of the same process; ``last`` changes the last one."""
    random = np.random.default_rng(seed)
    days = {(FIRST + timedelta(days=number)).isoformat(): table(random, rows) for number in range(DAYS)}
    days[LAST] = last(days[LAST])
    with duckdb.connect() as connection:
        return profile_batches(days, columns=days[LAST].column_names, slices=("word",), connection=connection)


def judge(rows: int, *, last: Callable[[pa.Table], pa.Table], **plan: object) -> DriftReport:
    return compare(profiles(rows, last=last), batches=[LAST], plan=DriftPlan(**plan))[LAST]  # type: ignore[arg-type]


def moved(report: DriftReport) -> set[tuple[str, str]]:
    return {(shift.column, shift.measure) for shift in report.moved if shift.scope == "overall"}


def put(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        return table.set_column(at, name, pa.array(change(table[name].to_numpy())))

    return changed


@pytest.mark.parametrize("rows", [100, 1_000, 100_000])
def test_false_alarms_are_as_rare_with_few_rows_as_with_many(rows: int) -> None:
    known = profiles(rows)
    reports = compare(known, batches=list(known)[-30:], plan=DriftPlan())
    alarms = [report.batch for report in reports.values() if report.moved]
    assert len(alarms) <= 2
    assert all(report.judged > 10 for report in reports.values())


@pytest.mark.parametrize("rows", [100, 1_000, 10_000])
def test_a_real_shift_is_found_at_every_size(rows: int) -> None:
    report = judge(rows, last=put("number_1", lambda values: values + 20))
    assert {column for column, _ in moved(report)} == {"number_1"}
    assert report.moved[0].p_value < 1e-6


def test_new_words_and_missing_values_are_told_apart() -> None:
    renamed = judge(1000, last=put("word", lambda values: np.where(values == "c", "x", values)))
    assert ("word", "unseen_share") in moved(renamed)
    filled = judge(1000, last=put("gap", lambda values: np.nan_to_num(values, nan=0.0)))
    assert ("gap", "missing_share") in moved(filled)


def test_an_effect_that_chance_explains_is_none() -> None:
    report = judge(60, last=put("number_1", lambda values: values + 3), minimum_rows=50)
    assert moved(report) == set()


def test_significant_but_small_is_none() -> None:
    report = judge(
        50_000, last=put("number_1", lambda values: np.where(np.arange(len(values)) % 50, values, values + 1))
    )
    assert moved(report) == set()
    (shift,) = [s for s in report.shifts if (s.column, s.measure) == ("number_1", "wasserstein")]
    assert shift.verdict == "normal"
    assert shift.found > 0


def test_too_few_rows_or_days_are_insufficient_data() -> None:
    few = judge(20, last=lambda table: table)
    assert {shift.verdict for shift in few.shifts} == {"insufficient data"}
    assert "20 rows, needs 40" in few.shifts[0].why
    known = profiles(200)
    young = {day: known[day] for day in list(known)[:10]}
    report = compare(young, batches=[list(young)[-1]], plan=DriftPlan())[list(young)[-1]]
    assert {shift.verdict for shift in report.shifts} == {"insufficient data"}
    assert "earlier batches" in report.shifts[0].why


def test_raw_distances_are_always_told() -> None:
    report = judge(20, last=lambda table: table)
    assert set(report.raw["number_0"]) == {"stability_index", "mean_shift", "deviation_ratio"}
    assert set(report.raw["word"]) == {"stability_index", "largest_difference"}


def test_declared_bound_replaces_the_learnt_one() -> None:
    shift = put("number_1", lambda values: values + 20)
    assert (
        moved(judge(1000, last=shift, bounds={("number_1", "wasserstein"): 5.0, ("number_1", "jensen_shannon"): 0.9}))
        == set()
    )
    with pytest.raises(DeclarationError, match=r"Unknown measures \['kolmogorov'\]"):
        DriftPlan(bounds={("number_1", "kolmogorov"): 1.0})


def test_references_are_the_window_the_weekdays_or_the_training_days() -> None:
    known = profiles(100)
    trailing = compare(known, batches=[LAST], plan=DriftPlan(window=7, minimum_past=7))[LAST]
    assert trailing.reference == tuple((FIRST + timedelta(days=n)).isoformat() for n in range(DAYS - 8, DAYS - 1))
    weekly = compare(known, batches=[LAST], plan=DriftPlan(reference="same weekday"))[LAST]
    assert {date.fromisoformat(day).weekday() for day in weekly.reference} == {date.fromisoformat(LAST).weekday()}
    training = list(known)[3:9]
    assert compare(known, batches=[LAST], plan=DriftPlan(), training=training)[LAST].reference == tuple(training)


def test_order_of_rows_changes_nothing() -> None:
    random = np.random.default_rng(3)
    as_is = judge(500, last=lambda table: table)
    shuffled = judge(500, last=lambda table: table.take(random.permutation(table.num_rows)))
    assert as_is == shuffled


def test_cells_of_different_widths_are_compared_on_the_coarser_grid() -> None:
    def widen(table: pa.Table) -> pa.Table:
        values = table["number_0"].to_numpy().copy()
        values[:5] = [1e6, -1e6, 3e7, 2.5e5, 7e8]
        return table.set_column(0, "number_0", pa.array(values))

    report = judge(1000, last=widen)
    distance = [s.found for s in report.shifts if (s.column, s.measure) == ("number_0", "jensen_shannon")]
    assert distance[0] < 0.1


def level(*, stays: bool, fault: float = 0.0) -> dict[str, Profile]:
    """Sixty days whose number steps by 30 ten days before the last, for a day or for good; ``fault`` on the last."""
    random = np.random.default_rng(5)
    days = {(FIRST + timedelta(days=number)).isoformat(): table(random, 500) for number in range(DAYS)}
    for number, day in enumerate(days):
        stepped = 30.0 if number == DAYS - 11 or (stays and number > DAYS - 11) else 0.0
        days[day] = put("number_1", lambda values, by=stepped: values + by)(days[day])  # type: ignore[misc]
    days[LAST] = put("number_1", lambda values: values + fault)(days[LAST])
    with duckdb.connect() as connection:
        return profile_batches(days, columns=["number_0", "number_1"], connection=connection)


STEP = (FIRST + timedelta(days=DAYS - 11)).isoformat()


def test_a_day_that_alarmed_does_not_hide_the_same_fault_ten_days_later() -> None:
    unusual = {STEP: frozenset({"number_1"})}
    report = compare(level(stays=False, fault=30.0), batches=[LAST], plan=DriftPlan(), unusual=unusual)[LAST]
    assert ("number_1", "wasserstein") in moved(report)


def test_a_new_level_is_unusual_until_a_person_accepts_it() -> None:
    known, after = level(stays=True), (FIRST + timedelta(days=DAYS - 10)).isoformat()
    days = [day for day in known if day >= STEP]
    told = compare(known, batches=days, plan=DriftPlan())
    assert "number_1" in told[STEP].moved_columns
    assert "number_1" in told[after].moved_columns
    accepted = compare(known, batches=days, plan=DriftPlan(), accepted=[STEP])
    assert [day for day in days if accepted[day].moved] == [STEP]


def test_a_fault_on_the_accepted_level_is_found() -> None:
    known = level(stays=True, fault=30.0)
    report = compare(known, batches=[day for day in known if day >= STEP], plan=DriftPlan(), accepted=[STEP])[LAST]
    assert "number_1" in report.moved_columns


def test_a_level_that_stays_is_new_once_and_then_goes_on_since_it_began() -> None:
    known = level(stays=True)
    days = [day for day in known if day >= STEP]
    told = compare(known, batches=days, plan=DriftPlan())
    assert {shift.since for shift in told[STEP].moved} == {""}
    for day in days[1:]:
        assert STEP <= min(shift.since for shift in told[day].moved) < day
    accepted = compare(known, batches=days, plan=DriftPlan(), accepted=[STEP])
    assert {shift.since for report in accepted.values() for shift in report.moved} == {""}


def test_a_fault_on_a_level_that_stays_is_new() -> None:
    known = level(stays=True, fault=30.0)
    told = compare(known, batches=[day for day in known if day >= STEP], plan=DriftPlan())
    assert {shift.since for shift in told[LAST].moved if shift.measure == "wasserstein"} == {""}


def test_a_storm_hides_no_smaller_fault_in_the_weeks_after_it() -> None:
    storm = [DAYS - 14, DAYS - 13]
    random = np.random.default_rng(5)
    days = {(FIRST + timedelta(days=number)).isoformat(): table(random, 500) for number in range(DAYS)}
    for number, day in enumerate(days):
        if number in (*storm, DAYS - 1):
            lost = np.arange(500) < (300 if number in storm else 50)
            values = pa.array(np.where(lost, np.nan, days[day]["number_1"]), from_pandas=True)
            days[day] = days[day].set_column(1, "number_1", values)
    with duckdb.connect() as connection:
        known = profile_batches(days, columns=["number_0", "number_1"], connection=connection)
    (found,) = [s for s in after_storm(known).moved if s.measure == "missing_share"]
    assert found.found == pytest.approx(0.1)
    assert found.bound == pytest.approx(0.02)
    assert not {list(days)[number] for number in storm} & set(found.against)


def after_storm(known: dict[str, Profile]) -> DriftReport:
    return compare(known, batches=list(known)[-20:], plan=DriftPlan())[LAST]


def test_many_batches_judged_at_once_are_judged_as_one_after_the_other() -> None:
    known = level(stays=True)
    days = [day for day in known if day >= STEP]
    together = compare(known, batches=days, plan=DriftPlan())
    unusual: dict[str, frozenset[str]] = {}
    for day in days:
        before = {name: profile for name, profile in known.items() if name <= day}
        alone = compare(before, batches=[day], plan=DriftPlan(), unusual=unusual)[day]
        assert {(shift.column, bool(shift.since)) for shift in alone.moved} == {
            (shift.column, bool(shift.since)) for shift in together[day].moved
        }
        unusual |= {day: alone.moved_columns}


def test_a_steady_column_is_compared_with_the_batch_before_it() -> None:
    hours = [5.0] * 40 + [4.0] * (DAYS - 41) + [5.0]
    rows = {
        (FIRST + timedelta(days=number)).isoformat(): pa.table({"hours": np.full(100, hour)})
        for number, hour in enumerate(hours)
    }
    with duckdb.connect() as connection:
        known = profile_batches(rows, columns=["hours"], connection=connection)
    reports = compare(known, batches=list(known)[30:], plan=DriftPlan())
    stepped = (FIRST + timedelta(days=40)).isoformat()
    assert [day for day, report in reports.items() if report.moved] == [stepped, LAST]


DROPS = [f"drop-{number}" for number in range(5)]


def judge_drop(*, last: Callable[[pa.Table], pa.Table]) -> DriftReport:
    """The fifth drop beside the four before it."""
    random = np.random.default_rng(7)
    rows = {name: table(random, 2000) for name in DROPS}
    rows[DROPS[-1]] = last(rows[DROPS[-1]])
    with duckdb.connect() as connection:
        known = profile_batches(rows, columns=rows[DROPS[0]].column_names, connection=connection)
    return compare(known, batches=DROPS[-1:], plan=DriftPlan(), order=DROPS)[DROPS[-1]]


def test_drops_with_names_are_judged_by_effect_and_chance_while_few_are_known() -> None:
    clean = judge_drop(last=lambda table: table)
    assert clean.judged > 5
    assert clean.moved == ()
    spoilt = judge_drop(last=put("number_1", lambda values: values + 20))
    assert spoilt.moved_columns == {"number_1"}
    assert "too few earlier batches to know what is usual" in spoilt.moved[0].why


@pytest.mark.parametrize("names", [[f"month-{n}" for n in range(16)], [f"2024-{n % 12 + 1:02}-01" for n in range(12)]])
def test_a_share_of_labels_that_no_batch_had_is_told(names: list[str]) -> None:
    random = np.random.default_rng(11)
    shares = [*random.uniform(0.34, 0.45, len(names) - 1), 0.97]
    rows = {name: pa.table({"label": random.random(800) < share}) for name, share in zip(names, shares, strict=True)}
    with duckdb.connect() as connection:
        known = profile_batches(rows, columns=["label"], connection=connection)
    plan = DriftPlan(window=365) if "month" not in names[0] else DriftPlan()
    report = compare(known, batches=names[-1:], plan=plan, order=names)[names[-1]]
    assert report.moved_columns == {"label"}
