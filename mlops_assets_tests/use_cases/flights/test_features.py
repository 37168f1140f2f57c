"""Flights' features on real days: nothing later enters, outcomes count when known, online equals offline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_assets.features.history import daily_aggregates, split_by_batch
from mlops_assets.features.matrix import Vocabulary, learn_vocabulary
from mlops_assets.features.online_view import online_view
from mlops_assets.features.request_plan import Encoded, RequestPlan
from mlops_assets.features.requests import request_table
from mlops_assets.features.training_view import attach, attach_asof, labelled_examples, request_features
from mlops_assets.stores.features.online import LookUp, OnlineStore
from mlops_assets.stores.features.online_sqlite import SqliteBackend
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets.use_cases.flights.features import (
    ASOF,
    EXAMPLES_SQL,
    FEATURES_SQL,
    HISTORY,
    RELATIONS,
)
from mlops_assets.use_cases.flights.request import FlightRequest
from mlops_assets_tests.use_cases.flights.seed_tables import days_from, put_history, seed_tables

FIRST, LAST = date(2013, 5, 20), date(2013, 7, 5)


@pytest.fixture(scope="module")
def seed() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = seed_tables(first=FIRST, last=LAST)
    put_history(connection, daily_aggregates(connection, views=HISTORY, relations=RELATIONS))
    connection.execute("CREATE TABLE known AS FROM outcomes")  # as they were, for tests that rewrite the sources
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def examples(seed: duckdb.DuckDBPyConnection) -> pa.Table:
    return labelled_examples(seed, examples_sql=EXAMPLES_SQL, relations=RELATIONS)


def _of_day(examples: pa.Table, day: date) -> pa.Table:
    return examples.filter(pc.equal(pc.cast(examples.column("event_time"), pa.date32(), safe=False), day))


def _sampled(rows: pa.Table, count: int, *, seed: int) -> pa.Table:
    return rows.take(np.sort(np.random.default_rng(seed).choice(rows.num_rows, count, replace=False)))


def _matrix(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> pa.Table:
    attached = attach(connection, rows, history=HISTORY, asof=ASOF)
    return request_features(connection, attached, features_sql=FEATURES_SQL, features=USE_CASE.features)


def test_scrambling_what_became_known_later_moves_no_feature_of_a_thousand_flights(
    examples: pa.Table, seed: duckdb.DuckDBPyConnection
) -> None:
    """Per day: whatever became known from its midnight on, and so every later flight, is altered or gone."""
    for number, day in enumerate([date(2013, 6, 24), *days_from(date(2013, 6, 29), 4)]):
        rows = _sampled(_of_day(examples, day), 200, seed=number)
        before = _matrix(seed, rows)
        altered = _with_later_outcomes_altered(seed, day)

        after = _matrix(altered, rows)

        differing = [name for name in before.column_names if not before.column(name).equals(after.column(name))]
        assert not differing
        assert before.column("carrier__late_rate_28d").null_count == 0


def _with_later_outcomes_altered(seed: duckdb.DuckDBPyConnection, day: date) -> duckdb.DuckDBPyConnection:
    altered = duckdb.connect()
    for name in ("weather", "planes", "airports"):
        altered.register(name, seed.sql(f"FROM {name}").to_arrow_table())
    later = "outcome_known_at >= $midnight"
    altered.register(
        "flights",
        seed.sql(
            f"SELECT flights.* REPLACE ("
            f"CASE WHEN {later} THEN dep_delay + 777 ELSE dep_delay END AS dep_delay, "
            f"CASE WHEN {later} AND hash(flights.flight) % 2 = 0 THEN NULL WHEN {later} THEN arr_delay + 777 "
            f"ELSE arr_delay END AS arr_delay) "
            "FROM flights JOIN (SELECT carrier, flight, origin, batch, outcome_known_at FROM known) "
            f"USING (carrier, flight, origin, batch) WHERE NOT ({later} AND hash(flights.flight) % 5 = 0)",
            params={"midnight": datetime.combine(day, datetime.min.time())},
        ).to_arrow_table(),
    )
    put_history(altered, daily_aggregates(altered, views=HISTORY, relations=RELATIONS))
    return altered


def test_weather_of_a_thousand_flights_is_that_of_an_hour_before_at_the_latest(
    examples: pa.Table, seed: duckdb.DuckDBPyConnection
) -> None:
    """Every flight gets a world of its own: weather ends there an hour before it is to depart."""
    rows = _sampled(examples, 1000, seed=1)
    weather = ASOF[0]
    before = attach_asof(seed, rows, view=weather)
    own = pa.array([f"{row['origin']} as {row['id']} knew it" for row in rows.to_pylist()])
    worlds = duckdb.connect()
    worlds.register("asking", rows.append_column("own", own))
    worlds.register("all_weather", seed.sql("FROM weather").to_arrow_table())
    worlds.execute(
        "CREATE TABLE weather AS SELECT all_weather.* REPLACE (own AS origin) FROM asking JOIN all_weather "
        "ON asking.origin = all_weather.origin AND timezone('America/New_York', timezone('UTC', time_hour)) "
        "BETWEEN event_time - INTERVAL 1 DAY AND event_time - INTERVAL 1 HOUR"
    )

    after = attach_asof(worlds, rows.set_column(rows.column_names.index("origin"), "origin", own), view=weather)

    assert after == before
    assert before["weather__temp"].null_count < 20


def test_rates_equal_those_counted_flight_by_flight(examples: pa.Table, seed: duckdb.DuckDBPyConnection) -> None:
    """An independent way: all flights whose outcome was known before midnight, straight from the events."""
    rows = _sampled(_of_day(examples, date(2013, 7, 1)), 300, seed=2)
    seed.register("asking", rows)
    by_hand = seed.sql(
        "SELECT asking.id, avg(known.late) AS late_rate, avg(known.arr_delay) AS arr_delay_mean, "
        "stddev_pop(known.arr_delay) AS arr_delay_std, count(*) AS flights FROM asking JOIN known "
        "ON known.origin = asking.origin AND known.dest = asking.dest "
        "AND known.outcome_known_at >= asking.event_time::DATE - INTERVAL 7 DAY "
        "AND known.outcome_known_at < asking.event_time::DATE GROUP BY asking.id"
    ).to_arrow_table()
    seed.unregister("asking")

    columns = _matrix(seed, rows)

    together = by_hand.join(columns, "id")
    for name in ("late_rate", "arr_delay_mean", "arr_delay_std", "flights"):
        np.testing.assert_allclose(together.column(name), together.column(f"route__{name}_7d"), rtol=1e-9, atol=1e-9)


def test_an_outcome_after_midnight_counts_on_the_day_of_landing(seed: duckdb.DuckDBPyConnection) -> None:
    history = seed.sql("FROM history WHERE view = 'origin'").to_arrow_table()
    files = split_by_batch(history, batches=["2013-06-30"])

    known = {row["known_on"]: row["flights"] for row in files["2013-06-30"].to_pylist() if row["entity"] == "JFK"}

    assert known[date(2013, 6, 30)] > 200
    assert known[date(2013, 7, 1)] > 10
    late = seed.sql(
        "SELECT count(*) FROM known WHERE batch = '2013-06-30' AND origin = 'JFK' "
        "AND outcome_known_at >= DATE '2013-07-01' AND outcome_known_at < DATE '2013-07-02'"
    ).fetchall()
    assert known[date(2013, 7, 1)] == late[0][0]


def test_no_outcome_is_known_before_the_aircraft_could_have_landed(seed: duckdb.DuckDBPyConnection) -> None:
    early = seed.sql(
        "SELECT count(*) FROM known JOIN flights USING (carrier, flight, origin, batch) "
        "WHERE outcome_known_at < event_time "
        "+ to_minutes(CAST(coalesce(flights.dep_delay, 0) + coalesce(air_time, 24 * 60) AS BIGINT))"
    ).fetchall()

    assert early == [(0,)]


def test_what_never_arrived_has_no_label_and_counts_a_day_later(seed: duckdb.DuckDBPyConnection) -> None:
    rows = seed.sql(
        "SELECT count(*), min(outcome_known_at - event_time), count(late) FROM known JOIN flights "
        "USING (carrier, flight, origin, batch) WHERE flights.arr_delay IS NULL AND flights.dep_delay IS NULL"
    ).fetchall()

    assert rows[0][0] > 500
    assert rows[0][1:] == (timedelta(days=1), 0)


def test_a_day_computed_alone_equals_its_part_of_all_days_together(seed: duckdb.DuckDBPyConnection) -> None:
    day = "2013-06-30"
    together = split_by_batch(seed.sql("FROM history").to_arrow_table(), batches=[day])[day]
    alone = duckdb.connect()
    alone.register("flights", seed.sql(f"FROM flights WHERE batch = '{day}'").to_arrow_table())
    alone.register("airports", seed.sql("FROM airports").to_arrow_table())

    history = daily_aggregates(alone, views=HISTORY, relations=RELATIONS)

    assert split_by_batch(history, batches=[day])[day].equals(together)


def test_ten_thousand_flights_are_the_same_to_the_bit_online_and_offline(
    examples: pa.Table, seed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Eleven days, each served by the store of that morning, through the request model and the plan of a request."""
    store = OnlineStore(SqliteBackend(tmp_path / "flights.sqlite"))
    days = [_of_day(examples, day) for day in days_from(date(2013, 6, 24), 11)]
    offline = _matrix(seed, pa.concat_tables(days))
    vocabulary = learn_vocabulary(offline, features=USE_CASE.features)
    compared = 0
    for rows in days:
        day = rows.column("event_time")[0].as_py().date()
        store.refresh(online_view(seed, as_of=day, history=HISTORY, asof=ASOF), commit=f"{day}")

        served = _served(store.look_up(_requests(rows)), vocabulary=vocabulary)

        expected = vocabulary.encode(offline.slice(compared, rows.num_rows), features=USE_CASE.features)
        assert served.matrix.values.tobytes() == expected.values.tobytes()
        assert served.matrix.names == expected.names
        compared += rows.num_rows
    assert compared >= 10_000
    store.close()


def _served(look_up: LookUp, *, vocabulary: Vocabulary) -> Encoded:
    """What was looked up, as the service encodes it."""
    requests = look_up.requests
    columns = {name: requests[name].combine_chunks() for name in requests.column_names} | dict(look_up.side)
    plan = RequestPlan(
        examples=pa.schema([(name, column.type) for name, column in columns.items()]),
        blocks=[names for names, _ in look_up.history],
        features=USE_CASE.features,
        features_sql=FEATURES_SQL,
        vocabulary=vocabulary,
    )
    encoded = plan.encode(columns, blocks=look_up.history, rows=requests.num_rows)
    plan.close()
    return encoded


def _requests(rows: pa.Table) -> pa.Table:
    """The rows as a caller would send them."""
    fields = [name for name in FlightRequest.model_fields if name != "sched_dep_at"]
    return request_table(
        [
            FlightRequest(**{name: row[name] for name in fields}, sched_dep_at=row["event_time"])
            for row in rows.to_pylist()
        ],
        model=FlightRequest,
    )


def test_an_aircraft_that_is_not_on_record_has_no_age_but_the_flight_has_its_features(
    examples: pa.Table, seed: duckdb.DuckDBPyConnection
) -> None:
    rows = _of_day(examples, date(2013, 7, 1)).slice(0, 2)
    rows = rows.set_column(rows.column_names.index("tailnum"), "tailnum", pa.array(["N0000", None]))

    table = _matrix(seed, rows)

    for name in ("plane_age", "plane__seats", "tailnum__late_rate_28d"):
        assert table.column(name).null_count == 2
    assert table.column("carrier__late_rate_28d").null_count == 0
    assert table.column("weather__temp").null_count == 0


def test_every_feature_is_described_and_named_once() -> None:
    names = [feature.name for feature in USE_CASE.features]

    assert len(names) == len(set(names)) == 152
    assert all(feature.description and feature.owner for feature in USE_CASE.features)
