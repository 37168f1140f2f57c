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
    trailing = compare(known, batches=[LAST], plan=DriftPlan(window=7))[LAST]
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
