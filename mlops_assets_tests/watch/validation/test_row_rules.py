"""A model's rules say which rows break them, and the same rows as pandera itself says."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.errors import ValidationError
from mlops_assets.contract.schema import Model, read_schema
from mlops_assets.watch.validation import row_rules
from mlops_assets.watch.validation.row_rules import Findings, evaluate_rules, repeated_rows, table_faults, to_frame


class Ruled(pandera.DataFrameModel):
    """Rules of every kind."""

    low: pd.Int64Dtype = pandera.Field(nullable=True, ge=0, le=5)
    name: str = pandera.Field(isin=["a", "b"])
    share: float = pandera.Field(nullable=True, gt=0, lt=1)

    @pandera.check("low", description="must not be three")
    @classmethod
    def is_not_three(cls, low: pd.Series) -> pd.Series:
        return low != 3

    @pandera.dataframe_check(description="five needs an a")
    @classmethod
    def five_is_a(cls, rows: pd.DataFrame) -> pd.Series:
        return (rows["low"] != 5) | (rows["name"] == "a") | rows["low"].isna()


class Counted(pandera.DataFrameModel):
    """A rule about the table as a whole."""

    low: int

    @pandera.check("low", description="the mean must be below 10")
    @classmethod
    def mean_is_low(cls, low: pd.Series) -> bool:
        return bool(low.mean() < 10)


def make_table(rows: list[tuple[Any, ...]]) -> pa.Table:
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    types = (pa.int64(), pa.string(), pa.float64())
    arrays = [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
    return pa.table(arrays, names=["low", "name", "share"])


def evaluate(table: pa.Table, model: Model) -> Findings:
    with duckdb.connect() as connection:
        return evaluate_rules(table, schema=read_schema(model), connection=connection)


def breaches(table: pa.Table) -> set[tuple[str, int]]:
    found = evaluate(table, Ruled).breaches
    return {(breach.rule, int(row)) for breach in found for row in breach.rows}


def test_each_rule_names_its_rows() -> None:
    rows = [(1, "a", 0.5), (-1, "b", 0.5), (9, "c", 1.0), (3, None, None), (5, "b", 0.1), (None, "a", None)]
    assert breaches(make_table(rows)) == {
        ("greater_than_or_equal_to(0)", 1),
        ("less_than_or_equal_to(5)", 2),
        ("isin(['a', 'b'])", 2),
        ("less_than(1)", 2),
        ("is_not_three", 3),
        ("not_null", 3),
        ("five_is_a", 4),
    }


def test_the_authors_words_say_what_must_hold() -> None:
    found = evaluate(make_table([(3, "a", 0.5)]), Ruled).breaches
    assert [(breach.columns, breach.must) for breach in found] == [(("low",), "must not be three")]


ROW = st.tuples(
    st.none() | st.integers(-2, 7), st.none() | st.sampled_from(["a", "b", "c"]), st.none() | st.floats(-1, 2)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=20))
def test_same_rows_as_pandera_itself(rows: list[tuple[Any, ...]]) -> None:
    table = make_table(rows)
    try:
        read_schema(Ruled).rules.validate(to_frame(table), lazy=True)
        theirs: set[int] = set()
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        theirs = {int(index) for index in cases["index"].dropna()}
        unnamed = cases[cases["index"].isna() & ~cases["check"].str.startswith("dtype")]
        assert unnamed.empty
    assert {row for _, row in breaches(table)} == theirs


def test_rule_about_the_table_is_judged_on_each_table() -> None:
    schema, frame = read_schema(Counted), pd.DataFrame({"low": [1, 30]})
    findings = evaluate(pa.table({"low": [1, 30]}), Counted)
    assert findings.breaches == ()
    assert table_faults(frame[:1], checks=findings.table_checks, schema=schema) == ()
    faults = table_faults(frame[1:], checks=findings.table_checks, schema=schema)
    assert tuple(map(str, faults)) == ("Column 'low' breaks mean_is_low: the mean must be below 10.",)


def test_rule_that_raises_names_itself() -> None:
    class Broken(pandera.DataFrameModel):
        low: int

        @pandera.check("low")
        @classmethod
        def divides(cls, low: pd.Series) -> pd.Series:
            raise ZeroDivisionError("by zero")

    with pytest.raises(ValidationError, match="Rule 'divides' of Broken raised ZeroDivisionError: by zero"):
        evaluate(pa.table({"low": [1]}), Broken)


def test_rule_across_columns_passes_where_it_has_no_answer_unless_it_says_otherwise() -> None:
    class Lenient(pandera.DataFrameModel):
        low: pd.Int64Dtype
        high: pd.Int64Dtype

        @pandera.dataframe_check
        @classmethod
        def in_order(cls, rows: pd.DataFrame) -> pd.Series:
            return rows["low"] <= rows["high"]

        @pandera.dataframe_check(ignore_na=False)
        @classmethod
        def strictly_in_order(cls, rows: pd.DataFrame) -> pd.Series:
            return rows["low"] <= rows["high"]

    table = pa.table({"low": pa.array([1, 2, 3]), "high": pa.array([2, 1, None], pa.int64())})
    found = evaluate(table, Lenient).breaches
    rows = {breach.rule: breach.rows.tolist() for breach in found}
    assert rows == {"not_null": [2], "in_order": [1], "strictly_in_order": [1, 2]}


def test_first_of_repeated_rows_stays_within_its_group() -> None:
    table = pa.table({"key": ["x", "x", "y", "x", None, None]})
    with duckdb.connect() as connection:
        repeated = repeated_rows(table, key=("key",), within=np.array([0, 0, 0, 1, 1, 1]), connection=connection)
    assert repeated.tolist() == [1, 5]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 3), st.integers(0, 1)), max_size=40),
    st.integers(1, 9),
)
def test_many_rows_are_compared_some_at_a_time_with_the_same_result(
    rows: list[tuple[str, int | None, int]], at_once: int
) -> None:
    table = pa.table({"text": [row[0] for row in rows], "number": pa.array([row[1] for row in rows], pa.int64())})
    within = np.array([row[2] for row in rows], dtype=np.int64)
    among = np.arange(len(rows))[::3]
    with duckdb.connect() as connection, pytest.MonkeyPatch.context() as patch:
        told = {"key": ("text", "number"), "within": within, "connection": connection}
        whole, part = repeated_rows(table, **told), repeated_rows(table, **told, among=among)
        patch.setattr(row_rules, "_COMPARED_AT_ONCE", at_once)
        assert repeated_rows(table, **told).tolist() == whole.tolist()
        assert repeated_rows(table, **told, among=among).tolist() == part.tolist()
