"""What was asked is read from records by type; what was looked up counts once for a key and an hour."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_assets.watch.served.request_profiles import (
    EVENT_HOUR,
    of_day,
    of_hours,
    request_columns,
    request_rows,
    unchanged_column,
)
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.watch.served.asked import day_of_requests, name_of, profiles_of, put

UNCHANGED = unchanged_column(PARCELS.asof[0])


def record(*, hour: int = 8, snow: float | None = 1.5, **inputs: object) -> dict[str, object]:
    asked = {"number": 1, "depot": "AMS", "weight": 2.5, "sent_at": f"2024-03-01T{hour:02d}:20:00", **inputs}
    return {
        "inputs": json.dumps({**asked, "id": "x"}),
        "features": json.dumps({"roads__snow": snow, "is_morning": 1.0}),
        "event_time": datetime(2024, 3, 1, hour, 20),
    }


def rows_of(*records: dict[str, object], hidden: str = "") -> pa.Table:
    use_case = replace(PARCELS, logged={hidden: "hashed"}, parity=False) if hidden else PARCELS
    with duckdb.connect() as connection:
        return request_rows(
            pa.Table.from_pylist(list(records)), columns=request_columns(use_case), connection=connection
        )


def test_records_are_read_with_the_types_of_the_request() -> None:
    rows = rows_of(record(), record(hour=9, snow=None, weight=None))

    assert rows.to_pylist() == [
        {"number": 1, "depot": "AMS", "weight": 2.5, "sent_at": datetime(2024, 3, 1, 8, 20)}
        | {"roads__snow": 1.5, EVENT_HOUR: 8},
        {"number": 1, "depot": "AMS", "weight": None, "sent_at": datetime(2024, 3, 1, 9, 20)}
        | {"roads__snow": None, EVENT_HOUR: 9},
    ]


def test_a_value_of_another_type_is_missing() -> None:
    assert rows_of(record(weight="heavy"))["weight"].to_pylist() == [None]


def test_hidden_columns_are_not_compared() -> None:
    assert "number" not in rows_of(record(), hidden="number").column_names


def test_what_is_looked_up_counts_once_for_a_key_and_an_hour() -> None:
    day = day_of_requests(0)
    profile = of_day(profiles_of({name_of(0): day})[name_of(0)])

    keys = day.group_by(["depot", EVENT_HOUR]).aggregate([])
    assert profile.column("roads__snow").rows == keys.num_rows < day.num_rows
    assert profile.column("roads__snow", scope="depot=AMS").rows == pc.sum(pc.equal(keys["depot"], "AMS")).as_py()
    assert profile.column("weight").rows == day.num_rows


@pytest.mark.parametrize(
    ("snow", "hours"), [([1, 2, 3, 4], 0), ([1, 1, 1, 4], 2), ([1, 2, 2, 2], 2), ([7, 7, 7, 7], 3)]
)
def test_hours_without_a_change_are_counted(snow: list[int], hours: int) -> None:
    rows = rows_of(*(record(hour=8 + at, snow=each) for at, each in enumerate(snow)))

    assert profiles_of({name_of(0): rows})[name_of(0)].column(UNCHANGED).maximum == hours


def test_answers_that_are_missing_are_no_answer_that_stays() -> None:
    rows = rows_of(*(record(hour=8 + at, snow=None) for at in range(5)))

    assert profiles_of({name_of(0): rows})[name_of(0)].column(UNCHANGED).missing == 5


def test_the_hours_so_far_are_a_batch_of_their_own() -> None:
    day = day_of_requests(0)
    morning = day.filter(pc.less(day[EVENT_HOUR], 12))
    both = profiles_of({"all": day, "morning": morning})

    assert of_hours(both["all"], until=12).table.equals(of_hours(both["morning"], until=24).table)
    assert of_hours(both["all"], until=12).column("weight").mean == pytest.approx(pc.mean(morning["weight"]).as_py())
    assert of_hours(both["all"], until=3).rows == 0


def test_segments_of_the_day_are_those_that_are_watched() -> None:
    profile = of_day(profiles_of({name_of(0): put(day_of_requests(0), "depot", ["AMS"] * 240)})[name_of(0)])

    assert profile.scopes == ("depot=AMS", "overall")
