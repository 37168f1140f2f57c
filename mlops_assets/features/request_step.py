"""Request SQL for a service: the same text as everywhere, planned once instead of once per call.

Planning a statement takes DuckDB milliseconds, running it on a few rows a fraction of one. ``RequestStep`` keeps a
prepared statement over a relation whose rows change with every call, and hands it only the columns that it reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.sql import Sql

ID = "id"


class RequestStep:
    """``features_sql`` over rows of the schema ``examples``, on a DuckDB connection of its own: one per thread.

    ``reads`` names the columns that the SQL looks at beside ``id``, ``computed`` what it yields, ``id`` among it.
    Raises FeatureError naming the SQL file when it cannot be planned.
    """

    def __init__(self, *, features_sql: Sql, examples: pa.Schema) -> None:
        self._name = features_sql.name
        self._connection = duckdb.connect(config={"threads": 1})
        self._rows = _CurrentRows()
        text = features_sql.read_text(encoding="utf-8")
        try:
            self.reads = _columns_read(text, examples=examples)
            try:
                self._plan(text, examples=examples)
            except (
                duckdb.BinderException
            ):  # the SQL names a column that it never reads, as in a relation it does not use
                self.reads = tuple(name for name in examples.names if name != ID)
                self._plan(text, examples=examples)
        except duckdb.Error as error:
            raise FeatureError(f"'{self._name}' failed: {error}") from error
        if ID not in self.computed.names:
            raise FeatureError(f"'{self._name}' must yield '{ID}'. It yields: {', '.join(self.computed.names)}.")

    def compute(self, columns: Mapping[str, pa.Array | pa.ChunkedArray], *, rows: int) -> dict[str, pa.Array]:
        """What the SQL yields beside ``id`` for ``rows`` rows, in their order; ``columns`` hold at least ``reads``."""
        ordinals = pa.array(range(rows), pa.int64())
        self._rows.table = pa.table({ID: ordinals, **{name: columns[name] for name in self.reads}})
        try:
            records = self._connection.execute("EXECUTE request_features").fetchall()
        except duckdb.Error as error:
            raise FeatureError(f"'{self._name}' failed: {error}") from error
        place = self.computed.names.index(ID)
        records.sort(key=lambda record: record[place])
        if [record[place] for record in records] != list(range(rows)):
            raise FeatureError(f"'{self._name}' must yield one row per example: it yields {len(records)} for {rows}.")
        values = zip(*records, strict=True) if records else [()] * len(self.computed)
        arrays = {field.name: pa.array(column, field.type) for field, column in zip(self.computed, values, strict=True)}
        return {name: array for name, array in arrays.items() if name != ID}

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _plan(self, text: str, *, examples: pa.Schema) -> None:
        self._rows.table = _empty(examples).select([ID, *self.reads])
        self._connection.register("examples", self._rows)
        self.computed = self._connection.sql(text).to_arrow_table().schema
        self._connection.execute(f"PREPARE request_features AS {text}")


def _columns_read(text: str, *, examples: pa.Schema) -> tuple[str, ...]:
    """The columns that DuckDB's own plan scans, where nothing is optimised but what columns are unused."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("declared", _empty(examples))
        connection.execute("CREATE TABLE examples AS FROM declared")
        others = "SELECT string_agg(name, ',') FROM duckdb_optimizers() WHERE name <> 'unused_columns'"
        ((disabled,),) = connection.execute(others).fetchall()
        connection.execute(f"SET disabled_optimizers = '{disabled}'")
        ((_, plan),) = connection.execute(f"EXPLAIN (FORMAT json) {text}").fetchall()
    scanned = set(_scanned(json.loads(plan)))
    return tuple(name for name in examples.names if name in scanned and name != ID)


def _empty(examples: pa.Schema) -> pa.Table:
    ordinal = pa.field(ID, pa.int64())
    return examples.set(examples.names.index(ID), ordinal).empty_table()


def _scanned(nodes: list[dict[str, Any]]) -> Iterator[str]:
    """The columns of every scan of a table in a plan."""
    for node in nodes:
        if "Table" in node["extra_info"]:
            columns = node["extra_info"]["Projections"]
            yield from [columns] if isinstance(columns, str) else columns
        yield from _scanned(node["children"])


class _CurrentRows:
    """Answers every scan with the table that stands here then, through Arrow's PyCapsule interface."""

    table: pa.Table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.table.schema.__arrow_c_schema__()
