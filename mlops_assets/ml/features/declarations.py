"""What a use case declares about its features: the columns of the matrix, side data, and named steps of SQL.

Here belong declarations and the few lines that turn declared SQL into DuckDB views. The arithmetic over the
past of an entity is in ``history.py``, the point-in-time join in ``training_view.py``, encoding in ``matrix.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.ml.errors import FeatureError
from mlops_assets.ml.sql import compute

KEY_SEPARATOR = "|"


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of the model's matrix. ``unknown`` stands in where the value is NULL; without it NULL
    becomes NaN.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    description: str
    owner: str
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


def compute_relations(connection: duckdb.DuckDBPyConnection, relations: Sequence[Relation]) -> None:
    """Compute the declared steps in their order, so that each is worked out once."""
    for relation in relations:
        compute(connection, relation.name, sql=relation.sql)


def entity_column(table: pa.Table, keys: Sequence[str]) -> pa.Array:
    """The entity of every row as one text (``EWR|IAH``); NULL where any key is NULL. Missing columns are an
    error.
    """
    missing = [key for key in keys if key not in table.column_names]
    if missing:
        raise FeatureError(f"Key column '{missing[0]}' is not in the rows. Columns: {', '.join(table.column_names)}.")
    texts = [pc.cast(table.column(key), pa.string()) for key in keys]
    joined = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, KEY_SEPARATOR)
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
