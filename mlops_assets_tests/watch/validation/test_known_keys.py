"""A key is in one batch only: one that another has published, or that is judged together with it, is told with both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.contract.anomalies import Code
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.severity import Severity
from mlops_assets.watch.validation.known_keys import judge_keys, same_rows

CITIES = [f"city-{n}" for n in range(60)]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def rows(first: int, count: int = 60) -> pa.Table:
    return pa.table({"id": range(first, first + count), "city": (CITIES * 3)[:count], "source_row": range(count)})


def judge(table: pa.Table, *, connection: duckdb.DuckDBPyConnection, **others: object) -> CheckResult:
    given: dict[str, object] = {"published": {}, "together": {}} | others
    return judge_keys(table, keys=[("id",)], batch="drop-5", connection=connection, **given)  # type: ignore[arg-type]


def test_new_keys_pass(connection: duckdb.DuckDBPyConnection) -> None:
    assert judge(rows(100), connection=connection, together={"drop-4": rows(0)}).passed


def test_a_published_key_names_both_batches_and_refuses(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "kept.parquet"
    pq.write_table(rows(0), path)
    check = judge(rows(57), connection=connection, published={"drop-1": path}, together={"drop-4": rows(200)})
    assert check.blocks
    (found,) = check.anomalies
    assert (found.code, found.rows) == (Code.KNOWN_KEY, 3)
    assert found.message == "3 of 60 rows of drop-5 have a id that drop-1 (3) has, such as 57."


def test_a_whole_drop_again_is_told_as_that(connection: duckdb.DuckDBPyConnection) -> None:
    check = judge(rows(0), connection=connection, together={"drop-1": rows(0)})
    assert check.anomalies[0].explanation == "All rows are those of drop-1."


def test_rows_sent_three_times_under_new_keys_are_duplicates(connection: duckdb.DuckDBPyConnection) -> None:
    check = judge(rows(500, count=180), connection=connection)
    assert [each.code for each in check.anomalies] == [Code.DUPLICATED_ROWS]
    assert "60 different rows is there 3 times, or a multiple of it, under another id" in check.reasons[0]


def test_rows_of_few_values_may_be_there_as_often_as_they_come(connection: duckdb.DuckDBPyConnection) -> None:
    cities = [city for number, city in enumerate(CITIES[:40]) for _ in range(2 + number % 3)]
    table = pa.table({"id": range(len(cities)), "city": cities, "source_row": range(len(cities))})
    assert judge(table, connection=connection).passed


def test_rows_without_a_key_that_repeat_others_are_counted_and_kept(connection: duckdb.DuckDBPyConnection) -> None:
    table = pa.table({"city": ["a", "b", "a", None, "a", None], "n": [1, 1, 1, 2, 1, 2], "source_row": range(1, 7)})

    (found,) = same_rows(table, batch="drop-5", connection=connection)

    assert (found.code, found.severity, found.rows) == (Code.DUPLICATED_ROWS, Severity.WARN, 3)
    assert "rows of drop-5 repeat an earlier one in every column, such as row 3, which is row 1 once more" in str(found)
    assert same_rows(table.slice(0, 2), batch="drop-5", connection=connection) == ()
    assert same_rows(table.slice(0, 0), batch="drop-5", connection=connection) == ()
