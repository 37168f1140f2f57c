"""A small source for tests: temperatures of sensors, one file per day."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa

from mlops_assets.contract.source import Cadence, Source

DAY = "2024-03-01"
HEADER = "day,sensor,degrees,count,ok"


class ReadingRows(pa.DataFrameModel):
    """One reading of a sensor."""

    day: date
    sensor: str = pa.Field(str_matches="^S[0-9]+$", unique=True, description="name of the sensor")
    degrees: float = pa.Field(in_range={"min_value": -50, "max_value": 60}, nullable=True)
    count: pd.Int64Dtype = pa.Field(ge=0, nullable=True)
    ok: bool

    @pa.dataframe_check(description="a reading that is not ok must have no degrees")
    @classmethod
    def failed_readings_are_empty(cls, rows: pd.DataFrame) -> pd.Series:
        """No value comes from a broken sensor."""
        return rows["ok"] | rows["degrees"].isna()

    class Config:
        strict = True
        ordered = True


def make_source(**overrides: Any) -> Source:
    """The readings, landing daily, ``NA`` for missing."""
    declared: dict[str, Any] = {
        "name": "readings",
        "description": "Readings.",
        "owner": "tests",
        "cadence": Cadence.DAILY,
        "schema": ReadingRows,
        "null_values": ("NA", ""),
        "batch_day": ("day",),
        "max_quarantined_share": 0.25,
    }
    return Source(**(declared | overrides))


def make_lines(rows: int, *, day: str = DAY) -> list[str]:
    """Good data lines."""
    return [f"{day},S{number},{number % 50}.5,{number},true" for number in range(1, rows + 1)]


def write_csv(path: Path, *lines: str, header: str = HEADER) -> Path:
    """A whole file with these data lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path
