"""Declared steps of SQL as DuckDB tables, and the entity of every row as one text."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import KEY_SEPARATOR, Relation
from mlops_assets.features.sql import compute


def compute_relations(connection: duckdb.DuckDBPyConnection, relations: Sequence[Relation]) -> None:
    """Compute the declared steps in their order, so that each is worked out once."""
    for relation in relations:
        compute(connection, relation.name, sql=relation.sql)


def entity_column(table: pa.Table, keys: Sequence[str]) -> pa.Array:
    """The entity of every row as one text (``EWR|IAH``); NULL where any key is NULL. Missing columns are an
    error. Without ``keys`` all rows are of one entity, the empty text.
    """
    if not keys:
        return pa.repeat("", table.num_rows)
    missing = [key for key in keys if key not in table.column_names]
    if missing:
        raise FeatureError(f"Key column '{missing[0]}' is not in the rows. Columns: {', '.join(table.column_names)}.")
    texts = [pc.cast(table.column(key), pa.string()) for key in keys]
    joined = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, KEY_SEPARATOR)
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
