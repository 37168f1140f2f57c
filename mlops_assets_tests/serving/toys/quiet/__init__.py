"""Toy: no history, no side data, no id, no moment of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mlops_assets import Feature, MonitoringPlan, NamedBatches, Recipe, UseCase


class PersonRequest(BaseModel):
    """One person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    age: Annotated[int, Field(ge=0, le=120)]
    job: Literal["clerk", "pilot", "other"]


def _feature(name: str, kind: Any) -> Feature:
    return Feature(name=name, kind=kind, description=f"The {name}.", owner="toys")


_NOTHING: Any = None
USE_CASE = UseCase(
    name="quiet",
    title="Quiet",
    description="Nothing but the request.",
    owner="toys",
    batches=NamedBatches(),
    sources=(),
    examples_sql=Path(__file__).parent / "not_used.sql",
    features_sql=Path(__file__).parent / "features.sql",
    features=(_feature("age", "numeric"), _feature("job", "categorical"), _feature("age_squared", "numeric")),
    request=PersonRequest,
    split=_NOTHING,
    recipe=Recipe(hyperparameters={}, rounds=5, early_stopping_rounds=2),
    slices=(),
    gates=(),
    monitoring=MonitoringPlan(slices=("job",)),
    threshold=_NOTHING,
    seed=_NOTHING,
)
