"""A profile tells shares and missing values truly, whatever a column holds."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mlops_assets.contract.features import Feature
from mlops_assets.features.catalogue import BINS, MOST_ROWS, TOP_CATEGORIES, FeatureProfile, profile_view

NUMBER = Feature(name="x", kind="numeric", description="", owner="us")
WORD = Feature(name="x", kind="categorical", description="", owner="us")


def profiled(values: list[object], *, feature: Feature = NUMBER, kind: pa.DataType | None = None) -> FeatureProfile:
    view = pa.table({"x": pa.array(values, kind)})
    return profile_view(view, features=[feature], through="2013-06-30").features["x"]


def test_every_value_is_in_a_bin_and_outliers_are_in_the_outer_ones() -> None:
    found = profiled([*range(1000), 10**9, None], kind=pa.int64())

    assert found.missing_share == 1 / 1002
    assert len(found.shares) == BINS
    assert len(found.edges) == BINS + 1
    assert sum(found.shares) == pytest.approx(1, abs=1e-4)
    assert found.edges[-1] < 1000
    assert found.shares[-1] == pytest.approx(1 / BINS, abs=0.02)


def test_few_whole_numbers_have_a_bin_each() -> None:
    found = profiled([1, 1, 3, 4], kind=pa.int64())

    assert found.shares == (0.5, 0.0, 0.25, 0.25)
    assert found.edges == (1.0, 2.0, 3.0, 4.0, 5.0)


def test_one_value_only_is_one_bin() -> None:
    assert profiled([7.0, 7.0]).shares == (1.0,)


def test_what_is_always_missing_has_no_distribution() -> None:
    assert profiled([None, None], kind=pa.float64()) == FeatureProfile(missing_share=1.0)


def test_the_most_frequent_categories_are_named_and_the_others_counted() -> None:
    words = [f"w{number}" for number in range(20) for _ in range(number + 1)]
    found = profiled([*words, None], feature=WORD)

    assert found.categories == tuple(f"w{number}" for number in range(19, 19 - TOP_CATEGORIES, -1))
    assert found.shares[0] == pytest.approx(20 / 210, abs=1e-6)
    assert found.distinct == 20


def test_missing_shares_are_of_all_rows_even_where_a_sample_is_drawn() -> None:
    rows = 3 * MOST_ROWS

    assert profiled([None] + [1.0] * (rows - 1)).missing_share == 1 / rows
