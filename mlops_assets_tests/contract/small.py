"""Use cases in the short form over one small source, for what follows from its columns."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pandas as pd
import pandera.pandas as pa

from mlops_assets.contract.source import Source
from mlops_assets.contract.use_case import UseCase


class TreeRows(pa.DataFrameModel):
    """One tree."""

    number: int = pa.Field(unique=True, description="painted on the trunk")
    planted: date = pa.Field()
    measured_at: datetime = pa.Field(nullable=True)
    height: float = pa.Field(alias="Höhe (m).1", gt=0, le=120, description="metres")
    rings: pd.Int16Dtype = pa.Field(nullable=True, ge=0)
    kind: str = pa.Field(alias="tree-kind", isin=["oak", "ash", "elm"])
    note: str = pa.Field(nullable=True)
    weight: float = pa.Field(gt=0)
    sick: int = pa.Field(isin=[0, 1])

    class Config:
        strict = True
        ordered = True


def trees(*, schema: Any = TreeRows, **more: Any) -> UseCase:
    """Will the tree be sick? ``more`` is declared beside or instead."""
    return UseCase(**{"name": "trees", "sources": (Source(name="trees", schema=schema),), "label": "sick", **more})
