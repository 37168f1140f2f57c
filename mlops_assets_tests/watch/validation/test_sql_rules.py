"""A check said in DuckDB finds the same rows as pandera on pandas, or is not said at all."""

from __future__ import annotations

from typing import Any

import duckdb
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pandera.pandas import Check

from mlops_assets.contract.columns import Column
from mlops_assets.contract.schema import Schema
from mlops_assets.watch.validation.row_rules import evaluate_rules, to_frame
from mlops_assets.watch.validation.sql_rules import is_broken

WHOLE = st.integers(-3, 3) | st.sampled_from([2**53, -(2**53), 2**62])
NUMBER = st.floats(-3, 3).map(lambda value: round(value, 1)) | st.sampled_from([0.1 + 0.2, -0.0, float("nan")])
TEXT = st.text(st.sampled_from("abAB01 .-+^$\n€ß"), max_size=4)
UNIT = st.sampled_from(["a", "b", "0", "1", " ", ".", "-", r"\.", r"\$", "[ab]", "[^a]", "[A-Z0-9]", "[a-]"])
TIMES = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,}", "{0,2}"])
UNITS = st.lists(st.builds("{}{}".format, UNIT, TIMES), max_size=3).map("".join)
PATTERN = st.builds("{}{}{}".format, st.sampled_from(["", "^"]), UNITS, st.sampled_from(["", "$"]))


def bounds(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Check]:
    two = st.tuples(value, value).map(sorted)
    one = [Check.ge, Check.gt, Check.le, Check.lt, Check.eq, Check.ne]
    return (
        st.builds(lambda check, bound: check(bound), st.sampled_from(one), value)
        | st.builds(
            lambda ends, low, high: Check.in_range(ends[0], ends[1] + 1, include_min=low, include_max=high),
            two, st.booleans(), st.booleans(),
        )
        | st.builds(Check.isin, st.lists(value, min_size=1, max_size=3))
        | st.builds(Check.notin, st.lists(value, min_size=1, max_size=3))
    )  # fmt: skip


TEXT_CHECKS = (
    st.builds(Check.isin, st.lists(TEXT, min_size=1, max_size=3))
    | st.builds(Check.notin, st.lists(TEXT, min_size=1, max_size=3))
    | st.builds(Check.eq, TEXT)
    | st.builds(Check.ne, TEXT)
    | st.builds(Check.str_startswith, TEXT)
    | st.builds(Check.str_endswith, TEXT)
    | st.builds(Check.str_matches, PATTERN)
    | st.builds(Check.str_contains, PATTERN)
    | st.builds(Check.str_length, min_value=st.integers(0, 2), max_value=st.none() | st.integers(2, 4))
    | st.builds(Check.str_length, exact_value=st.integers(0, 3))
)
FINITE = st.integers(-3, 3) | st.floats(-3, 3).map(lambda value: round(value, 1))
CASES = st.one_of(
    st.tuples(st.just(pa.int64()), st.lists(st.none() | WHOLE, max_size=8), bounds(FINITE)),
    st.tuples(st.just(pa.int16()), st.lists(st.none() | st.integers(-3, 3), max_size=8), bounds(FINITE)),
    st.tuples(st.just(pa.float64()), st.lists(st.none() | NUMBER, max_size=8), bounds(FINITE)),
    st.tuples(st.just(pa.string()), st.lists(st.none() | TEXT, max_size=8), TEXT_CHECKS),
)


def schema_of(check: Check, kind: pa.DataType, *, nullable: bool = True) -> Schema:
    column = Column(name="x", type=kind, nullable=nullable)
    rules = pandera.DataFrameSchema({"x": pandera.Column(None, [check], nullable=nullable)})
    return Schema(name="Random", columns=(column,), keys=(), rules=rules)


def ours(table: pa.Table, schema: Schema) -> set[int]:
    with duckdb.connect() as connection:
        found = evaluate_rules(table, schema=schema, connection=connection).breaches
    return {int(row) for breach in found for row in breach.rows}


def theirs(table: pa.Table, schema: Schema) -> set[int]:
    try:
        schema.rules.validate(to_frame(table), lazy=True)
    except pandera.errors.SchemaErrors as errors:
        return {int(index) for index in errors.failure_cases["index"]}
    return set()


@settings(max_examples=150, deadline=None)
@example((pa.string(), ["\n", "a\n", "a"], Check.str_matches("a$")), False)
@given(CASES, st.booleans())
def test_same_rows_break_a_translated_check_as_in_pandera(
    case: tuple[pa.DataType, list[Any], Check], nullable: bool
) -> None:
    kind, values, check = case
    schema = schema_of(check, kind, nullable=nullable)
    if is_broken(check, column=schema.columns[0]) is None:
        return
    table = pa.table({"x": pa.array(values, kind)})
    assert ours(table, schema) == theirs(table, schema)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(CASES, st.booleans()), min_size=1, max_size=4), st.integers(1, 8))
def test_same_rows_break_a_random_model_as_in_pandera(
    cases: list[tuple[tuple[pa.DataType, list[Any], Check], bool]], rows: int
) -> None:
    """Models of several columns with whatever check is drawn, translated or left to pandera."""
    told = {f"c{number}": case for number, case in enumerate(cases)}
    values = {name: (found or [None]) * rows for name, ((_, found, _), _) in told.items()}
    table = pa.table({name: pa.array(values[name][:rows], kind) for name, ((kind, _, _), _) in told.items()})
    schema = Schema(
        name="Random",
        columns=tuple(Column(name=name, type=kind, nullable=null) for name, ((kind, _, _), null) in told.items()),
        keys=(),
        rules=pandera.DataFrameSchema(
            {name: pandera.Column(None, [check], nullable=null) for name, ((_, _, check), null) in told.items()}
        ),
    )
    with duckdb.connect() as connection:
        breaches = evaluate_rules(table, schema=schema, connection=connection).breaches
    ours_by_column = {(breach.columns[0], int(row)) for breach in breaches for row in breach.rows}
    assert ours_by_column == theirs_by_column(table, schema)


def theirs_by_column(table: pa.Table, schema: Schema) -> set[tuple[str, int]]:
    try:
        schema.rules.validate(to_frame(table), lazy=True)
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        return {(str(name), int(at)) for name, at in zip(cases["column"], cases["index"], strict=True)}
    return set()


TRANSLATED = [
    (Check.in_range(0, 5), pa.int64()),
    (Check.in_range(0, 5.5), pa.float64()),
    (Check.isin(["EWR", "JFK"]), pa.string()),
    (Check.str_matches("^N[0-9A-Z]{2,5}$"), pa.string()),
    (Check.str_length(2, 60), pa.string()),
    (Check.gt(0), pa.int16()),
]


@pytest.mark.parametrize(("check", "kind"), TRANSLATED, ids=str)
def test_everyday_checks_are_translated(check: Check, kind: pa.DataType) -> None:
    assert is_broken(check, column=Column(name="x", type=kind, nullable=True)) is not None


LEFT_TO_PANDERA = [
    (Check(lambda values: values > 0), pa.int64()),
    (Check(lambda value: value > 0, element_wise=True), pa.int64()),
    (Check.gt(0, ignore_na=False), pa.int64()),
    (Check.gt("a"), pa.string()),
    (Check.gt(float("nan")), pa.float64()),
    (Check.gt(2**60), pa.int64()),
    (Check.isin(["1"]), pa.int64()),
    (Check.isin([1, None]), pa.int64()),
    (Check.eq(True), pa.int64()),
    (Check.gt(pd.Timestamp("2024-01-01")), pa.timestamp("us")),
    (Check.str_matches("(?i)abc"), pa.string()),
    (Check.str_matches(r"^\w+$"), pa.string()),
    (Check.str_matches("a++"), pa.string()),
    (Check.str_matches("a|b"), pa.string()),
    (Check.str_matches(""), pa.string()),
    (Check.unique_values_eq(["a"]), pa.string()),
]


@pytest.mark.parametrize(("check", "kind"), LEFT_TO_PANDERA, ids=str)
def test_what_sql_would_not_say_alike_is_left_to_pandera(check: Check, kind: pa.DataType) -> None:
    assert is_broken(check, column=Column(name="x", type=kind, nullable=True)) is None


def test_column_and_value_are_never_read_as_sql() -> None:
    name, value = 'x" OR 1=1 --', "a' OR '1'='1"
    rules = pandera.DataFrameSchema({name: pandera.Column(None, [Check.isin([value])])})
    column = Column(name=name, type=pa.string(), nullable=False)
    schema = Schema(name="Hostile", columns=(column,), keys=(), rules=rules)
    assert ours(pa.table({name: [value, "b"]}), schema) == {1}
