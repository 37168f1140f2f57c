"""The prepared request step answers as the plain one, call after call."""

from __future__ import annotations

from collections.abc import Iterator
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

FEATURES = tuple(Feature(name=name, kind="numeric", description="", owner="us") for name in ("letters", "turn", "size"))
SQL = "SELECT id, length(shop) AS letters, sin(hour(event_time) / 24) AS turn FROM examples"


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    path = tmp_path / "features.sql"
    path.write_text(SQL)
    return path


@pytest.fixture
def step(sql: Path) -> Iterator[RequestStep]:
    made = RequestStep(features_sql=sql, features=FEATURES)
    yield made
    made.close()


def _rows(*shops: str | None, hour: int = 5) -> pa.Table:
    rows = examples_table(*[(shop, datetime(2013, 7, 1, hour)) for shop in shops])
    return rows.append_column("size", pa.array([float(hour)] * len(shops), pa.float64()))


def test_every_call_sees_its_own_rows(step: RequestStep, sql: Path) -> None:
    for rows in (_rows("x", None, "abc"), _rows("yy", hour=17), _rows(*["z"] * 3000), _rows()):
        expected = request_features(duckdb.connect(), rows, features_sql=sql, features=FEATURES)

        assert step.compute(rows).equals(expected)


def test_a_new_column_in_the_rows_is_planned_anew(step: RequestStep) -> None:
    step.compute(_rows("x"))
    wider = _rows("x").append_column("label", pa.array([1])).append_column("more", pa.array([1]))

    assert step.compute(wider).column_names == ["id", "letters", "turn", "size"]


def test_a_failure_names_the_file_and_the_next_call_is_tried_again(step: RequestStep) -> None:
    step.compute(_rows("x"))
    for _ in range(2):
        with pytest.raises(FeatureError, match=r"'features.sql' failed: .*shop"):
            step.compute(_rows("x").drop_columns(["shop"]))

    assert step.compute(_rows("x")).column("letters").to_pylist() == [1]
