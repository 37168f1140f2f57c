"""Toy: will this parcel be late? Has history per depot, an id and a moment of its own."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator

from mlops_assets import Count, Feature, HistoryView, Mean, MonitoringPlan, NamedBatches, Recipe, UseCase

HERE = Path(__file__).parent


class ParcelRequest(BaseModel):
    """One parcel, before it is sent."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"example": {"depot": "EWR", "weight": 2.5, "sent_at": "2013-07-01T08:30:00"}},
    )

    depot: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="Where it is sent from")]
    weight: Annotated[float, Field(gt=0, le=30, allow_inf_nan=False, description="Kilograms")]
    sent_at: datetime
    sender: str | None = None

    @field_validator("sent_at")
    @classmethod
    def _is_wall_time(cls, value: datetime) -> datetime:
        if value.tzinfo is not None:
            raise ValueError("give wall time without a time zone")
        return value

    @computed_field
    def id(self) -> str:
        """The parcel's own name."""
        return f"{self.depot}-{self.sent_at:%Y%m%d%H%M}"

    @computed_field
    def event_time(self) -> datetime:
        """The moment of prediction."""
        return self.sent_at


HISTORY = HistoryView(
    name="depot",
    keys=("depot",),
    sql=HERE / "not_used.sql",
    windows=(7,),
    features=(
        Mean(name="late_rate", of="late", per="parcels", description="Share late"),
        Count(name="parcels", of="parcels", description="Parcels"),
    ),
)


def _feature(name: str, kind: Any) -> Feature:
    return Feature(name=name, kind=kind, description=f"The {name}.", owner="toys")


_NOTHING: Any = None
USE_CASE = UseCase(
    name="parcels",
    title="Late parcels",
    description="Will this parcel be late?",
    owner="toys",
    batches=NamedBatches(),
    sources=(),
    examples_sql=HERE / "not_used.sql",
    features_sql=HERE / "features.sql",
    features=(
        _feature("depot", "categorical"),
        _feature("weight", "numeric"),
        _feature("is_heavy", "numeric"),
        *(_feature(name, "numeric") for name, _, _ in HISTORY.columns()),
    ),
    request=ParcelRequest,
    split=_NOTHING,
    recipe=Recipe(hyperparameters={}, rounds=5, early_stopping_rounds=2),
    slices=(),
    gates=(),
    monitoring=MonitoringPlan(slices=("depot",)),
    threshold=_NOTHING,
    seed=_NOTHING,
    history=(HISTORY,),
    positive_word="late",
)
