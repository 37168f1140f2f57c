"""Served features are held against training rows: a changed unit is found, another day of the same is not."""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.anomalies import Cause, Code
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.features import Feature
from mlops_assets.contract.severity import Severity
from mlops_assets.watch.validation.skew import judge_skew

FEATURES = (
    Feature(name="weight", kind="numeric", description="grams", owner="x"),
    Feature(name="shop", kind="categorical", description="where", owner="x"),
)
FIRST = datetime(2024, 1, 1)


def rows(days: int, *, a_day: int = 200, seed: int = 0) -> pa.Table:
    """Days alike, with a little of their own."""
    random = np.random.default_rng(seed)
    count = days * a_day
    level = np.repeat(random.normal(0, 2, days), a_day)
    moment = [FIRST + timedelta(days=at // a_day) for at in range(count)]
    return pa.table(
        {
            "event_time": pa.array(moment, pa.timestamp("us")),
            "weight": random.gamma(4, 20, count) + level,
            "shop": random.choice(["a", "b", "c"], count, p=[0.5, 0.3, 0.2]),
        }
    )


def judged(served: pa.Table, *, known: pa.Table | None = None) -> CheckResult:
    known = rows(60) if known is None else known
    trained = known.slice(0, known.num_rows // 2)
    with duckdb.connect() as connection:
        return judge_skew(
            served, trained=trained, recent=known, features=FEATURES, batch="2024-03-02", connection=connection
        )


def put(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))


@pytest.mark.parametrize("seed", range(10, 15))
def test_another_day_of_the_same_is_no_skew(seed: int) -> None:
    told = judged(rows(1, seed=seed))
    assert told.passed, told.reasons
    assert told.figures["comparisons"] == 6
    assert told.batch == "2024-03-02"


def test_a_feature_in_another_unit_is_named_with_what_explains_it() -> None:
    served = rows(1, seed=10)
    told = judged(put(served, "weight", served["weight"].to_numpy() / 1000))
    assert told.severity is Severity.WARN
    assert not told.passed
    assert {(each.column, each.code, each.cause) for each in told.anomalies} == {
        ("weight", Code.DISTRIBUTION_MOVED, Cause.FACTOR)
    }
    assert "a thousandth" in told.reasons[0]


def test_a_feature_that_answers_lack_is_missing() -> None:
    told = judged(put(rows(1, seed=10), "shop", [None] * 200))
    assert {(each.column, each.code) for each in told.anomalies} == {("shop", Code.MISSING_SHARE_MOVED)}


def test_few_answers_are_insufficient_data_and_are_not_called_missing() -> None:
    told = judged(rows(1, a_day=30, seed=10))
    assert told.passed
    assert told.figures["verdict"] == "insufficient data"


def test_rows_without_a_time_are_judged_by_parts() -> None:
    known = rows(60).drop_columns("event_time")
    served = rows(1, seed=10).drop_columns("event_time")
    assert judged(served, known=known).figures["comparisons"] == 6
    assert judged(put(served, "shop", ["new"] * 200), known=known).anomalies
