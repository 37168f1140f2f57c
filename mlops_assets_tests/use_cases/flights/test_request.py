"""A flight is asked for with what is known before departure; a bad field is named with its reason."""

from __future__ import annotations

from datetime import datetime

import pytest
from pydantic import ValidationError

from mlops_assets.use_cases.flights.request import EXAMPLE, FlightRequest


def test_the_example_is_accepted_and_named_like_its_outcome() -> None:
    flight = FlightRequest.model_validate(EXAMPLE)

    assert flight.id == "2013-07-01-UA1545-EWR"
    assert flight.event_time == datetime(2013, 7, 1, 5, 15)
    assert flight.hour_of_day == 5


def test_an_aircraft_need_not_be_assigned_yet() -> None:
    assert FlightRequest.model_validate({**EXAMPLE, "tailnum": None}).tailnum is None
    assert FlightRequest.model_validate({k: v for k, v in EXAMPLE.items() if k != "tailnum"}).tailnum is None


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("carrier", "united", "should match pattern"),
        ("flight", 0, "greater than or equal to 1"),
        ("flight", "many", "valid integer"),
        ("origin", "BOS", "'EWR', 'JFK' or 'LGA'"),
        ("dest", "Houston", "should match pattern"),
        ("sched_dep_at", "tomorrow", "valid datetime"),
        ("sched_dep_at", "2013-07-01T05:15:00Z", "without a time zone"),
        ("sched_dep_at", "2013-07-01T05:15:30", "whole minutes"),
        ("sched_arr_time", 875, "its minutes are 75"),
        ("sched_arr_time", 2500, "less than or equal to 2400"),
        ("distance", -3, "greater than or equal to 1"),
        ("distance", float("nan"), "finite number"),
        ("arr_delay", 12, "Extra inputs are not permitted"),
        ("id", "mine", "Extra inputs are not permitted"),
    ],
)
def test_a_bad_field_is_named_with_its_reason(field: str, value: object, reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        FlightRequest.model_validate({**EXAMPLE, field: value})

    (error,) = refused.value.errors()
    assert error["loc"] == (field,)
    assert reason in error["msg"]
