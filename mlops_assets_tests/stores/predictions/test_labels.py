"""What became of an answer: what has landed, else what callers have told last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from mlops_assets.contract.tasks import Multiclass
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.lake.write import Write
from mlops_assets.stores.predictions.labels import landed_labels, told_labels, with_labels
from mlops_assets.stores.predictions.records import OUTCOMES
from mlops_assets_tests.orchestration.deployment import let_go
from mlops_assets_tests.orchestration.toy import PARCELS, day_number
from mlops_assets_tests.steps.played import Loop

NOON = datetime(2024, 3, 20, 12, tzinfo=UTC)
LANDED, NOT_YET = day_number(0), day_number(1)


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    """One day of the toy has landed."""
    loop = Loop(data=tmp_path)
    loop.take([LANDED])
    yield loop
    let_go(tmp_path)


def tell(lake: Lake, *outcomes: tuple[str, str | None, Any], name: str = "told") -> str:
    """A file of outcomes: prediction, example, label, each recorded a minute after the one before; its path."""
    rows = [
        {
            "seq": place,
            "prediction_id": prediction,
            "example_id": example,
            "label_class" if isinstance(label, str) else "label": label,
            "recorded_at": NOON + timedelta(minutes=place),
        }
        for place, (prediction, example, label) in enumerate(outcomes, start=1)
    ]
    path = f"parcels/served_outcomes/{name}.parquet"
    content = parquet_bytes(pa.Table.from_pylist(rows, schema=OUTCOMES))
    lake.publish(Write(use_case="parcels", asset="prediction_log"), files={path: content}, audit=lambda staged: [])
    return path


def labels(table: pa.Table) -> dict[str, float]:
    return dict(zip(table["id"].to_pylist(), table["label"].to_pylist(), strict=True))


def told(lake: Lake, *paths: str, use_case: UseCase = PARCELS) -> list[dict[str, float]]:
    return [labels(table) for table in told_labels(lake.at(), paths, use_case=use_case)]


def test_of_several_outcomes_about_the_same_the_last_counts(embedded_lake: Lake) -> None:
    first = tell(embedded_lake, ("p1", "a", 0.0), ("p1", "a", 1.0), ("p2", None, 0.0), name="first")

    by_prediction, by_example = told(embedded_lake, first)

    assert (by_prediction, by_example) == ({"p1": 1.0, "p2": 0.0}, {"a": 1.0})
    assert told(embedded_lake) == [{}, {}]


def test_classes_are_told_by_their_number_and_unknown_ones_are_no_labels(embedded_lake: Lake) -> None:
    classes = replace(PARCELS, task=Multiclass(classes=("red", "green", "blue")))
    path = tell(embedded_lake, ("p1", None, "blue"), ("p2", None, "black"), ("p3", None, "red"))

    assert told(embedded_lake, path, use_case=classes)[0] == {"p1": 2.0, "p3": 0.0}


def test_what_has_landed_goes_before_what_was_told_and_the_rest_has_no_label(loop: Loop) -> None:
    landed = labels(landed_labels(loop.lake.at(), use_case=PARCELS, days=[date(2024, 3, 1)], connect=duckdb.connect))
    known = f"{LANDED}-AMS-1"
    path = tell(loop.lake, ("p1", known, 1 - landed[known]), ("p2", None, 1.0), ("p3", "other", 0.0))
    answers = pa.table(
        {
            "prediction_id": ["p1", "p2", "p4", "p5", "p6"],
            "example_id": [known, None, "other", None, "nobody knows"],
        }
    )

    table = with_labels(
        answers,
        head=loop.lake.at(),
        use_case=PARCELS,
        days=[date(2024, 3, 1), date(2024, 3, 2)],
        told=[path],
        connect=duckdb.connect,
    )

    assert len(landed) == 60
    found = dict(zip(table["prediction_id"].to_pylist(), table["label"].to_pylist(), strict=True))
    assert found == {"p1": landed[known], "p2": 1.0, "p4": 0.0}


def test_a_day_of_which_not_all_sources_have_landed_has_no_labels(loop: Loop) -> None:
    found = landed_labels(loop.lake.at(), use_case=PARCELS, days=[date.fromisoformat(NOT_YET)], connect=duckdb.connect)

    assert found.num_rows == 0
