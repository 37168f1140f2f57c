"""Profiles add up: a merge in any order is the profile of all rows, and figures are as close as the module says."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.errors import ValidationError
from mlops_assets.watch.profiles import cells
from mlops_assets.watch.profiles.cells import HASHES
from mlops_assets.watch.profiles.profile import CELLS, TEXTS, Profile, merge
from mlops_assets.watch.profiles.profiling import profile_batches

COLUMNS = ("number", "word", "moment")


def make_rows(numbers: Sequence[float | None], *, words: Sequence[str | None] = ()) -> pa.Table:
    """One row per number; words are repeated as needed, moments go on hour by hour."""
    size = len(numbers)
    return pa.table(
        {
            "number": pa.array(numbers, pa.float64()),
            "word": pa.array([words[at % len(words)] if words else "a" for at in range(size)], pa.string()),
            "moment": pa.array([at * 3_600_000_000 for at in range(size)], pa.timestamp("us")),
        }
    )


def profile(rows: pa.Table, *, slices: Sequence[str] = ()) -> Profile:
    return profile_all({"only": rows}, slices=slices)["only"]


def profile_all(batches: Mapping[str, pa.Table], *, slices: Sequence[str] = ()) -> dict[str, Profile]:
    with duckdb.connect() as connection:
        return profile_batches(batches, columns=COLUMNS, slices=slices, connection=connection)


def counts_of(found: Profile) -> list[dict[str, object]]:
    """All that must be equal to the last bit; means and squares are compared apart."""
    return found.table.drop_columns(["mean", "squares"]).to_pylist()


values = st.one_of(
    st.none(),
    st.integers(-5, 5).map(float),
    st.floats(-1e6, 1e6, allow_nan=False),
    st.floats(-1e-6, 1e-6, allow_nan=False),
    st.sampled_from([1e300, -1e300, 0.0]),
)
tables = st.lists(st.tuples(values, st.sampled_from([None, "a", "b", "ü", ""])), max_size=40).map(
    lambda rows: make_rows([number for number, _ in rows], words=[word for _, word in rows])
)


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(tables, min_size=1, max_size=4), order=st.randoms())
def test_merge_in_any_order_is_the_profile_of_all_rows(parts: list[pa.Table], order: object) -> None:
    whole = profile(pa.concat_tables(parts), slices=["word"])
    found = list(profile_all({str(at): part for at, part in enumerate(parts)}, slices=["word"]).values())
    order.shuffle(found)  # type: ignore[attr-defined]
    stepwise = found[0]
    for each in found[1:]:
        stepwise = merge([stepwise, each])
    for merged in (merge(found), stepwise):
        assert counts_of(merged) == counts_of(whole)


def test_merge_of_many_cells_and_texts_is_the_profile_of_all_rows() -> None:
    random = np.random.default_rng(1)
    parts = [make_rows(random.normal(scale=10.0**at, size=2000).tolist(), words="abcdef") for at in range(4)]
    whole, merged = (
        profile(pa.concat_tables(parts)),
        merge(list(profile_all(dict(zip("abcd", parts, strict=True))).values())),
    )
    assert counts_of(merged) == counts_of(whole)
    assert len(merged.column("number").lows) <= CELLS
    assert merged.column("number").mean == pytest.approx(whole.column("number").mean, rel=1e-12)
    assert merged.column("number").deviation == pytest.approx(whole.column("number").deviation, rel=1e-12)


def test_order_of_rows_does_not_matter() -> None:
    rows = make_rows(np.random.default_rng(2).normal(size=500).tolist(), words="abc")
    shuffled = rows.take(np.random.default_rng(3).permutation(500))
    assert profile(rows, slices=["word"]).table.equals(profile(shuffled, slices=["word"]).table)


@pytest.mark.parametrize("distribution", ["normal", "lognormal", "uniform", "standard_cauchy"])
def test_figures_agree_with_numpy(distribution: str) -> None:
    sample = getattr(np.random.default_rng(4), distribution)(size=20_000)
    found = profile(make_rows([*sample.tolist(), None, None])).column("number")
    assert (found.rows, found.missing, found.present) == (20_002, 2, 20_000)
    assert (found.minimum, found.maximum) == (sample.min(), sample.max())
    assert found.mean == pytest.approx(sample.mean())
    assert found.deviation == pytest.approx(sample.std(ddof=1))
    for share in (0.01, 0.25, 0.5, 0.75, 0.99, 1.0):
        exact = np.quantile(sample, share, method="inverted_cdf")
        assert abs(found.quantile(share) - exact) <= found.width
    shares = np.arange(0.0, 1.01, 0.05)
    assert found.quantiles(shares).tolist() == [found.quantile(share) for share in shares.tolist()]
    edges, counts = found.histogram(10)
    assert counts.sum() == 20_000
    assert (edges[0], edges[-1]) == (sample.min(), pytest.approx(sample.max()))


def test_many_values_are_reduced_some_at_a_time_to_the_same_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_rows(np.random.default_rng(5).normal(size=5_000).tolist(), words="abc")
    at_once = profile(rows, slices=["word"]).table
    monkeypatch.setattr(cells, "_AT_ONCE", 700)
    assert profile(rows, slices=["word"]).table.equals(at_once)


def test_one_far_value_does_not_coarsen_the_others() -> None:
    near = np.random.default_rng(5).normal(size=5000).tolist()
    assert (
        profile(make_rows([*near, 1e12])).column("number").width <= 2 * profile(make_rows(near)).column("number").width
    )


@pytest.mark.parametrize("distinct", [3, CELLS, 5_000, 50_000])
def test_distinct_values_are_exact_or_within_four_standard_errors(distinct: int) -> None:
    numbers = [float(at) for at in range(distinct)] * 2
    found = profile(make_rows(numbers, words=[f"N{at}" for at in range(distinct)]))
    for column in ("number", "word"):
        limit = 0.0 if distinct <= CELLS else 4 * distinct / math.sqrt(HASHES - 2)
        assert abs((found.column(column).distinct or 0) - distinct) <= limit


def test_frequent_texts_are_kept_and_what_may_be_overlooked_is_said() -> None:
    rare = [f"rare {at}" for at in range(TEXTS + 50)]
    found = profile(make_rows([0.0] * (len(rare) + 300), words=["often"] * 300 + rare)).column("word")
    assert found.top(1) == (("often", 300),)
    assert len(found.values) == TEXTS
    assert found.overlooked == 1


def test_segments_have_profiles_of_their_own() -> None:
    found = profile(make_rows([1.0, 2.0, 3.0, 4.0], words=["a", "b", None]), slices=["word"])
    assert found.scopes == ("overall", "word=(missing)", "word=a", "word=b")
    assert found.column("number", scope="word=a").mean == 2.5
    assert found.column("number", scope="word=(missing)").rows == 1


def test_a_batch_without_values_has_a_profile_of_nothing() -> None:
    found = profile(make_rows([None, None])).column("number")
    assert (found.present, found.mean, found.deviation, found.quantile(0.5), found.distinct) == (0, None, None, None, 0)
    assert found.missing_share == 1.0


def test_times_are_profiled_by_hour_of_day() -> None:
    found = profile(make_rows([0.0] * 30)).column("moment")
    assert (found.kind, found.minimum, found.maximum, found.mean) == ("time", 0.0, 23.0, pytest.approx(9.7))


def test_unknown_column_names_the_columns() -> None:
    with pytest.raises(ValidationError, match=r"No column 'speed' of 'overall'.*number, word"):
        profile(make_rows([1.0])).column("speed")


def test_nothing_to_merge_is_refused() -> None:
    with pytest.raises(ValidationError, match="No profiles to merge"):
        merge([])


def test_a_year_of_profiles_merges_at_once() -> None:
    random = np.random.default_rng(6)
    days = {str(day): make_rows(random.integers(0, 1500, 300).tolist(), words="abcdefg") for day in range(365)}
    profiles = list(profile_all(days).values())
    began = time.process_time()
    assert merge(profiles).rows == 365 * 300
    assert time.process_time() - began < 1.0  # goal 0.2 s: benchmarks/validation.py; here only the order of magnitude
