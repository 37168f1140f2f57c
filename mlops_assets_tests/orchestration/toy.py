"""Toy: will this parcel be late? Small visible tables that every test of the orchestration lands, spoils and watches.

Two depots send thirty parcels each a day; a heavy parcel is late, but for an exception in every ten. ``roads`` says how
much snow lies, ahead of the day's parcels; ``depots`` is replaced as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import pandera.pandas as pa
from pydantic import BaseModel, ConfigDict, Field, computed_field

from mlops_assets import (
    AsOfView,
    Cadence,
    Count,
    DailyBatches,
    Feature,
    HistoryView,
    LandingZone,
    Mean,
    MetricBound,
    MonitoringPlan,
    NotWorseThanChampion,
    PositiveShare,
    Recipe,
    RollingOrigin,
    SeedData,
    Slice,
    Source,
    TimeSplit,
    UseCase,
    history_features,
)

SQL = Path(__file__).parent / "parcels_sql"
FIRST = date(2024, 3, 1)
DEPOTS = ("AMS", "BER")
PARCELS_A_DAY = 30


class ParcelRows(pa.DataFrameModel):
    """One parcel, known the evening it arrived or did not."""

    number: int = pa.Field(ge=1, description="number of the parcel on its day")
    day: date = pa.Field(description="the day it was sent")
    sent_at: pd.Timestamp = pa.Field(description="when it was sent")
    depot: str = pa.Field(isin=list(DEPOTS), description="where it was sent from")
    weight: float = pa.Field(gt=0, le=30, description="kilograms")
    minutes_late: pd.Int64Dtype = pa.Field(nullable=True, description="minutes, missing if it never arrived")

    class Config:
        strict = True
        ordered = True
        unique = ["day", "depot", "number"]  # noqa: RUF012 - pandera reads a list


class RoadRows(pa.DataFrameModel):
    """The road at a depot, once a day before the first parcel."""

    depot: str = pa.Field(isin=list(DEPOTS), description="depot")
    observed_at: pd.Timestamp = pa.Field(description="when")
    snow: float = pa.Field(ge=0, le=500, description="centimetres")

    class Config:
        strict = True
        ordered = True


class DepotRows(pa.DataFrameModel):
    """One depot."""

    depot: str = pa.Field(unique=True, description="its code")
    staff: int = pa.Field(ge=1, description="people who work there")

    class Config:
        strict = True
        ordered = True


class ParcelRequest(BaseModel):
    """One parcel, before it is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    depot: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    weight: Annotated[float, Field(gt=0, le=30)]
    sent_at: datetime

    @computed_field
    def id(self) -> str:
        """The parcel's own name."""
        return f"{self.sent_at:%Y-%m-%d}-{self.depot}-{self.number}"

    @computed_field
    def event_time(self) -> datetime:
        """The moment of prediction."""
        return self.sent_at


def day_number(number: int) -> str:
    """The batch of the toy's day 0, 1, 2 …"""
    return (FIRST + timedelta(days=number)).isoformat()


def parcels_csv(batch: str, *, changes: Mapping[int, str] | None = None) -> bytes:
    """A day's parcels as their file; ``changes`` replaces whole lines, by data row from 1."""
    day, rows = date.fromisoformat(batch), []
    for depot in DEPOTS:
        for number in range(1, PARCELS_A_DAY + 1):
            weight = 1 + (number * 3 + day.day) % 8
            late = (weight > 4) != (number % 10 == day.day % 10)
            sent_at = datetime(day.year, day.month, day.day, 8 + number // 3, number % 3 * 20)
            rows.append(f"{number},{day},{sent_at},{depot},{weight}.5,{40 if late else -5}")
    for row, line in (changes or {}).items():
        rows[row - 1] = line
    return "\n".join(["number,day,sent_at,depot,weight,minutes_late", *rows, ""]).encode()


def roads_csv(batch: str) -> bytes:
    """A day's roads as their file."""
    snow = date.fromisoformat(batch).day % 3
    return "\n".join(
        ["depot,observed_at,snow", *(f"{depot},{batch} 06:00:00,{snow}.0" for depot in DEPOTS), ""]
    ).encode()


def depots_csv(batch: str = "all") -> bytes:
    """The depots as their file."""
    return b"depot,staff\nAMS,12\nBER,30\n"


CONTENTS = {"parcels": parcels_csv, "roads": roads_csv, "depots": depots_csv}


def land(zone: Path, *, first: str, last: str, sources: Sequence[str] | None = None) -> int:
    """Lands the days from ``first`` to ``last`` and the depots; how many files were written."""
    days = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    batches = [(date.fromisoformat(first) + timedelta(days=number)).isoformat() for number in range(days)]
    return sum(
        LandingZone(zone).land(CONTENTS[source.name](batch), use_case="parcels", source=source, batch=batch)
        for source in PARCELS.sources
        if sources is None or source.name in sources
        for batch in (["all"] if source.cadence is Cadence.STATIC else batches)
    )


def requests(batch: str) -> list[dict[str, Any]]:
    """What a caller asks about a day's parcels."""
    lines = [line.split(",") for line in parcels_csv(batch).decode().splitlines()[1:]]
    return [
        {"number": int(number), "depot": depot, "weight": float(weight), "sent_at": sent_at}
        for number, _, sent_at, depot, weight, _ in lines
    ]


def _source(
    name: str, *, schema: Any, cadence: Cadence = Cadence.DAILY, day: tuple[str, ...] = (), **more: Any
) -> Source:
    return Source(
        name=name, description=f"The {name}.", owner="team:toys", cadence=cadence, schema=schema, batch_day=day, **more
    )


HISTORY = HistoryView(
    name="depot",
    keys=("depot",),
    sql=SQL / "history_depot.sql",
    windows=(3,),
    features=(
        Mean(name="late_rate", of="late", per="parcels", description="Share late"),
        Count(name="parcels", of="parcels", description="Parcels"),
    ),
)

PARCELS = UseCase(
    name="parcels",
    title="Will this parcel be late?",
    description="A toy.",
    owner="team:toys",
    batches=DailyBatches(first=FIRST, last=FIRST + timedelta(days=30)),
    sources=(
        _source("parcels", schema=ParcelRows, day=("day",), max_quarantined_share=0.1),
        _source("roads", schema=RoadRows, day=("observed_at",)),
        _source("depots", schema=DepotRows, cadence=Cadence.STATIC),
    ),
    examples_sql=SQL / "examples.sql",
    features_sql=SQL / "features.sql",
    features=(
        Feature(name="depot", kind="categorical", description="Depot.", owner="team:toys"),
        Feature(name="weight", kind="numeric", description="Kilograms.", owner="team:toys"),
        Feature(name="is_morning", kind="numeric", description="Sent before noon.", owner="team:toys"),
        Feature(name="roads__snow", kind="numeric", description="Snow.", owner="team:toys"),
        *history_features((HISTORY,), owner="team:toys"),
    ),
    history=(HISTORY,),
    asof=(
        AsOfView(
            name="roads",
            keys=("depot",),
            sql=SQL / "asof_roads.sql",
            time_column="observed_at",
            max_age=timedelta(days=2),
        ),
    ),
    request=ParcelRequest,
    positive_word="late",
    split=TimeSplit(test_days=4, validation_days=2),
    recipe=Recipe(
        hyperparameters={"eta": 0.5, "max_depth": 2, "min_child_weight": 1},
        rounds=8,
        early_stopping_rounds=3,
        threads=1,
    ),
    threshold=PositiveShare(),
    backtest=RollingOrigin(windows=2, step_days=2),
    slices=(Slice(name="depot", columns=("depot",)),),
    gates=(
        MetricBound(metric="roc_auc_score", at_least=0.6, judge="point"),
        NotWorseThanChampion(metric="log_loss", margin=0.2),
    ),
    monitoring=MonitoringPlan(slices=("depot",), minimum_rows=1, minimum_weeks=1),
    seed=SeedData(
        land=land, requests=requests, first=day_number(0), last=day_number(9), served=day_number(10), ahead=("roads",)
    ),
)

STRICT = replace(PARCELS, gates=(MetricBound(metric="roc_auc_score", at_least=0.9999),))
"""The same with a gate that no model passes."""
