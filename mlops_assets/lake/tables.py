"""Tables between the lake's Parquet files and DuckDB or Arrow: reading, writing, and many files as one relation."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_assets.features.sql import quoted

Connect: TypeAlias = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
"""Opens a DuckDB connection of one's own, closed when its context ends."""

_ROW_GROUP = 1024 * 1024
MADE_FROM = b"made_from"
"""In a Parquet file's metadata: the checksum of what the file was made from."""


def parquet_bytes(table: pa.Table, *, made_from: str | None = None) -> bytes:
    """``table`` as one Parquet file; the same table always gives the same bytes. ``made_from`` is kept with it."""
    if made_from is not None:
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), MADE_FROM: made_from})
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, compression="zstd", write_statistics=True) as writer:
        for first in range(0, max(table.num_rows, 1), _ROW_GROUP):
            # one chunk each, so that the bytes don't tell in which chunks the rows came
            writer.write_table(table.slice(first, _ROW_GROUP).combine_chunks(), row_group_size=_ROW_GROUP)
    return sink.getvalue()


def read_parquet(path: Path, *, columns: Sequence[str] | None = None, rows: pc.Expression | None = None) -> pa.Table:
    """The rows of one local Parquet file, or those for which ``rows`` is true."""
    return pq.read_table(path, columns=list(columns) if columns is not None else None, filters=rows, partitioning=None)


def count_rows(path: Path, *, distinct: str | None = None) -> int:
    """The rows of one local Parquet file, from its footer; or the distinct values of one of its columns."""
    if distinct is None:
        rows: int = pq.read_metadata(path).num_rows
        return rows
    return len(read_parquet(path, columns=[distinct]).column(0).unique())


def made_from(path: Path) -> str:
    """The checksum that ``parquet_bytes`` was given for this file, empty if none."""
    told = pq.read_schema(path).metadata or {}
    return str(told.get(MADE_FROM, b"").decode())


def create_batches_view(connection: duckdb.DuckDBPyConnection, name: str, *, files: Mapping[str, Path]) -> None:
    """Makes the temporary view ``name`` of all rows of ``files`` (batch to local Parquet), with a column ``batch``.

    Rows come in no particular order. There must be at least one file.
    """
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files.values())
    batches = pa.table({"filename": [str(path) for path in files.values()], "batch": list(files)})
    connection.register(f"{name}__batches", batches)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS "
        f"SELECT b.batch, r.* EXCLUDE (filename) "
        f"FROM read_parquet([{listed}], filename = true, union_by_name = true) AS r "
        f"JOIN {quoted(name + '__batches')} AS b ON b.filename = r.filename"
    )
