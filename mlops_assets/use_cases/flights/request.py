"""What a caller sends for one flight: known before departure, checked field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, computed_field, field_validator

EXAMPLE: dict[str, JsonValue] = {
    "carrier": "UA",
    "flight": 1545,
    "tailnum": "N14228",
    "origin": "EWR",
    "dest": "IAH",
    "sched_dep_at": "2013-07-01T05:15:00",
    "sched_arr_time": 819,
    "distance": 1400,
}


class FlightRequest(BaseModel):
    """One scheduled flight out of New York."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": EXAMPLE})

    carrier: Annotated[str, Field(pattern=r"^[A-Z0-9]{2}$", description="IATA code of the airline, e.g. UA")]
    flight: Annotated[int, Field(ge=1, le=9999, description="Flight number")]
    tailnum: Annotated[
        str | None,
        Field(pattern=r"^[A-Z0-9-]{2,8}$", description="Aircraft's registration; null if not assigned"),
    ] = None
    origin: Literal["EWR", "JFK", "LGA"]
    dest: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="IATA code of the destination, e.g. IAH")]
    sched_dep_at: Annotated[datetime, Field(description="Scheduled departure, New York wall time, without a zone")]
    sched_arr_time: Annotated[
        int,
        Field(ge=0, le=2400, description="Scheduled arrival on the destination's clock as HHMM, e.g. 819"),
    ]
    distance: Annotated[int, Field(ge=1, le=12000, description="Miles between the airports")]

    @field_validator("sched_dep_at")
    @classmethod
    def _is_wall_time(cls, value: datetime) -> datetime:
        if value.tzinfo is not None:
            raise ValueError("give New York wall time without a time zone, e.g. 2013-07-01T05:15:00")
        if value.second or value.microsecond:
            raise ValueError("a schedule is in whole minutes")
        return value

    @field_validator("sched_arr_time")
    @classmethod
    def _is_clock(cls, value: int) -> int:
        if value % 100 > 59:
            raise ValueError(f"{value} is no clock time HHMM: its minutes are {value % 100}")
        return value

    @computed_field
    def id(self) -> str:
        """The flight's own name, under which its outcome will be known."""
        return f"{self.sched_dep_at:%Y-%m-%d}-{self.carrier}{self.flight}-{self.origin}"

    @computed_field
    def event_time(self) -> datetime:
        """The moment of prediction: scheduled departure."""
        return self.sched_dep_at

    @computed_field
    def hour_of_day(self) -> int:
        """The scheduled hour, a key of history."""
        return self.sched_dep_at.hour
