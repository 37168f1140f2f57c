"""What explains a shift is told apart: another unit, an offset, a new name, missing rows, or the whole world."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.anomalies import Cause
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.profiling import profile_batches
from mlops_assets.watch.validation.explanations import Figures, Moved, explain
from mlops_assets.watch.validation.value_forms import Form

Columns = dict[str, np.ndarray]
DAYS = 10


def columns(rows: int = 600, *, seed: int = 0) -> Columns:
    random = np.random.default_rng(seed)
    shop = random.choice(["a", "b", "c", "d"], rows, p=[0.4, 0.3, 0.2, 0.1])
    gap = np.where(random.random(rows) < 0.3, np.nan, random.normal(5, 1, rows).round(1))
    return {
        "shop": shop,
        "weight": random.gamma(4, 20, rows).round(1),
        "height": random.normal(170, 8, rows).round(),
        "gap": gap,
    }


def profile(found: Columns) -> Profile:
    table = pa.table({name: pa.array(values, from_pandas=True) for name, values in found.items()})
    with duckdb.connect() as connection:
        return profile_batches({"x": table}, columns=table.column_names, slices=("shop",), connection=connection)["x"]


REFERENCE = profile(columns(600 * DAYS))


def explained(column: str, *, change: Callable[[Columns], Columns]) -> Form | None:
    found = profile(change(columns(seed=1)))
    return explain(
        Moved(column=column, found=Figures(profile=found), reference=Figures(profile=REFERENCE), batches=DAYS)
    )


def put(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Columns], Columns]:
    return lambda found: {**found, name: change(found[name])}


def swap(found: Columns) -> Columns:
    return {**found, "weight": found["height"], "height": found["weight"]}


def keep(found: Columns, *, where: np.ndarray) -> Columns:
    return {name: values[where] for name, values in found.items()}


@pytest.mark.parametrize(
    ("column", "change", "cause", "says"),
    [
        ("weight", put("weight", lambda values: values * 2.20462), Cause.FACTOR, "kilograms to pounds"),
        ("weight", put("weight", lambda values: -values), Cause.FACTOR, "sign turned"),
        ("height", put("height", np.radians), Cause.FACTOR, "angles in degrees to radians (times 0.01745)"),
        ("height", put("height", lambda values: values + 40), Cause.OFFSET, "+40"),
        ("weight", swap, Cause.SWAPPED_COLUMNS, "has the values of height"),
        ("gap", put("gap", lambda values: np.nan_to_num(values, nan=99.0)), Cause.MISSING_AS_CONSTANT, "become 99"),
        ("shop", put("shop", lambda values: np.where(values == "b", "B-2", values)), Cause.CATEGORY_RENAMED, "'b'"),
        ("shop", lambda found: keep(found, where=found["shop"] != "a"), Cause.ROWS_MISSING, "shop=a are missing"),
        ("weight", lambda found: keep(found, where=found["weight"] < 80), Cause.ROWS_MISSING, "beyond 79"),
        ("weight", put("weight", lambda values: values**1.3), Cause.BROAD_CHANGE, "rose in 4 of 4 segments"),
    ],
)
def test_cause_is_found_with_its_evidence(
    column: str, change: Callable[[Columns], Columns], cause: Cause, says: str
) -> None:
    form = explained(column, change=change)
    assert form is not None
    assert form.cause is cause, form.explanation
    assert says in form.explanation


def test_noise_in_one_segment_has_no_explanation() -> None:
    random = np.random.default_rng(5)

    def shuffle(found: Columns) -> Columns:
        return {**found, "height": np.where(found["shop"] == "a", random.normal(170, 60, 600), found["height"])}

    assert explained("height", change=shuffle) is None


def test_values_that_are_known_as_they_are_were_not_converted() -> None:
    random = np.random.default_rng(3)

    def directions(high: int, rows: int) -> Profile:
        return profile({"wind": random.integers(1, high, rows) * 10.0, "shop": np.repeat("a", rows)})

    usual = Figures(profile=directions(37, 200 * DAYS))
    told = [
        explain(Moved(column="wind", found=Figures(profile=found), reference=usual, batches=DAYS, usual=1.0))
        for found in (
            directions(12, 200),
            profile({"wind": random.integers(1, 37, 200) * 3.048, "shop": np.repeat("a", 200)}),
        )
    ]
    assert told[0] is None
    assert told[1] is not None
    assert "feet to metres" in told[1].explanation


def test_unknown_column_has_none_either() -> None:
    assert explained("colour", change=lambda found: found) is None


def test_figures_of_a_column_are_read_once_however_many_anomalies_ask_for_them() -> None:
    figures = Figures(profile=REFERENCE)
    assert figures.of("weight") is figures.of("weight")
    assert figures.of("weight", scope="shop=a") is not figures.of("weight")
    assert figures.of("weight", scope="shop=x") is None
