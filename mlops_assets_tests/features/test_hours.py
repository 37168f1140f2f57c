"""Windows of hours count what was known before the minute asked for, offline and online alike."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.history import Count, HistoryView, history_features
from mlops_assets.features.history import daily_aggregates
from mlops_assets.features.online_view import online_view
from mlops_assets.features.training_view import attach_history
from mlops_assets.stores.features.online import OnlineStore
from mlops_assets.stores.features.online_sqlite import SqliteBackend
from mlops_assets_tests.features.visits import examples_table, shop_view, visits_table

Visit = tuple[str, str | None, datetime, int]  # batch, shop, known_at, amount
DAY = date(2013, 3, 10)
NOON = datetime(2013, 3, 10, 12)
DELAY = timedelta(minutes=15)
SQL = """
-- One row per batch, shop and moment.
SELECT batch, shop, known_at, count(*) AS visits, CAST(sum(amount) AS BIGINT) AS amount,
    CAST(sum(amount * amount) AS BIGINT) AS squares, min(amount) AS least, max(amount) AS most
FROM visits GROUP BY ALL
"""
FIGURES = ("visits", "mean", "std", "least", "most")


def hours_view(folder: Path, *, keys: tuple[str, ...] = ("shop",), delay: timedelta = DELAY) -> HistoryView:
    """One feature of each kind over the day before, and over one and three hours; the days since over a week."""
    sql = SQL if keys else SQL.replace("batch, shop, known_at", "batch, known_at")
    view = shop_view(folder, windows=(1,), sql=sql)
    *features, recency = view.features
    features.append(replace(recency, windows=(7,)))
    return replace(view, keys=keys, hours=(1, 3), delay=delay, features=tuple(features))


def visits_by_minute(connection: duckdb.DuckDBPyConnection, visits: Iterable[Visit]) -> None:
    """(Re)make the source ``visits``."""
    rows = [dict(zip(("batch", "shop", "known_at", "amount"), visit, strict=True)) for visit in visits]
    kinds = [("batch", pa.string()), ("shop", pa.string()), ("known_at", pa.timestamp("us")), ("amount", pa.int64())]
    connection.register("visits", pa.Table.from_pylist(rows, schema=pa.schema(kinds)))


def by_hand(amounts: list[int]) -> dict[str, float | None]:
    """The figures of these visits in plain Python."""
    if not amounts:
        return dict.fromkeys(FIGURES)
    count, total, squares = len(amounts), sum(amounts), sum(each * each for each in amounts)
    return {
        "visits": count,
        "mean": total / count,
        "std": math.sqrt(max(squares / count - (total / count) ** 2, 0.0)),
        "least": min(amounts),
        "most": max(amounts),
    }


def expected(visits: list[Visit], *, shop: str | None, moment: datetime, delay: timedelta) -> dict[str, float | None]:
    """What is known at ``moment``, one visit after the other."""
    columns: dict[str, float | None] = {}
    minute = moment.replace(second=0, microsecond=0)
    mine = [
        ((known_at + delay).replace(second=0, microsecond=0), amount)
        for _, of, known_at, amount in visits
        if of == shop and shop
    ]
    for hours in (1, 3):
        within = [amount for known, amount in mine if minute - timedelta(hours=hours) <= known < minute]
        columns |= {f"shop__{name}_{hours}h": value for name, value in by_hand(within).items()}
    yesterday = [amount for known, amount in mine if (moment.date() - known.date()).days == 1]
    columns |= {f"shop__{name}_1d": value for name, value in by_hand(yesterday).items()}
    ages = [(moment.date() - known.date()).days for known, _ in mine]
    columns["shop__days_since_7d"] = min((age for age in ages if 1 <= age <= 7), default=None)
    return columns


def test_the_minute_before_counts_the_minute_itself_does_not(tmp_path: Path) -> None:
    connection = duckdb.connect()
    view = hours_view(tmp_path, delay=timedelta(0))
    before = lambda **span: NOON - timedelta(**span)  # noqa: E731 - reads as the table it is
    known = [NOON, before(seconds=1), before(minutes=60), before(minutes=60, seconds=1), before(minutes=180)]
    visits_by_minute(connection, [("b", "x", moment, 10**place) for place, moment in enumerate(known)])
    connection.register("history", daily_aggregates(connection, views=[view]))

    columns = attach_history(connection, examples_table(("x", NOON + timedelta(seconds=59))), views=[view])

    assert columns["shop__visits_1h"].to_pylist() == [2.0]
    assert columns["shop__mean_1h"].to_pylist() == [(10 + 100) / 2]
    assert columns["shop__visits_3h"].to_pylist() == [4.0]
    assert columns["shop__visits_1d"].to_pylist() == [None]


def test_what_is_published_later_is_known_later(tmp_path: Path) -> None:
    connection = duckdb.connect()
    view = hours_view(tmp_path, delay=timedelta(minutes=45))
    visits_by_minute(connection, [("b", "x", NOON - timedelta(minutes=30), 7), ("b", "x", None, 9)])  # type: ignore[list-item]
    connection.register("history", daily_aggregates(connection, views=[view]))
    minutes = (0, 15, 16, 75, 76)
    asked = examples_table(*(("x", NOON + timedelta(minutes=each)) for each in minutes))

    columns = attach_history(connection, asked, views=[view])

    assert columns["shop__visits_1h"].to_pylist() == [None, None, 1.0, 1.0, None]


def test_columns_say_their_hours(tmp_path: Path) -> None:
    view = hours_view(tmp_path)
    described = {each.name: each.description for each in history_features([view], owner="us")}

    assert described["shop__visits_3h"] == "Visits, per shop, over the 3 hours before."
    assert described["shop__visits_1h"] == "Visits, per shop, over the hour before."
    assert described["shop__visits_1d"] == "Visits, per shop, over the day before."
    assert "shop__days_since_3h" not in described
    assert view.longest == 7
    assert replace(view, windows=(), features=view.features[:1], hours=(25,)).longest == 2


def test_a_view_over_hours_must_say_the_moment(tmp_path: Path) -> None:
    connection = duckdb.connect()
    visits_by_minute(connection, [("b", "x", NOON, 7)])
    for sql, says in (
        (SQL.replace("known_at", "known_at::DATE AS known_at", 1), "must be a TIMESTAMP"),
        ("SELECT batch, shop, 1 AS n FROM visits", "must yield 'known_at'"),
    ):
        view = hours_view(tmp_path)
        view.sql.write_text(sql)
        with pytest.raises(FeatureError, match=says):
            daily_aggregates(connection, views=[view])


def test_history_from_before_the_hours_is_refused(tmp_path: Path) -> None:
    connection = duckdb.connect()
    visits_table(connection, [("b", "x", DAY, 3)])
    connection.register("history", daily_aggregates(connection, views=[shop_view(tmp_path)]))

    with pytest.raises(FeatureError, match="History of shop was made before there were windows of hours"):
        attach_history(connection, examples_table(("x", NOON)), views=[hours_view(tmp_path)])


def test_a_figure_of_days_has_no_hours(tmp_path: Path) -> None:
    connection = duckdb.connect()
    view = hours_view(tmp_path)
    hourly = replace(view, features=(replace(view.features[-1], windows=(), hours=(1,)),))
    visits_by_minute(connection, [("b", "x", NOON, 7)])
    connection.register("history", daily_aggregates(connection, views=[hourly]))

    with pytest.raises(FeatureError, match="of windows of days"):
        attach_history(connection, examples_table(("x", NOON)), views=[hourly])


moments = st.integers(-4 * 1440 * 60, 2 * 1440 * 60).map(lambda seconds: NOON + timedelta(seconds=seconds))
visits = st.lists(
    st.tuples(st.sampled_from(["b1", "b2"]), st.sampled_from(["x", "y", None]), moments, st.integers(-1000, 1000)),
    max_size=25,
)
asked = st.lists(st.tuples(st.sampled_from(["x", "y", "z", None]), moments), min_size=1, max_size=10)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=visits, asked=asked, delay=st.sampled_from([timedelta(0), DELAY, timedelta(seconds=90)]))
def test_any_minute_equals_the_plain_reference(
    tmp_path: Path, rows: list[Visit], asked: list[tuple[str | None, datetime]], delay: timedelta
) -> None:
    connection = duckdb.connect()
    view = hours_view(tmp_path, delay=delay)
    files = []
    for batch in ("b2", "b1"):
        visits_by_minute(connection, [row for row in rows if row[0] == batch])
        files.append(daily_aggregates(connection, views=[view]))
    connection.register("history", pa.concat_tables(files))

    columns = attach_history(connection, examples_table(*asked), views=[view])

    for place, (shop, moment) in enumerate(asked):
        found = {name: column[place].as_py() for name, column in columns.items()}
        assert found == expected(rows, shop=shop, moment=moment, delay=delay)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=visits, asked=asked, keys=st.sampled_from([("shop",), ()]))
def test_the_online_store_equals_the_join_at_any_minute(
    tmp_path: Path, rows: list[Visit], asked: list[tuple[str | None, datetime]], keys: tuple[str, ...]
) -> None:
    connection = duckdb.connect()
    view = hours_view(tmp_path, keys=keys)
    visits_by_minute(connection, rows)
    connection.register("history", daily_aggregates(connection, views=[view]))
    requests = examples_table(*((shop, max(moment, datetime(2013, 3, 9))) for shop, moment in asked))
    (tmp_path / "store.sqlite").unlink(missing_ok=True)
    store = OnlineStore(SqliteBackend(tmp_path / "store.sqlite"))
    store.refresh(online_view(connection, as_of=DAY, history=[view]), commit="c1")

    served = store.look_up(requests).examples
    offline = attach_history(connection, requests, views=[view], as_of=DAY)
    store.close()

    for name, column in offline.items():
        assert served.column(name).to_pylist() == column.to_pylist(), name


def test_the_store_holds_the_hours_that_can_be_asked_for_and_no_more(tmp_path: Path) -> None:
    connection = duckdb.connect()
    view = replace(
        hours_view(tmp_path, delay=timedelta(0)), features=(Count(name="visits", of="visits", description="V"),)
    )
    long_ago = [("b", "x", NOON - timedelta(days=2, hours=back), 1) for back in range(500)]
    visits_by_minute(connection, [*long_ago, ("b", "x", NOON, 1)])
    connection.register("history", daily_aggregates(connection, views=[view]))

    days, hours = online_view(connection, as_of=DAY, history=[view]).history

    assert (days.columns, hours.columns) == (("shop__visits_1d",), ("shop__visits_1h", "shop__visits_3h"))
    assert [datetime(1970, 1, 1) + timedelta(microseconds=each) for each in hours.observed or []] == [
        NOON + timedelta(minutes=1),
        NOON + timedelta(minutes=61),
        NOON + timedelta(minutes=181),
    ]
    assert hours.values[:, 1].tolist()[:2] == [1.0, 1.0]
