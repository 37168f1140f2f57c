"""Every row of landed files typed, and every breach of a rule in them, found piece by piece.

Reading text is in ``landed_text.py``, the rules in ``row_rules.py``, what becomes of a breach in ``quarantine.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from mlops_assets.contract.features import KEY_SEPARATOR
from mlops_assets.contract.source import Source
from mlops_assets.watch.validation.breaches import (
    HEADER,
    NOT_NULL,
    OTHER_BATCH,
    REPEATED,
    SEPARATOR,
    TOTALS,
    TYPE,
    UNIQUE,
)
from mlops_assets.watch.validation.landed_rows import LandedRows
from mlops_assets.watch.validation.landed_text import cast_text, days_of, untyped_rows
from mlops_assets.watch.validation.misplaced_rows import header_rows, named_totals, summed_rows
from mlops_assets.watch.validation.row_rules import (
    Breach,
    Findings,
    TableCheck,
    evaluate_rules,
    repeated_rows,
    row_hashes,
)
from mlops_assets.watch.validation.row_weights import IsWeight, unusable_weights

ViewsKeptBy = Callable[[str], Sequence[str]]
"""The history views that have nothing of rows in which a column is missing."""


@dataclass(frozen=True, kw_only=True)
class JudgedRows:
    """The rows in their types, in ``pieces``; which of them are ``held`` back, and for what; and the checks that speak
    of a whole table."""

    pieces: list[pa.Table]
    held: NDArray[np.bool_]
    breaches: tuple[Breach, ...]
    table_checks: tuple[TableCheck, ...]


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """What one piece of the rows has: ``misplaced`` are lines that are no rows of the table, ``last`` the last rows of
    batches, as far as they break a rule."""

    typed: pa.Table
    breaches: Sequence[Breach]
    misplaced: tuple[NDArray[np.int64], NDArray[np.int64]]
    last: NDArray[np.int64]
    table_checks: Sequence[TableCheck]


def judge_rows(
    rows: LandedRows, *, connection: DuckDBPyConnection, views_kept_by: ViewsKeptBy, is_weight: IsWeight
) -> JudgedRows:
    """Every breach in the rows of all batches; of a key that is repeated the first row that holds is kept."""
    judge = partial(_judge_piece, rows=rows, connection=connection, views_kept_by=views_kept_by, is_weight=is_weight)
    found = [judge(text, first=first) for first, text in rows.text]
    breaches = _told_once(found, starts=rows.starts)
    held = np.zeros(rows.starts[-1], dtype=bool)
    for breach in breaches:
        held[breach.rows] = True
    pieces = [piece.typed for piece in found]
    for key in rows.source.columns.keys:
        repeated = repeated_rows(
            pa.concat_tables(pieces),
            key=key,
            within=rows.owner,
            among=np.flatnonzero(~held),
            connection=connection,
        )
        held[repeated] = True
        breaches += _repetitions(rows, repeated, key=key, connection=connection)
    checks = dict.fromkeys(check for piece in found for check in piece.table_checks)
    return JudgedRows(pieces=pieces, held=held, breaches=tuple(breaches), table_checks=tuple(checks))


def _judge_piece(
    text: pa.Table,
    *,
    rows: LandedRows,
    first: int,
    connection: DuckDBPyConnection,
    views_kept_by: ViewsKeptBy,
    is_weight: IsWeight,
) -> _Piece:
    source = rows.source
    typed = cast_text(text, source=source, connection=connection).combine_chunks()
    findings = evaluate_rules(typed, schema=source.columns, connection=connection)
    breaches = [
        *_breaches(text, typed=typed, findings=findings, source=source),
        *_strays(typed, rows=rows, owner=rows.owner[first : first + text.num_rows]),
        *_unusable_keys(typed, source=source, views_kept_by=views_kept_by),
        *unusable_weights(typed, source=source, is_weight=is_weight),
    ]
    broken = [breach.rows for breach in breaches if breach.rows.size]
    last = rows.starts[1:] - 1 - first
    headers, totals = header_rows(text), named_totals(text, broken=broken, last=last)
    return _Piece(
        typed=typed,
        breaches=[replace(breach, rows=breach.rows + first) for breach in breaches],
        misplaced=(headers + first, totals + first),
        last=np.intersect1d(last, np.concatenate([last[:0], *broken])) + first,
        table_checks=findings.table_checks,
    )


def _told_once(pieces: Sequence[_Piece], *, starts: NDArray[np.int64]) -> list[Breach]:
    """A line that is no row of the table is told as that, instead of as every rule that it breaks."""
    breaches = [breach for piece in pieces for breach in piece.breaches]
    headers, named = (np.concatenate([piece.misplaced[kind] for piece in pieces]) for kind in (0, 1))
    last = np.concatenate([piece.last for piece in pieces])
    summed = summed_rows(pa.concat_tables([piece.typed for piece in pieces]), rows=last, starts=starts)
    totals = np.union1d(named, summed)
    misplaced = [
        Breach(columns=(), rule=HEADER, must="the header stands there again", rows=headers),
        Breach(columns=(), rule=TOTALS, must="it sums up the others", rows=np.setdiff1d(totals, headers)),
    ]
    apart = np.union1d(headers, totals)
    if not apart.size:
        return breaches
    return [*misplaced, *(replace(breach, rows=np.setdiff1d(breach.rows, apart)) for breach in breaches)]


def _repetitions(
    rows: LandedRows, repeated: NDArray[np.int64], *, key: tuple[str, ...], connection: DuckDBPyConnection
) -> Iterator[Breach]:
    """Rows with a key that appeared before; whole rows that did are told apart, by a hash of 64 bits."""
    if not repeated.size:
        return
    owners = pa.array(rows.owner)
    hashes = [
        row_hashes(text.append_column("batch of the row", owners.slice(first, text.num_rows)), connection=connection)
        for first, text in rows.text
    ]
    _, earliest = np.unique(np.concatenate(hashes), return_index=True)
    whole = np.setdiff1d(repeated, earliest)
    must = f"{', '.join(key)} must be unique, and an earlier row has the same"
    yield Breach(columns=key, rule=UNIQUE, must=must, rows=np.setdiff1d(repeated, whole))
    yield Breach(columns=key, rule=REPEATED, must=f"{must}, and so are all other values", rows=whole)


def _breaches(text: pa.Table, *, typed: pa.Table, findings: Findings, source: Source) -> Iterator[Breach]:
    """Wrong types first; a value of the wrong type is not also called missing."""
    untyped = untyped_rows(text, typed=typed, source=source)
    kinds = {column.name: column.kind for column in source.columns.columns}
    for name, found in untyped.items():
        yield Breach(columns=(name,), rule=TYPE, must=f"must be {kinds[name]}", rows=found)
    for breach in findings.breaches:
        wrong = untyped.get(breach.columns[0]) if breach.rule == NOT_NULL else None
        yield breach if wrong is None else replace(breach, rows=np.setdiff1d(breach.rows, wrong))


def _strays(typed: pa.Table, *, rows: LandedRows, owner: NDArray[np.int64]) -> Iterator[Breach]:
    """Rows that say they are of another day, week or month than their batch."""
    columns, period = rows.source.batch_day, rows.source.period
    if period:
        spans = [(period.first_day(batch), period.last_day(batch)) for batch in rows.batches]
        first, last = np.array([[int(f"{day:%Y%m%d}") for day in span] for span in spans]).T
        days = days_of(typed, columns=columns)
        strays = np.flatnonzero((days < first[owner]) | (days > last[owner]))
        yield Breach(columns=columns, rule=OTHER_BATCH, must=f"the row must be of its file's {period}", rows=strays)


def _unusable_keys(typed: pa.Table, *, source: Source, views_kept_by: ViewsKeptBy) -> Iterator[Breach]:
    """Rows whose keys history could not join: it tells the parts of a key apart by a sign."""
    for column in source.columns.columns:
        if not pa.types.is_string(column.type):
            continue
        found = pc.match_substring(typed[column.name], KEY_SEPARATOR).fill_null(False)
        if pc.any(found).as_py() and views_kept_by(column.name):
            must = f"must not contain '{KEY_SEPARATOR}', which joins the keys of history"
            yield Breach(columns=(column.name,), rule=SEPARATOR, must=must, rows=np.flatnonzero(found.to_numpy()))
