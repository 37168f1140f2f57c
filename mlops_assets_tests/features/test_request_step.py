"""The prepared request step answers as the plain one, call after call, whatever its SQL does with the rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import Feature
from mlops_assets.features.request_step import RequestStep
from mlops_assets.features.training_view import request_features
from mlops_assets_tests.features.visits import examples_table

FEATURES = tuple(Feature(name=name, kind="numeric", description="", owner="us") for name in ("letters", "turn"))
PLAIN = "SELECT id, length(shop) AS letters, sin(hour(event_time) / 24) AS turn FROM examples"
WRITTEN_OTHERWISE = {
    "plain": PLAIN,
    "in another order": f"{PLAIN} ORDER BY id DESC",
    "in parts": f"{PLAIN} WHERE shop IS NULL UNION ALL {PLAIN} WHERE shop IS NOT NULL",
    "with a step before": f"WITH known AS (SELECT * FROM examples) {PLAIN.replace('FROM examples', 'FROM known')}",
    "with a window": f"SELECT id, letters, max(turn) OVER (PARTITION BY id) AS turn FROM ({PLAIN})",
    "joined with itself": f"SELECT a.* FROM ({PLAIN}) AS a JOIN examples AS b USING (id)",
    "naming what it does not use": f"WITH unused AS (SELECT size FROM examples) {PLAIN}",
    "all of the rows": f"SELECT id, letters, turn FROM (SELECT *, {PLAIN[11:]})",
}


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    path = tmp_path / "features.sql"
    path.write_text(PLAIN)
    return path


@pytest.fixture
def step(sql: Path) -> Iterator[RequestStep]:
    with closing(RequestStep(features_sql=sql, examples=_rows("x").schema)) as made:
        yield made


def _rows(*shops: str | None, hour: int = 5) -> pa.Table:
    rows = examples_table(*[(shop, datetime(2013, 7, 1, hour)) for shop in shops])
    return rows.append_column("size", pa.array([float(hour)] * len(shops), pa.float64()))


def computed(step: RequestStep, rows: pa.Table) -> dict[str, list[object]]:
    columns = dict(zip(rows.column_names, rows.columns, strict=True))
    return {name: column.to_pylist() for name, column in step.compute(columns, rows=rows.num_rows).items()}


@pytest.mark.parametrize("written", WRITTEN_OTHERWISE.values(), ids=list(WRITTEN_OTHERWISE))
def test_every_call_sees_its_own_rows_in_their_order(sql: Path, written: str) -> None:
    sql.write_text(written)
    with closing(RequestStep(features_sql=sql, examples=_rows("x").schema)) as step:
        for rows in (_rows("x", None, "abc"), _rows("yy", hour=17), _rows(*["z"] * 3000), _rows()):
            expected = request_features(duckdb.connect(), rows, features_sql=sql, features=FEATURES)

            assert computed(step, rows) == {name: expected[name].to_pylist() for name in ("letters", "turn")}


def test_only_what_the_sql_looks_at_is_handed_to_it(step: RequestStep) -> None:
    assert set(step.reads) == {"shop", "event_time"}
    assert step.computed.names == ["id", "letters", "turn"]


@pytest.mark.parametrize("rows", ["WHERE shop = 'x'", "CROSS JOIN range(2)"], ids=["left out", "twice"])
def test_sql_that_does_not_yield_each_row_once_is_refused(sql: Path, rows: str) -> None:
    sql.write_text(f"{PLAIN} {rows}")
    with (
        closing(RequestStep(features_sql=sql, examples=_rows("x").schema)) as step,
        pytest.raises(FeatureError, match="one row per example"),
    ):
        computed(step, _rows("x", "y"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT id, length(nowhere) AS letters FROM examples", "'features.sql' failed: .*nowhere"),
        ("SELECT length(shop) AS letters FROM examples", "must yield 'id'. It yields: letters"),
        ("SELECT id FROM elsewhere", "'features.sql' failed: .*elsewhere"),
    ],
)
def test_sql_that_cannot_be_planned_names_its_file(sql: Path, text: str, said: str) -> None:
    sql.write_text(text)
    with pytest.raises(FeatureError, match=said):
        RequestStep(features_sql=sql, examples=_rows("x").schema)


def test_a_row_that_fails_names_the_file_and_the_next_call_is_answered(sql: Path) -> None:
    sql.write_text("SELECT id, CAST(shop AS INTEGER) AS letters FROM examples")
    with closing(RequestStep(features_sql=sql, examples=_rows("1").schema)) as step:
        with pytest.raises(FeatureError, match=r"'features.sql' failed: .*Could not convert string"):
            computed(step, _rows("none"))

        assert computed(step, _rows("7")) == {"letters": [7]}
