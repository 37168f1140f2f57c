"""Request SQL for a service: the same text as everywhere, planned once instead of once per call.

Planning a statement takes DuckDB milliseconds, running it on a few rows a fraction of one. ``RequestStep``
keeps a prepared statement over a relation whose rows change with every call.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import Feature
from mlops_assets.features.training_view import choose_features, numbered


class RequestStep:
    """``request_features`` for many small batches, on a DuckDB connection of its own: one per thread."""

    def __init__(self, *, features_sql: Path, features: Sequence[Feature]) -> None:
        self._sql = features_sql
        self._features = features
        self._connection = duckdb.connect(config={"threads": 1})
        self._rows = _CurrentRows()
        self._planned_for: pa.Schema | None = None
        self._computed = pa.schema([])

    def compute(self, attached: pa.Table) -> pa.Table:
        """What ``request_features`` answers for the same rows, to the bit."""
        rows, ordinal = numbered(attached)
        self._rows.table = rows
        if rows.schema != self._planned_for:
            self._plan(rows.schema)
        found = self._connection.execute("EXECUTE request_features").fetchall()
        columns = zip(*found, strict=True) if found else [()] * len(self._computed)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, self._computed.types, strict=True)]
        computed = pa.table(arrays, schema=self._computed)
        return choose_features(attached, computed, expected=ordinal, features_sql=self._sql, features=self._features)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _plan(self, schema: pa.Schema) -> None:
        text = self._sql.read_text(encoding="utf-8")
        try:
            if self._planned_for is not None:
                self._connection.execute("DEALLOCATE request_features")
                self._planned_for = None
            self._connection.register("examples", self._rows)
            self._computed = self._connection.sql(text).to_arrow_table().schema
            self._connection.execute(f"PREPARE request_features AS {text}")
        except duckdb.Error as error:
            raise FeatureError(f"'{self._sql.name}' failed: {error}") from error
        self._planned_for = schema


class _CurrentRows:
    """Answers every scan with the table that stands here then, through Arrow's PyCapsule interface."""

    table: pa.Table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.table.schema.__arrow_c_schema__()
