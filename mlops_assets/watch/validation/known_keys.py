"""Rows that are there more than once: a row whose key another batch has published, rows that were sent several times
under new keys, and rows that are the same throughout where no key tells them apart.

Keys within one batch are judged row by row (``row_rules.py``). Days can't share keys, as their rows say which day they
are of; drops with names can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection

from mlops_assets.contract.anomalies import Anomaly, Cause, Code, anomaly, messages
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.columns import SOURCE_ROW
from mlops_assets.contract.severity import Severity
from mlops_assets.features.sql import quoted

KEYS_ARE_NEW = "keys_are_new"
_SHOWN = 3
_FEWEST = 20
"""Of fewer different rows nothing is told: a few may well be as often by chance."""

Key = tuple[str, ...]


def judge_keys(
    rows: pa.Table,
    *,
    keys: Sequence[Key],
    published: Mapping[str, Path],
    together: Mapping[str, pa.Table],
    batch: str,
    connection: DuckDBPyConnection,
) -> CheckResult:
    """Whether no row has a key of another batch: ``published`` ones by their validated files, and those judged
    ``together`` with it by their rows."""
    found: list[Anomaly] = []
    for key in keys:
        if len(rows):
            known = _known(rows, key=key, published=published, together=together, connection=connection)
            found += [_finding(key, known, batch=batch, rows=rows.num_rows)] if known else []
    found += _repeated(rows, keys=keys, connection=connection)
    return CheckResult(
        name=KEYS_ARE_NEW,
        passed=not found,
        batch=batch,
        figures={"batches": len(published) + len(together)},
        reasons=messages(found),
        anomalies=tuple(found),
    )


def same_rows(rows: pa.Table, *, batch: str, connection: DuckDBPyConnection) -> tuple[Anomaly, ...]:
    """How many of ``rows`` repeat an earlier one value for value: without a key each counts, as a row of its own."""
    names = ", ".join(quoted(name) for name in rows.column_names if name != SOURCE_ROW)
    connection.register("rows_without_key", rows)
    try:
        (more, different, again, row) = connection.execute(
            f"SELECT sum(_often - 1), count(*), min(_again), arg_min(_row, _again) FROM ("
            f"SELECT count(*) AS _often, min({SOURCE_ROW}) AS _row, min({SOURCE_ROW}, 2)[2] AS _again "
            f"FROM rows_without_key GROUP BY {names} HAVING count(*) > 1)"
        ).fetchall()[0]
    finally:
        connection.unregister("rows_without_key")
    if not different:
        return ()
    message = (
        f"{more} of {rows.num_rows} rows of {batch} repeat an earlier one in every column, such as row {again}, "
        f"which is row {row} once more. No key tells rows apart, so each counts as a row of its own."
    )
    told = {"rule": "rows differ", "expected": "a key, if a row must be there once", "found": f"{different} rows"}
    return (anomaly(Code.DUPLICATED_ROWS, message, severity=Severity.WARN, rows=int(more), **told),)


def _known(
    rows: pa.Table,
    *,
    key: Key,
    published: Mapping[str, Path],
    together: Mapping[str, pa.Table],
    connection: DuckDBPyConnection,
) -> list[tuple[str, int, str]]:
    """By other batch: how many rows of this one have a key of it, and an example."""
    names, columns = ", ".join(quoted(name) for name in key), list(key)
    same = " AND ".join(f"o.{quoted(name)} = r.{quoted(name)}" for name in key)
    parts, shown = [], " || ' ' || ".join(f"CAST(r.{quoted(name)} AS VARCHAR)" for name in key)
    if published:
        parts.append(f"SELECT {names}, filename AS batch FROM read_parquet($files, filename = true)")
    if together:
        tables = [
            table.select(columns).append_column("batch", pa.repeat(pa.scalar(name), table.num_rows))
            for name, table in together.items()
        ]
        connection.register("keys_together", pa.concat_tables(tables))
        parts.append(f"SELECT {names}, batch FROM keys_together")
    if not parts:
        return []
    named = {str(path): name for name, path in published.items()}
    connection.register("keyed_rows", rows.select(columns))
    try:
        found = connection.execute(
            f"SELECT o.batch, count(*), min({shown}) FROM keyed_rows AS r JOIN ({' UNION ALL '.join(parts)}) AS o "
            f"ON {same} GROUP BY o.batch ORDER BY count(*) DESC, o.batch",
            {"files": list(named)} if published else None,
        ).fetchall()
    finally:
        connection.unregister("keyed_rows")
        if together:
            connection.unregister("keys_together")
    return [(named.get(name, name), int(count), example) for name, count, example in found]


def _finding(key: Key, known: Sequence[tuple[str, int, str]], *, batch: str, rows: int) -> Anomaly:
    name, count = ", ".join(key), sum(each[1] for each in known)
    where = ", ".join(f"{other} ({many})" for other, many, _ in known[:_SHOWN])
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return anomaly(
        Code.KNOWN_KEY,
        f"{count} of {rows} rows of {batch} have a {name} that {where}{more} has, such as {known[0][2]}.",
        column=name,
        rule="unique across batches",
        expected="a key in one batch only",
        found=known[0][0],
        rows=count,
        cause=Cause.COPY if count == rows else None,
        explanation=f"All rows are those of {known[0][0]}." if known[0][1] == rows else "",
    )


def _repeated(rows: pa.Table, *, keys: Sequence[Key], connection: DuckDBPyConnection) -> list[Anomaly]:
    """But for its key, every row is there a multiple of so many times: the batch was sent so often, under new keys.

    Of few columns with few values each row is there many times anyhow; that all of those numbers have a common divisor
    is as likely as heads in a row: below 1 in a million for 20 different rows.
    """
    single = {key[0] for key in keys if len(key) == 1}
    columns = [name for name in rows.column_names if name not in {*single, SOURCE_ROW}]
    if not single or not columns or rows.num_rows < 2 * _FEWEST:
        return []
    connection.register("repeated_rows", rows.select(columns))
    try:
        names = ", ".join(quoted(name) for name in columns)
        counts = connection.execute(f"SELECT count(*) AS n FROM repeated_rows GROUP BY {names}").fetchnumpy()["n"]
    finally:
        connection.unregister("repeated_rows")
    different, often = len(counts), int(np.gcd.reduce(counts)) if len(counts) else 0
    if different < _FEWEST or often < 2:
        return []
    return [
        anomaly(
            Code.DUPLICATED_ROWS,
            f"Each of {different} different rows is there {often} times, or a multiple of it, under another "
            f"{', '.join(sorted(single))}.",
            rule="rows differ",
            found=f"{often} times",
            rows=rows.num_rows,
            cause=Cause.DUPLICATED_ROWS,
        )
    ]
