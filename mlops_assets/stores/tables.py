"""Tables between the lake's Parquet files and DuckDB or Arrow: reading, writing, and many files as one relation."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.ml.features import quoted


def parquet_bytes(table: pa.Table) -> bytes:
    """``table`` as one Parquet file; the same table always gives the same bytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_statistics=True)
    return sink.getvalue()


def read_parquet(path: Path, *, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of one local Parquet file."""
    return pq.read_table(path, columns=list(columns) if columns is not None else None, partitioning=None)


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
