"""History views aggregate per day of knowledge, refuse what would not merge, and add up in any order."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.history import Count, Distinct, HistoryView, history_features
from mlops_assets.features.history import daily_aggregates, split_by_batch
from mlops_assets.features.roll_up import EPOCH, read_totals, roll_up
from mlops_assets.features.training_view import attach_history
from mlops_assets_tests.features.visits import Visit, every_shop_view, examples_table, shop_view, visits_table

DAY = date(2013, 3, 10)
DAY_AFTER = datetime(2013, 3, 11)


def test_one_call_serves_many_batches_and_splits_into_one_file_each(tmp_path: Path) -> None:
    connection = duckdb.connect()
    visits_table(connection, [("b1", "x", DAY, 3), ("b1", "x", DAY, 5), ("b2", "x", DAY, 7), ("b2", "y", DAY, 1)])

    files = split_by_batch(daily_aggregates(connection, views=[shop_view(tmp_path)]), batches=["b1", "b2", "empty day"])

    assert files["b1"].select(["view", "entity", "known_on", "visits", "amount"]).to_pylist() == [
        {"view": "shop", "entity": "x", "known_on": DAY, "visits": 2, "amount": 8}
    ]
    assert files["b2"].column("entity").to_pylist() == ["x", "y"]
    assert files["empty day"].num_rows == 0
    assert files["empty day"].schema == files["b1"].schema


def test_rows_without_a_key_belong_to_no_entity(tmp_path: Path) -> None:
    connection = duckdb.connect()
    visits_table(connection, [("b", None, DAY, 3)])  # type: ignore[list-item]

    assert daily_aggregates(connection, views=[shop_view(tmp_path)]).num_rows == 0


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        (
            "SELECT batch, shop, known_on, avg(amount) AS visits FROM visits GROUP BY ALL",
            "'visits' as DOUBLE",
        ),
        ("SELECT batch, shop, count(*) AS visits FROM visits GROUP BY ALL", "must yield 'known_on'"),
        ("SELECT batch, shop, known_on::TIMESTAMP AS known_on FROM visits", "must be a DATE"),
        ("SELECT nothing FROM visits", "'shop.sql' failed"),
    ],
)
def test_a_view_that_cannot_merge_is_refused_with_its_reason(tmp_path: Path, sql: str, says: str) -> None:
    connection = duckdb.connect()
    visits_table(connection, [("b", "x", DAY, 3)])

    with pytest.raises(FeatureError, match=says):
        daily_aggregates(connection, views=[shop_view(tmp_path, sql=sql)])


def test_a_key_with_the_separator_is_refused(tmp_path: Path) -> None:
    connection = duckdb.connect()
    visits_table(connection, [("b", "x|y", DAY, 3)])

    with pytest.raises(FeatureError, match=r"contains '\|'"):
        daily_aggregates(connection, views=[shop_view(tmp_path)])


def test_every_column_is_described_as_a_feature(tmp_path: Path) -> None:
    features = history_features([shop_view(tmp_path)], owner="us")

    assert [feature.name for feature in features][:2] == ["shop__visits_1d", "shop__visits_7d"]
    assert features[1].description == "Visits, per shop, over the 7 days before."


def test_a_window_ends_the_day_before_and_starts_its_length_before(tmp_path: Path) -> None:
    connection = duckdb.connect()
    view = shop_view(tmp_path, windows=(7,))
    known = [DAY - timedelta(days=days) for days in (0, 1, 7, 8)]
    visits_table(connection, [("b", "x", day, 10**position) for position, day in enumerate(known)])
    connection.register("history", daily_aggregates(connection, views=[view]))

    columns = attach_history(connection, examples_table(("x", datetime(2013, 3, 10, 23, 59))), views=[view])

    assert columns["shop__visits_7d"].to_pylist() == [2.0]
    assert columns["shop__mean_7d"].to_pylist() == [(10 + 100) / 2]
    assert columns["shop__least_7d"].to_pylist() == [10.0]
    assert columns["shop__most_7d"].to_pylist() == [100.0]
    assert columns["shop__days_since_7d"].to_pylist() == [1.0]
    assert columns["shop__std_7d"].to_pylist() == [45.0]


def test_unknown_and_missing_entities_have_no_history(tmp_path: Path) -> None:
    connection = duckdb.connect()
    view = shop_view(tmp_path)
    visits_table(connection, [("b", "x", DAY, 3)])
    connection.register("history", daily_aggregates(connection, views=[view]))
    moment = datetime(2013, 3, 11)

    columns = attach_history(connection, examples_table(("new", moment), (None, moment), ("x", moment)), views=[view])

    assert columns["shop__visits_1d"].to_pylist() == [None, None, 1.0]


def test_without_keys_every_row_counts_for_every_example(tmp_path: Path) -> None:
    connection = duckdb.connect()
    view = every_shop_view(tmp_path)
    visits_table(connection, [("b1", "x", DAY, 3), ("b1", "y", DAY, 5), ("b2", None, DAY - timedelta(days=1), 10)])  # type: ignore[list-item]
    connection.register("history", daily_aggregates(connection, views=[view]))
    moment = datetime(2013, 3, 11, 9)

    columns = attach_history(
        connection, examples_table(("x", moment), (None, moment), ("x", datetime(2013, 3, 10))), views=[view]
    )

    assert columns["all__visits_1d"].to_pylist() == [2.0, 2.0, 1.0]
    assert columns["all__mean_7d"].to_pylist() == [6.0, 6.0, 10.0]
    assert columns["all__days_since_7d"].to_pylist() == [1.0, 1.0, 1.0]
    assert history_features([view], owner="us")[1].description == "Visits, over all rows, over the 7 days before."


def test_a_key_column_that_is_missing_throughout_knows_nothing(tmp_path: Path) -> None:
    connection = duckdb.connect()
    sql = "SELECT batch, NULL AS shop, known_on, count(*) AS visits FROM visits GROUP BY ALL"
    view = replace(shop_view(tmp_path, sql=sql), features=(Count(name="visits", of="visits", description="Visits"),))
    visits_table(connection, [("b1", "x", DAY, 3)])
    connection.register("history", daily_aggregates(connection, views=[view]))

    columns = attach_history(connection, examples_table(("x", DAY_AFTER), (None, DAY_AFTER)), views=[view])

    assert columns["shop__visits_7d"].to_pylist() == [None, None]


@pytest.mark.parametrize("apart", [1, 30, 20_000])
def test_days_near_and_far_apart_roll_up_alike(tmp_path: Path, apart: int) -> None:
    """Few places between the days are looked up in a table, many by binary search."""
    connection = duckdb.connect()
    view = shop_view(tmp_path, windows=(7,))
    first, last = DAY - timedelta(days=apart), DAY
    visits_table(connection, [("b", "x", first, 3), ("b", "x", last, 5), ("b", "y", first, 7)])
    connection.register("history", daily_aggregates(connection, views=[view]))
    (totals,) = read_totals(connection, views=[view])
    asked = [first, first + timedelta(days=1), last + timedelta(days=7), last + timedelta(days=8), date(9000, 1, 1)]

    found = roll_up(
        totals,
        view=view,
        entities=pa.array(["x"] * len(asked)),
        days=np.array([(day - EPOCH).days for day in asked]),
    )

    assert found["shop__most_7d"].tolist()[1:3] == [3.0, 5.0]
    assert np.isnan(found["shop__most_7d"][[0, 3, 4]]).all()
    assert found["shop__days_since_7d"].tolist()[1:3] == [1.0, 7.0]


DISTINCT = """
-- One row per batch, shop and day: who came, as bits.
SELECT batch, shop, known_on, distinct_bits(amount, 0, 2) AS guests_0, distinct_bits(amount, 1, 2) AS guests_1
FROM visits GROUP BY ALL
"""


def guests_view(folder: Path) -> HistoryView:
    """How many different amounts were paid, about, over a week."""
    features = (Distinct(name="guests", of="guests", words=2, description="Different guests"),)
    return replace(shop_view(folder, sql=DISTINCT, windows=(7,)), features=features)


@pytest.mark.parametrize("different", [1, 30, 120])
def test_different_values_are_counted_about_right_however_often_they_come(tmp_path: Path, different: int) -> None:
    connection = duckdb.connect()
    rows = [("b", "x", DAY - timedelta(days=1 + back), guest) for back in range(3) for guest in range(different)]

    found = _rolled(connection, [[*rows, ("b", "y", DAY, 1)]], view=guests_view(tmp_path), asked=DAY)

    assert found["shop__guests_7d"][0] == pytest.approx(different, rel=0.2)
    assert math.isnan(found["shop__guests_7d"][1])


def test_different_values_add_up_to_the_same_bits_in_any_split(tmp_path: Path) -> None:
    connection = duckdb.connect()
    view = guests_view(tmp_path)
    rows = [(f"b{guest % 3}", "x", DAY - timedelta(days=1 + guest % 9), guest % 70) for guest in range(300)]

    split = [[row for row in rows if row[0] == batch] for batch in ("b2", "b0", "b1")]

    together = _rolled(connection, [rows], view=view, asked=DAY)["shop__guests_7d"]
    assert _rolled(connection, split, view=view, asked=DAY)["shop__guests_7d"].tobytes() == together.tobytes()


visits = st.lists(
    st.tuples(
        st.sampled_from(["b1", "b2", "b3"]),
        st.sampled_from(["x", "y", "z"]),
        st.integers(0, 12).map(lambda days: DAY + timedelta(days=days)),
        st.integers(-1000, 1000),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=visits, order=st.permutations(["b1", "b2", "b3"]), day=st.integers(-1, 21))
def test_batches_in_any_order_add_up_to_the_plain_sums_exactly(
    tmp_path: Path, rows: list[Visit], order: list[str], day: int
) -> None:
    view = shop_view(tmp_path)
    asked = DAY + timedelta(days=day)
    connection = duckdb.connect()
    incremental = _rolled(
        connection, [[row for row in rows if row[0] == batch] for batch in order], view=view, asked=asked
    )
    full = _rolled(connection, [rows], view=view, asked=asked)

    for name, values in full.items():
        np.testing.assert_array_equal(incremental[name], values)
    for position, shop in enumerate("xyz"):
        for window in (1, 7):
            amounts = [r[3] for r in rows if r[1] == shop and 1 <= (asked - r[2]).days <= window]
            for feature, expected in _by_hand(amounts).items():
                found = full[f"shop__{feature}_{window}d"][position]
                assert found == expected or (math.isnan(found) and math.isnan(expected))


def _rolled(
    connection: duckdb.DuckDBPyConnection, batches: list[list[Visit]], *, view: HistoryView, asked: date
) -> dict[str, NDArray[np.float64]]:
    files = []
    for rows in batches:
        visits_table(connection, rows)
        files.append(daily_aggregates(connection, views=[view]))
    connection.register("history", pa.concat_tables(files))
    (totals,) = read_totals(connection, views=[view])
    days = np.full(3, (asked - EPOCH).days)
    return roll_up(totals, view=view, entities=pa.array(["x", "y", "z"]), days=days)


def _by_hand(amounts: list[int]) -> dict[str, float]:
    if not amounts:
        return dict.fromkeys(("visits", "mean", "least", "most"), math.nan)
    return {
        "visits": float(len(amounts)),
        "mean": sum(amounts) / len(amounts),
        "least": float(min(amounts)),
        "most": float(max(amounts)),
    }
