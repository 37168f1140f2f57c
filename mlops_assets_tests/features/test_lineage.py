"""Lineage is read off the SQL: every feature down to source columns, and nothing beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import Feature
from mlops_assets.features.lineage import (
    SourceColumn,
    columns_read,
    example_lineage,
    feature_lineage,
    history_lineage,
    request_lineage,
    yielded_by,
)
from mlops_assets.use_cases.flights import USE_CASE

KNOWN_LATER = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}


@pytest.fixture(scope="module")
def lineage() -> dict[str, tuple[SourceColumn, ...]]:
    return feature_lineage(USE_CASE)


def test_every_feature_traces_to_columns_that_a_source_has(lineage: dict[str, tuple[SourceColumn, ...]]) -> None:
    assert list(lineage) == [feature.name for feature in USE_CASE.features]
    for name, origins in lineage.items():
        assert origins, f"{name} comes from nowhere"
        for origin in origins:
            assert origin.column in USE_CASE.source(origin.source).columns.names


@pytest.mark.parametrize(
    ("feature", "origins"),
    [
        ("carrier", {"flights.carrier"}),
        ("hour_of_day", {"flights.hour"}),
        ("distance", {"flights.distance"}),
        ("minute_of_day", {"flights.minute", "flights.time_hour"}),
        ("sched_clock_minutes", {"flights.minute", "flights.sched_arr_time", "flights.time_hour"}),
        ("plane_age", {"flights.minute", "flights.time_hour", "planes.year"}),
        ("plane__seats", {"planes.seats"}),
        ("weather__wind_gust", {"weather.wind_gust"}),
        ("carrier__late_rate_28d", {"flights.arr_delay"}),
        ("carrier__dep_delay_mean_7d", {"flights.arr_delay", "flights.dep_delay"}),
        ("route__flights_1d", {"flights.origin", "flights.dest"}),
    ],
)
def test_known_features_have_exactly_these_origins(
    lineage: dict[str, tuple[SourceColumn, ...]], feature: str, origins: set[str]
) -> None:
    assert {f"{origin.source}.{origin.column}" for origin in lineage[feature]} == origins


def test_days_since_come_from_what_decides_the_day(lineage: dict[str, tuple[SourceColumn, ...]]) -> None:
    assert SourceColumn(source="flights", column="arr_time") in lineage["tailnum__days_since_28d"]
    assert SourceColumn(source="airports", column="tzone") in lineage["tailnum__days_since_28d"]


def test_what_is_known_later_reaches_features_only_through_history(
    lineage: dict[str, tuple[SourceColumn, ...]],
) -> None:
    through_history = {name for view in USE_CASE.history for name, _, _ in view.columns()}
    for name in set(lineage) - through_history:
        assert not {origin.column for origin in lineage[name]} & KNOWN_LATER, name
    label = {origin.column for origin in example_lineage(USE_CASE)["label"]}
    assert label == {"arr_delay"}
    assert {origin.column for origin in lineage["hour__late_rate_7d"]} == label


def test_history_files_trace_to_sources() -> None:
    found = history_lineage(USE_CASE)
    assert {origin.column for origin in found["entity"]} == {"carrier", "origin", "dest", "tailnum", "hour"}
    assert {origin.column for origin in found["arr_delay_squares"]} == {"arr_delay"}
    assert {"landed", "flights", "cancelled", "late", "known_on"} <= set(found)


def test_a_feature_from_nowhere_has_no_origins() -> None:
    unknown = Feature(name="nowhere", kind="numeric", description="", owner="")
    assert feature_lineage(replace(USE_CASE, features=(unknown,))) == {"nowhere": ()}


def test_columns_read_follows_aliases_stars_and_filters(tmp_path: Path) -> None:
    sql = tmp_path / "features.sql"
    sql.write_text(
        "WITH late AS (SELECT *, a + 1 AS more FROM examples WHERE outcome > 0)\n"
        "SELECT id, more * 2 AS twice, twice + 1 AS again FROM late"
    )
    assert columns_read(sql, relation="examples", columns=("id", "a", "b")) == {"id", "a", "b", "outcome"}
    assert yielded_by(sql) == ("id", "twice", "again")


@pytest.mark.parametrize("text", ["SELECT (id FROM examples", "DROP TABLE examples"])
def test_sql_that_is_no_query_is_named(tmp_path: Path, text: str) -> None:
    sql = tmp_path / "features.sql"
    sql.write_text(text)
    with pytest.raises(FeatureError, match=r"features\.sql"):
        yielded_by(sql)


def test_a_column_of_a_request_has_the_features_made_of_it_and_looked_up_by_it() -> None:
    found = request_lineage(USE_CASE)

    assert len(found["tailnum"]) == 25
    assert {"plane_age", "plane__seats", "tailnum__late_rate_28d"} <= set(found["tailnum"])
    assert {"month", "minute_of_day", "plane_age"} <= set(found["sched_dep_at"])
    assert found["distance"] == ("distance",)
    assert found["flight"] == ()
