"""What a use case declares about its features: the columns of the matrix, side data, and named steps of SQL.

History views are declared in ``history.py``. The arithmetic is in ``features/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

KEY_SEPARATOR = "|"


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of the model's matrix. ``unknown`` stands in where the value is NULL; without it NULL
    becomes NaN. Without an ``owner`` its use case's answers for it.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    description: str = ""
    owner: str = ""
    unknown: float | str | None = None


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A named step of SQL between the validated sources and the views, so that several views read one
    definition.
    """

    name: str
    sql: Path


@dataclass(frozen=True, kw_only=True)
class AsOfView:
    """Side data joined as of the moment of prediction: ``sql`` yields the keys, ``time_column`` and value
    columns.

    A row observed at ``t`` may be used from ``t + delay`` on and until it is ``max_age`` old. Without a
    ``time_column`` the data is static: one row per key. The columns arrive in ``examples`` as
    ``<view>__<column>``.
    """

    name: str
    keys: tuple[str, ...]
    sql: Path
    time_column: str | None = None
    delay: timedelta = timedelta(0)
    max_age: timedelta | None = None

    def column(self, name: str) -> str:
        """How a value column of this view is called in ``examples``."""
        return f"{self.name}__{name}"
