"""SQL files and identifiers in DuckDB: run as they are written, with errors that name the file."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import pyarrow as pa

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.sql import Sql, identifier


def quoted(name: str) -> str:
    """``name`` as a DuckDB identifier, whatever it contains."""
    return identifier(name)


def microseconds(span: timedelta) -> int:
    """A duration in whole microseconds."""
    return span // timedelta(microseconds=1)


def compute(connection: duckdb.DuckDBPyConnection, name: str, *, sql: Sql) -> None:
    """Make (or remake) the temporary table ``name`` from an SQL file; an error names the file."""
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS {sql.read_text(encoding='utf-8')}")
    except duckdb.Error as error:
        raise FeatureError(f"'{sql.name}' failed: {error}") from error


def run_sql(connection: duckdb.DuckDBPyConnection, sql: Sql) -> pa.Table:
    """The rows of one SQL file; an error names the file."""
    try:
        return connection.sql(sql.read_text(encoding="utf-8")).to_arrow_table()
    except duckdb.Error as error:
        raise FeatureError(f"'{sql.name}' failed: {error}") from error
