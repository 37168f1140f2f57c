"""Constants, missing columns, vanished values and copies are found without a scale, and not where they are usual."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.drift import DriftPlan
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.plain_faults import (
    ALL_MISSING,
    BECAME_CONSTANT,
    COPIED_SEGMENT,
    SAME_ROWS,
    VANISHED,
)
from mlops_assets.watch.profiles.profiling import profile_batches
from mlops_assets.watch.profiles.shift import Shift

PLAIN = {ALL_MISSING, BECAME_CONSTANT, COPIED_SEGMENT, SAME_ROWS, VANISHED}
DAYS = [(date(2024, 1, 1) + timedelta(days=number)).isoformat() for number in range(40)]
LAST, ROWS = DAYS[-1], 300
Columns = Mapping[str, object]
Change = Callable[[dict[str, np.ndarray]], Columns]


def columns(random: np.random.Generator) -> dict[str, np.ndarray]:
    station = np.array(["a", "b", "c"]).repeat(ROWS // 3)
    return {
        "station": station,
        "level": random.normal(10, 3, ROWS).round(2),
        "wind": random.choice(36, ROWS) * 10.0,
        "rain": np.where(random.random(ROWS) < 0.02, 1.0, 0.0) * (random.random() < 0.5),
        "maker": np.array([f"m{n}" for n in random.choice(3000, ROWS)]),
        "kind": random.choice(["big", "small", "rare"], ROWS, p=[0.6, 0.36, 0.04]),
    }


def faults(change: Change) -> list[Shift]:
    """What needs no scale on the last day, which is changed."""
    random = np.random.default_rng(11)
    rows = {day: columns(random) for day in DAYS}
    tables = {day: pa.table(dict(each)) for day, each in rows.items() if day != LAST}
    tables[LAST] = pa.table(dict(change(rows[LAST] | {"before": rows[DAYS[-2]]})))  # type: ignore[dict-item]
    with duckdb.connect() as connection:
        known = profile_batches(tables, columns=list(rows[LAST]), slices=("station",), connection=connection)
    report = compare(known, batches=[LAST], plan=DriftPlan())[LAST]
    return [shift for shift in report.moved if shift.measure in PLAIN]


def with_column(name: str, value: Callable[[np.ndarray], object]) -> Change:
    return lambda day: {**{k: v for k, v in day.items() if k != "before"}, name: value(day[name])}


def told(change: Change) -> set[tuple[str, str]]:
    return {(shift.measure, shift.column) for shift in faults(change)}


def test_a_usual_day_has_none() -> None:
    assert told(with_column("level", lambda values: values)) == set()


@pytest.mark.parametrize("name", ["level", "wind", "maker"])
def test_a_column_that_became_constant_is_found_however_many_values_it_had(name: str) -> None:
    assert (BECAME_CONSTANT, name) in told(with_column(name, lambda values: np.repeat(values[:1], ROWS)))


def test_a_constant_that_other_days_had_is_none() -> None:
    assert told(with_column("rain", np.zeros_like)) == set()


def test_a_frozen_segment_is_found_and_named() -> None:
    def freeze(values: np.ndarray) -> np.ndarray:
        return np.where(np.arange(ROWS) < ROWS // 3, 180.0, values)

    (fault,) = faults(with_column("wind", freeze))
    assert (fault.measure, fault.scope, fault.detail) == (BECAME_CONSTANT, "station=a", "180\nall 100 rows")


def test_a_column_that_is_as_good_as_constant_is_found() -> None:
    (fault,) = faults(with_column("wind", lambda values: np.where(np.arange(ROWS) % 10, 180.0, values)))
    assert (fault.measure, fault.scope) == (BECAME_CONSTANT, "overall")
    assert fault.detail.startswith("180\n27")


@pytest.mark.parametrize("name", ["level", "maker"])
def test_a_column_that_is_missing_everywhere_is_found(name: str) -> None:
    kind = {"level": pa.float64(), "maker": pa.string()}[name]
    assert (ALL_MISSING, name) in told(with_column(name, lambda values: pa.nulls(ROWS, kind)))


def test_a_value_of_four_percent_that_vanishes_is_found_with_how_many_are_usual() -> None:
    (fault,) = faults(with_column("kind", lambda values: np.where(values == "rare", "big", values)))
    value, left, usual = fault.detail.split("\n")
    assert (fault.measure, value, left) == (VANISHED, "rare", "no")
    assert 8 <= int(usual.split()[0]) <= 16


def test_the_rows_of_the_day_before_are_found() -> None:
    assert (SAME_ROWS, "") in told(lambda day: day["before"])  # type: ignore[arg-type,return-value]


def test_a_segment_that_is_a_copy_of_another_is_found() -> None:
    third = ROWS // 3

    def copy(day: dict[str, np.ndarray]) -> Columns:
        own = {name: values for name, values in day.items() if name != "before"}
        return {
            name: values if name == "station" else np.concatenate([values[:third], values[:third], values[2 * third :]])
            for name, values in own.items()
        }

    (fault,) = [fault for fault in faults(copy) if fault.measure == COPIED_SEGMENT]
    assert (fault.scope, fault.detail) == ("station=b", "station=a")
