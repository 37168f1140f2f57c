"""A drop is judged against the drops before it, though it has a name and no day."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from mlops_assets.contract.anomalies import Anomaly, Code
from mlops_assets.use_cases.income import USE_CASE
from mlops_assets.use_cases.income.seed import SEED, drops
from mlops_assets.watch.validation.batch_judgement import JudgedBatch, Surroundings, judge_batches

SOURCE = USE_CASE.source("people")
NAMES = SOURCE.columns.names
PAST = ("data-1", "data-2", "data-3", "data-4")
Row = dict[str, str]
Rows = list[Row]
Change = Callable[[Rows], Rows]


@cache
def seed() -> dict[str, list[str]]:
    return drops(SEED)


def rows_of(drop: str) -> Rows:
    return [dict(zip(NAMES, line.split(","), strict=True)) for line in seed()[drop]]


def write(rows: Rows, path: Path) -> Path:
    lines = [",".join(NAMES), *(",".join(row[name] for name in NAMES) for row in rows), ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Surroundings:
    """What the lake knows once the four drops of the data have landed."""
    folder = tmp_path_factory.mktemp("past")
    judged = judge({drop: write(rows_of(drop), folder / f"{drop}.csv") for drop in PAST}, Surroundings(order=PAST))
    for drop, each in judged.items():
        pq.write_table(each.report.valid, folder / f"{drop}.parquet")
    return Surroundings(
        profiles={drop: each.profile for drop, each in judged.items()},
        order=PAST,
        published={drop: folder / f"{drop}.parquet" for drop in PAST},
    )


def judge(files: dict[str, Path], surroundings: Surroundings) -> dict[str, JudgedBatch]:
    with duckdb.connect() as connection:
        return judge_batches(files, use_case=USE_CASE, source=SOURCE, surroundings=surroundings, connection=connection)


def judge_drop(rows: Rows, *, drop: str, past: Surroundings, folder: Path) -> tuple[Anomaly, ...]:
    return judge({drop: write(rows, folder / f"{drop}.csv")}, past)[drop].anomalies.anomalies


def put(column: str, value: Callable[[str], str]) -> Change:
    return lambda rows: [{**row, column: value(row[column])} for row in rows]


def thrice(rows: Rows) -> Rows:
    return [{**row, "person": str(100_000 * time + n)} for time in (1, 2, 3) for n, row in enumerate(rows)]


FAULTS: dict[str, tuple[Change, Code, str | None]] = {
    "labels flipped": (
        put("income", lambda value: ">50K" if value == "<=50K" else "<=50K"),
        Code.DISTRIBUTION_MOVED,
        "income",
    ),
    "one label only": (put("income", lambda value: "<=50K"), Code.BECAME_CONSTANT, "income"),
    "sex all Male": (put("sex", lambda value: "Male"), Code.BECAME_CONSTANT, "sex"),
    "occupation all missing": (put("occupation", lambda value: "?"), Code.ALL_MISSING, "occupation"),
    "a country renamed": (
        put("native_country", lambda value: "USA" if value == "United-States" else value),
        Code.NEW_VALUES,
        "native_country",
    ),
    "hours all 40": (put("hours_per_week", lambda value: "40"), Code.BECAME_CONSTANT, "hours_per_week"),
    "population times 100": (
        put("population", lambda value: str(100 * int(value))),
        Code.DISTRIBUTION_MOVED,
        "population",
    ),
    "age plus 10": (put("age", lambda value: str(min(int(value) + 10, 90))), Code.DISTRIBUTION_MOVED, "age"),
    "ten rows": (lambda rows: rows[:10], Code.ROW_COUNT, None),
    "three times the rows under new ids": (thrice, Code.DUPLICATED_ROWS, None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_spoilt_drop_is_told(fault: str, past: Surroundings, tmp_path: Path) -> None:
    change, code, column = FAULTS[fault]
    found = judge_drop(change(rows_of("test-01")), drop="test-01", past=past, folder=tmp_path)
    assert (code, column) in {(each.code, each.column) for each in found}


def test_no_clean_drop_alarms(tmp_path: Path) -> None:
    order = list(seed())
    judged = judge({drop: write(rows_of(drop), tmp_path / f"{drop}.csv") for drop in order}, Surroundings(order=order))
    assert {drop: each.anomalies.anomalies for drop, each in judged.items() if each.anomalies.anomalies} == {}
    assert all(each.drift.judged > 300 for each in list(judged.values())[3:] if each.drift)


def test_persons_of_another_drop_refuse_it_and_name_both(past: Surroundings, tmp_path: Path) -> None:
    known = put("income", lambda value: ">50K" if value == "<=50K" else "<=50K")(rows_of("data-1")[:3])
    found = judge_drop([*known, *rows_of("test-01")[:396]], drop="data-5", past=past, folder=tmp_path)
    told = next(each for each in found if each.code is Code.KNOWN_KEY)
    assert "3 of 399 rows of data-5 have a person that data-1 (3) has" in told.message
    assert told.severity.value == "ERROR"
