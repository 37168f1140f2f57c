"""Rows that refer to nothing are counted against the declared share."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from mlops_assets.contract.anomalies import Code
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.references import Reference
from mlops_assets.contract.severity import Severity
from mlops_assets.watch.validation.cross_table import judge_references

ROWS = pa.table({"tail": ["N1", "N2", "N9", None], "hour": [1, 2, 3, 4], "origin": ["A", "A", "A", "B"]})
PLANES = pa.table({"number": ["N1", "N2"]})
WEATHER = pa.table({"origin": ["A", "A", "B"], "hour": [1, 2, 3]})
TAIL = Reference(columns=("tail",), source="planes", to=("number",), max_share=0.25)


def judge(*references: Reference, others: dict[str, pa.Table]) -> CheckResult:
    with duckdb.connect() as connection:
        return judge_references(ROWS, references=references, others=others, batch="b", connection=connection)


def test_share_within_the_limit_passes_with_its_figure() -> None:
    check = judge(TAIL, others={"planes": PLANES})
    assert check.passed
    assert check.figures == {"unknown_share/tail": 0.25}


def test_unknown_values_are_named() -> None:
    weather = Reference(columns=("origin", "hour"), source="weather")
    check = judge(TAIL, weather, others={"planes": PLANES, "weather": WEATHER})
    (found,) = check.anomalies
    assert (found.code, found.column, found.rows) == (Code.UNKNOWN_REFERENCE, "origin, hour", 2)
    assert "A 3; B 4" in found.message
    assert not check.blocks


def test_hardly_a_reference_that_exists_refuses_the_batch() -> None:
    none = {"planes": PLANES.slice(0, 0)}
    assert not judge(TAIL, others=none).blocks  # a row without a tail number refers to nothing
    strict = Reference(columns=("tail",), source="planes", to=("number",), max_share=0.25, refused_share=0.7)
    check = judge(strict, others=none)
    assert check.blocks
    assert check.anomalies[0].severity is Severity.ERROR


def test_absent_table_is_not_a_pass() -> None:
    check = judge(TAIL, others={})
    assert not check.passed
    assert check.reasons == ("Not judged: planes of this batch is not in the lake yet.",)
