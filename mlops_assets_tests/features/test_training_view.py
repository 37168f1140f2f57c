"""The point-in-time join gives every example what was known then, and request SQL sees nothing later."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import AsOfView, Feature
from mlops_assets.features.history import daily_aggregates
from mlops_assets.features.training_view import (
    attach,
    attach_history,
    labelled_examples,
    request_features,
    training_view,
)
from mlops_assets_tests.features.visits import examples_table, shop_view, visits_table

NOON = datetime(2013, 3, 10, 12)


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _heat(folder: Path, *, max_age: timedelta | None = timedelta(hours=6)) -> AsOfView:
    return AsOfView(
        name="heat",
        keys=("shop",),
        sql=_file(folder, "heat.sql", "SELECT shop, seen_at, degrees FROM heat"),
        time_column="seen_at",
        delay=timedelta(hours=1),
        max_age=max_age,
    )


def _observe(connection: duckdb.DuckDBPyConnection, *rows: tuple[str, datetime, float]) -> None:
    shops, moments, degrees = zip(*rows, strict=True)
    connection.register(
        "heat",
        pa.table({"shop": shops, "seen_at": pa.array(moments, pa.timestamp("us")), "degrees": degrees}),
    )


def _number(name: str, *, unknown: float | None = None) -> Feature:
    return Feature(name=name, kind="numeric", description="", owner="us", unknown=unknown)


def test_side_data_is_the_latest_that_could_be_known_and_is_young_enough(tmp_path: Path) -> None:
    connection = duckdb.connect()
    hours = lambda count: NOON - timedelta(hours=count)  # noqa: E731 - reads as the table it is
    _observe(connection, ("x", hours(7), 7.0), ("x", hours(1), 1.0), ("x", NOON, 0.0), ("y", hours(7), 70.0))
    rows = examples_table(("x", NOON), ("y", NOON), ("x", hours(0.5)), ("z", NOON), (None, NOON))

    attached = attach(connection, rows, asof=[_heat(tmp_path)])

    assert attached.column("heat__degrees").to_pylist() == [1.0, None, None, None, None]
    assert attached.select(rows.column_names).equals(rows)


def test_side_data_without_keys_is_the_same_for_every_row(tmp_path: Path) -> None:
    connection = duckdb.connect()
    _observe(connection, ("x", NOON - timedelta(hours=2), 2.0), ("y", NOON - timedelta(hours=1), 1.0))
    everywhere = replace(_heat(tmp_path), keys=(), sql=_file(tmp_path, "all.sql", "SELECT seen_at, degrees FROM heat"))
    level = AsOfView(name="level", keys=(), sql=_file(tmp_path, "level.sql", "SELECT 7 AS now"))

    attached = attach(connection, examples_table(("z", NOON), (None, NOON)), asof=[everywhere, level])

    assert attached.column("heat__degrees").to_pylist() == [1.0, 1.0]
    assert attached.column("level__now").to_pylist() == [7, 7]
    _file(tmp_path, "level.sql", "SELECT 7 AS now FROM range(2)")
    with pytest.raises(FeatureError, match="yields more than one row for"):
        attach(connection, examples_table(("z", NOON)), asof=[level])


def test_without_a_largest_age_old_side_data_counts(tmp_path: Path) -> None:
    connection = duckdb.connect()
    _observe(connection, ("x", datetime(1999, 1, 1), 7.0))

    attached = attach(connection, examples_table(("x", NOON)), asof=[_heat(tmp_path, max_age=None)])

    assert attached.column("heat__degrees").to_pylist() == [7.0]


def test_two_observations_at_one_time_are_refused_rather_than_chosen_by_luck(tmp_path: Path) -> None:
    connection = duckdb.connect()
    _observe(connection, ("x", NOON, 1.0), ("x", NOON, 2.0))

    with pytest.raises(FeatureError, match=r"'heat.sql' yields more than one row for \('x'"):
        attach(connection, examples_table(("x", NOON)), asof=[_heat(tmp_path)])


def test_history_can_be_asked_as_an_online_store_of_another_day_knew_it(tmp_path: Path) -> None:
    connection = duckdb.connect()
    view = shop_view(tmp_path, windows=(1,))
    visits_table(connection, [("b", "x", date(2013, 3, 8), 3)])
    connection.register("history", daily_aggregates(connection, views=[view]))
    rows = examples_table(("x", NOON))

    assert attach_history(connection, rows, views=[view])["shop__visits_1d"].to_pylist() == [None]
    columns = attach_history(connection, rows, views=[view], as_of=date(2013, 3, 9))
    assert columns["shop__visits_1d"].to_pylist() == [1.0]


def test_features_are_computed_or_passed_through_and_unknown_gets_its_default(tmp_path: Path) -> None:
    rows = examples_table(("x", NOON), (None, NOON)).append_column("size", pa.array([None, 2.0]))
    sql = _file(tmp_path, "features.sql", "SELECT id, length(shop) AS letters FROM examples ORDER BY shop NULLS FIRST")

    table = request_features(
        duckdb.connect(), rows, features_sql=sql, features=[_number("size", unknown=-1.0), _number("letters")]
    )

    assert table.to_pydict() == {"id": ["e0", "e1"], "size": [-1.0, 2.0], "letters": [1, None]}


def test_two_requests_with_one_id_stay_two_rows(tmp_path: Path) -> None:
    rows = examples_table(("x", NOON), ("yy", NOON)).set_column(0, "id", pa.array(["same", "same"]))
    sql = _file(tmp_path, "features.sql", "SELECT id, length(shop) AS letters FROM examples")

    table = request_features(duckdb.connect(), rows, features_sql=sql, features=[_number("letters")])

    assert table.to_pydict() == {"id": ["same", "same"], "letters": [1, 2]}


@pytest.mark.parametrize("hidden", ["label", "outcome_known_at"])
def test_request_sql_cannot_read_what_is_known_later(tmp_path: Path, hidden: str) -> None:
    rows = examples_table(("x", NOON)).append_column("label", pa.array([1]))
    rows = rows.append_column("outcome_known_at", pa.array([NOON], pa.timestamp("us")))
    sql = _file(tmp_path, "features.sql", f"SELECT id, {hidden} AS letters FROM examples")

    with pytest.raises(FeatureError, match=f"'features.sql' failed: .*{hidden}"):
        request_features(duckdb.connect(), rows, features_sql=sql, features=[_number("letters")])


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT id, 1 AS letters FROM examples WHERE shop = 'x'", "one row per example: it yields 1 for 2"),
        ("SELECT 1 AS letters FROM examples", "must yield 'id'"),
        ("SELECT id FROM examples", "Feature 'letters' is declared, but 'features.sql' does not yield it"),
    ],
)
def test_request_sql_that_loses_rows_or_features_is_refused(tmp_path: Path, sql: str, says: str) -> None:
    rows = examples_table(("x", NOON), ("y", NOON))

    with pytest.raises(FeatureError, match=says):
        request_features(
            duckdb.connect(),
            rows,
            features_sql=_file(tmp_path, "features.sql", sql),
            features=[_number("letters")],
        )


def test_an_id_twice_among_labelled_examples_is_refused(tmp_path: Path) -> None:
    sql = _file(
        tmp_path,
        "examples.sql",
        "SELECT 'same' AS id, 1 AS label FROM range(2) UNION ALL SELECT 'other', n FROM range(3) AS t (n)",
    )

    with pytest.raises(FeatureError) as refused:
        labelled_examples(duckdb.connect(), examples_sql=sql)

    assert "2 ids more than once" in str(refused.value)
    assert "'same' (2 rows that are the same in every column)" in str(refused.value)
    assert "'other' (3 rows that differ in label)" in str(refused.value)
    assert "make it of the row's key, or of batch and source_row" in str(refused.value)


def test_rows_without_an_id_are_refused(tmp_path: Path) -> None:
    sql = _file(tmp_path, "examples.sql", "SELECT NULL AS id, 1 AS label FROM range(2)")

    with pytest.raises(FeatureError, match=r"yields 2 rows without an id"):
        labelled_examples(duckdb.connect(), examples_sql=sql)


def test_the_training_view_holds_label_features_and_slices_side_by_side(tmp_path: Path) -> None:
    connection = duckdb.connect()
    view = shop_view(tmp_path, windows=(1,))
    visits_table(connection, [("b", "x", date(2013, 3, 9), 3)])
    connection.register("history", daily_aggregates(connection, views=[view]))
    rows = examples_table(("x", NOON)).append_column("label", pa.array([1]))
    rows = rows.append_column("outcome_known_at", pa.array([NOON], pa.timestamp("us")))

    table = training_view(
        connection,
        rows,
        history=[view],
        asof=[],
        features_sql=_file(tmp_path, "features.sql", "SELECT id FROM examples"),
        features=[_number("shop__mean_1d")],
        beside=["shop"],
    )

    assert table.to_pylist() == [
        {
            "id": "e0",
            "event_time": NOON,
            "outcome_known_at": NOON,
            "label": 1,
            "shop": "x",
            "shop__mean_1d": 3.0,
        }
    ]
