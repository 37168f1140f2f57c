"""Validates landed batches: every row is published typed, or quarantined with the reasons why; none is lost.

Many batches are judged at once (one pass over all rows) and split again. Reading text is in
``landed_text.py``, the rules in ``row_rules.py``, the verdicts in ``data_audits.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from mlops_assets.contract.anomalies import Anomaly
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import LakeError, ValidationError
from mlops_assets.contract.features import KEY_SEPARATOR
from mlops_assets.contract.schema import SOURCE_ROW
from mlops_assets.contract.source import Source
from mlops_assets.watch.validation.breaches import (
    HEADER,
    HISTORY_KEY,
    NOT_JUDGED,
    NOT_NULL,
    OTHER_BATCH,
    REPEATED,
    SEPARATOR,
    TOTALS,
    TYPE,
    UNIQUE,
    WHOLE_BATCH,
)
from mlops_assets.watch.validation.data_audits import QUARANTINE_SCHEMA, file_faults, verdicts
from mlops_assets.watch.validation.file_format import FileReport, inspect_file
from mlops_assets.watch.validation.landed_text import cast_text, days_of, read_text, untyped_rows
from mlops_assets.watch.validation.misplaced_rows import header_rows, totals_rows
from mlops_assets.watch.validation.row_rules import (
    Breach,
    Findings,
    evaluate_rules,
    repeated_rows,
    table_faults,
    to_frame,
)

ViewsKeptBy = Callable[[str], Sequence[str]]
"""The history views that have nothing of rows in which a column is missing."""
NOTHING_HELD = QUARANTINE_SCHEMA.empty_table()
_LONGEST_ERROR = 500
"""Characters of an error that are told."""


@dataclass(frozen=True, kw_only=True)
class BatchReport:
    """What became of one batch.

    ``valid`` has the schema's columns in their types and ``source_row``; ``landed`` has all rows, null where a value is
    not of its type; ``quarantined`` has a row for each breach (``QUARANTINE_SCHEMA``). ``checks`` are
    ``validated_checks(source)``. A batch whose file cannot be read has no rows at all and checks that say why.
    """

    batch: str
    rows_read: int
    valid: pa.Table
    quarantined: pa.Table
    landed: pa.Table
    checks: tuple[CheckResult, ...]

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """All findings, each once."""
        return tuple(dict.fromkeys(each for check in self.checks for each in check.anomalies))

    @property
    def passed(self) -> bool:
        """Whether nothing keeps this batch from being published."""
        return not any(check.blocks for check in self.checks)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The rows of all readable batches, one under the other; those of batch i begin at ``starts[i]``."""

    batches: tuple[str, ...]
    starts: NDArray[np.int64]
    lines: NDArray[np.int64]
    text: pa.Table
    typed: pa.Table

    @property
    def owner(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.batches)), np.diff(self.starts))


def validate(
    files: Mapping[str, Path],
    *,
    source: Source,
    connection: DuckDBPyConnection,
    views_kept_by: ViewsKeptBy = lambda _: (),
    charged: Mapping[str, Exception] | None = None,
) -> dict[str, BatchReport]:
    """Judge the landed file of each batch; every batch gets its report, whatever is wrong with the others.

    ``views_kept_by`` names the history views that need some value of a column. An error is charged to the batch that
    brings it about; ``charged`` are errors that are known before.
    """
    known = dict(charged or {})
    clear = {batch: path for batch, path in files.items() if batch not in known}
    judge = partial(_validate, source=source, connection=connection, views_kept_by=views_kept_by)
    try:
        reports = judge(clear)
    except Exception:  # noqa: BLE001 - whatever it is, it costs one batch
        found = charge(clear, judge=judge)
        reports = judge({batch: path for batch, path in clear.items() if batch not in found})
        known |= found
    reports |= {batch: _unjudged(source, batch=batch, error=error) for batch, error in known.items()}
    return {batch: reports[batch] for batch in files}


def charge(files: Mapping[str, Path], *, judge: Callable[[Mapping[str, Path]], object]) -> dict[str, Exception]:
    """Which batches bring about an error when they are judged alone, and which; the error is raised if none does.

    What the lake refused is no batch's fault, and raised.
    """
    found: dict[str, Exception] = {}
    for batch, path in files.items():
        try:
            judge({batch: path})
        except LakeError:
            raise
        except Exception as error:  # noqa: BLE001 - it is told as the batch's
            found[batch] = error
    if not found:
        judge(files)
    return found


def _validate(
    files: Mapping[str, Path], *, source: Source, connection: DuckDBPyConnection, views_kept_by: ViewsKeptBy
) -> dict[str, BatchReport]:
    inspected = {batch: inspect_file(path, delimiter=source.delimiter) for batch, path in files.items()}
    faults = {
        batch: [fault for found in file_faults(report, source=source).values() for fault in found]
        for batch, report in inspected.items()
    }
    readable = {batch: path for batch, path in files.items() if not faults[batch]}
    reports = {batch: _unread(source, batch=batch, faults=why) for batch, why in faults.items() if why}
    if readable:
        rows = _read(readable, inspected=inspected, source=source, connection=connection)
        reports |= _judge(rows, source=source, connection=connection, views_kept_by=views_kept_by)
    return reports


def _unread(source: Source, *, batch: str, faults: Sequence[Anomaly], why: pa.Table = NOTHING_HELD) -> BatchReport:
    valid = source.columns.arrow.empty_table()
    checks = verdicts(source, batch=batch, rows_read=0, valid=valid, quarantined=why, faults=faults)
    return BatchReport(batch=batch, rows_read=0, valid=valid, quarantined=why, landed=valid, checks=checks)


def _unjudged(source: Source, *, batch: str, error: Exception) -> BatchReport:
    said = str(error) if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
    reason = f"{batch}.csv could not be judged: {said[:_LONGEST_ERROR]}"
    return _unread(source, batch=batch, faults=(), why=_as_whole(NOT_JUDGED, column="", reason=reason))


def _as_whole(rule: str, *, column: str, reason: str) -> pa.Table:
    """One line of quarantine about a batch as a whole."""
    told = {SOURCE_ROW: WHOLE_BATCH, "rule": rule, "column": column, "reason": reason}
    return pa.Table.from_pylist([told], schema=QUARANTINE_SCHEMA)


def _read(
    files: Mapping[str, Path],
    *,
    inspected: Mapping[str, FileReport],
    source: Source,
    connection: DuckDBPyConnection,
) -> _Rows:
    texts = [read_text(path, source=source, report=inspected[batch]) for batch, path in files.items()]
    text = pa.concat_tables(texts).combine_chunks()
    return _Rows(
        batches=tuple(files),
        starts=np.cumsum([0, *(table.num_rows for table in texts)]),
        lines=np.concatenate([inspected[batch].lines_of(np.arange(inspected[batch].rows)) for batch in files]),
        text=text,
        typed=cast_text(text, source=source, connection=connection),
    )


def _judge(
    rows: _Rows, *, source: Source, connection: DuckDBPyConnection, views_kept_by: ViewsKeptBy
) -> dict[str, BatchReport]:
    """Find every breach in one pass over all rows, then split rows and breaches by batch."""
    findings = evaluate_rules(rows.typed, schema=source.columns, connection=connection)
    broken = [*_all_breaches(rows, findings, source=source), *_unusable_keys(rows, source, views_kept_by)]
    breaches = _told_once(rows, broken)
    held = np.zeros(rows.typed.num_rows, dtype=bool)
    for breach in breaches:
        held[breach.rows] = True
    for key in source.columns.keys:
        kept = np.flatnonzero(~held)
        repeated = kept[repeated_rows(rows.typed.select(key).take(kept), key=key, within=rows.owner[kept])]
        held[repeated] = True
        breaches += _repetitions(rows, repeated, key=key)
    quarantine = _quarantine(rows, breaches)
    return _split(rows, findings, held=held, quarantine=quarantine, source=source, views_kept_by=views_kept_by)


def _told_once(rows: _Rows, breaches: Sequence[Breach]) -> list[Breach]:
    """A line that is no row of the table is told as that, instead of as every rule that it breaks."""
    broken = [breach.rows for breach in breaches if breach.rows.size]
    headers = header_rows(rows.text)
    totals = totals_rows(rows.text, typed=rows.typed, broken=broken, starts=rows.starts)
    misplaced = [
        Breach(columns=(), rule=HEADER, must="the header stands there again", rows=headers),
        Breach(columns=(), rule=TOTALS, must="it sums up the others", rows=np.setdiff1d(totals, headers)),
    ]
    apart = np.union1d(headers, totals)
    if not apart.size:
        return list(breaches)
    return [*misplaced, *(replace(breach, rows=np.setdiff1d(breach.rows, apart)) for breach in breaches)]


def _repetitions(rows: _Rows, repeated: NDArray[np.int64], *, key: tuple[str, ...]) -> Iterator[Breach]:
    """Rows with a key that appeared before; whole rows that did are told apart."""
    if not repeated.size:
        return
    whole = np.intersect1d(repeated, repeated_rows(rows.text, key=rows.text.column_names, within=rows.owner))
    must = f"{', '.join(key)} must be unique, and an earlier row has the same"
    yield Breach(columns=key, rule=UNIQUE, must=must, rows=np.setdiff1d(repeated, whole))
    yield Breach(columns=key, rule=REPEATED, must=f"{must}, and so are all other values", rows=whole)


def _all_breaches(rows: _Rows, findings: Findings, *, source: Source) -> list[Breach]:
    """Wrong types first; a value of the wrong type is not also called missing."""
    untyped = untyped_rows(rows.text, typed=rows.typed, source=source)
    kinds = {column.name: column.kind for column in source.columns.columns}
    breaches = [
        Breach(columns=(name,), rule=TYPE, must=f"must be {kinds[name]}", rows=found) for name, found in untyped.items()
    ]
    for breach in findings.breaches:
        wrong = untyped.get(breach.columns[0]) if breach.rule == NOT_NULL else None
        kept = breach.rows if wrong is None else np.setdiff1d(breach.rows, wrong)
        breaches.append(Breach(columns=breach.columns, rule=breach.rule, must=breach.must, rows=kept))
    if source.batch_day:
        expected = np.array([int(batch.replace("-", "")) for batch in rows.batches])[rows.owner]
        strays = np.flatnonzero(days_of(rows.typed, columns=source.batch_day) != expected)
        must = "the row must be of its file's day"
        breaches.append(Breach(columns=source.batch_day, rule=OTHER_BATCH, must=must, rows=strays))
    return breaches


def _quarantine(rows: _Rows, breaches: Sequence[Breach]) -> pa.Table:
    """One line per breach, with ``at``: the position of its row among all rows; in the order of the rows."""
    parts = [_quarantined(rows, breach) for breach in breaches if breach.rows.size]
    if not parts:
        return QUARANTINE_SCHEMA.append(pa.field("at", pa.int64())).empty_table()
    found = pa.concat_tables(parts)
    found = found.take(np.argsort(found["at"].to_numpy(), kind="stable"))
    distinct, place = np.unique(found["at"].to_numpy(), return_inverse=True)
    lines = _json_lines(rows.text.take(distinct))
    return found.append_column("line", lines.take(pa.array(place)))


def _json_lines(text: pa.Table) -> pa.ChunkedArray:
    """Each row as a JSON object, as ``json.dumps`` writes it; whole files have no other control characters."""
    parts: list[Any] = []
    for number, name in enumerate(text.column_names):
        value = text[name]
        for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
            value = pc.replace_substring(value, plain, escaped)
        parts += [f'{", " if number else "{"}{json.dumps(name, ensure_ascii=False)}: "', value, '"']
    return pc.binary_join_element_wise(*parts, "}", "")


def _quarantined(rows: _Rows, breach: Breach) -> pa.Table:
    """Columns source_row, rule, column, value, reason and at, for the rows of one breach."""
    count = breach.rows.size
    column = ", ".join(breach.columns)
    values = [rows.text[name].take(breach.rows).combine_chunks() for name in breach.columns]
    value = pc.binary_join_element_wise(*values, ", ") if values else pa.nulls(count, pa.string())
    found = pc.binary_join_element_wise(f"{column} is '", value, f"': {breach.must}.", "")
    return pa.table(
        {
            SOURCE_ROW: breach.rows - rows.starts[rows.owner[breach.rows]] + 1,
            "rule": pa.repeat(breach.rule, count),
            "column": pa.repeat(column, count),
            "value": value,
            "reason": found if values else pa.repeat(f"{breach.must}.", count),
            "file_line": rows.lines[breach.rows],
            "at": breach.rows,
        }
    )


def _split(
    rows: _Rows,
    findings: Findings,
    *,
    held: NDArray[np.bool_],
    quarantine: pa.Table,
    source: Source,
    views_kept_by: ViewsKeptBy,
) -> dict[str, BatchReport]:
    """Each batch's own rows, its own quarantine, and its verdicts."""
    valid = _valid_rows(rows, keep=~held, source=source)
    valid_starts = np.concatenate([[0], np.cumsum(~held)])[rows.starts]
    held_starts = np.searchsorted(quarantine["at"].to_numpy(), rows.starts)
    quarantine = quarantine.select(QUARANTINE_SCHEMA.names).cast(QUARANTINE_SCHEMA)
    reports = {}
    for number, batch in enumerate(rows.batches):
        mine = _part(valid, valid_starts, number)
        lost = _lost_keys(mine, source=source, views_kept_by=views_kept_by)
        outcome = {
            "batch": batch,
            "rows_read": int(rows.starts[number + 1] - rows.starts[number]),
            "valid": mine,
            "quarantined": pa.concat_tables([*lost, _part(quarantine, held_starts, number)]),
        }
        faults = _table_faults(mine, findings, source=source)
        landed = _part(rows.typed, rows.starts, number)
        reports[batch] = BatchReport(**outcome, landed=landed, checks=verdicts(source, **outcome, faults=faults))
    return reports


def _part(table: pa.Table, starts: NDArray[np.int64], number: int) -> pa.Table:
    return table.slice(int(starts[number]), int(starts[number + 1] - starts[number]))


def _valid_rows(rows: _Rows, *, keep: NDArray[np.bool_], source: Source) -> pa.Table:
    """The rows to keep, with their number in their own file."""
    number = np.arange(1, rows.typed.num_rows + 1) - rows.starts[rows.owner]
    numbered = rows.typed.append_column(SOURCE_ROW, pa.array(number))
    return numbered.filter(pa.array(keep)).combine_chunks().cast(source.columns.arrow)


def _unusable_keys(rows: _Rows, source: Source, views_kept_by: ViewsKeptBy) -> Iterator[Breach]:
    """Rows whose keys history could not join: it tells the parts of a key apart by a sign."""
    for column in source.columns.columns:
        if not pa.types.is_string(column.type):
            continue
        found = pc.match_substring(rows.typed[column.name], KEY_SEPARATOR).fill_null(False)
        if pc.any(found).as_py() and views_kept_by(column.name):
            must = f"must not contain '{KEY_SEPARATOR}', which joins the keys of history"
            yield Breach(columns=(column.name,), rule=SEPARATOR, must=must, rows=np.flatnonzero(found.to_numpy()))


def _lost_keys(valid: pa.Table, *, source: Source, views_kept_by: ViewsKeptBy) -> Iterator[pa.Table]:
    """What history would refuse later: a column by which it keeps a view is missing in every row."""
    for column in source.columns.columns:
        if valid.num_rows and column.nullable and valid[column.name].null_count == valid.num_rows:
            views = ", ".join(views_kept_by(column.name))
            reason = f"{column.name} is missing in all {valid.num_rows} rows, so history ({views}) has nothing of them."
            if views:
                yield _as_whole(HISTORY_KEY, column=column.name, reason=reason)


def _table_faults(valid: pa.Table, findings: Findings, *, source: Source) -> tuple[Anomaly, ...]:
    if not findings.table_checks or not valid.num_rows:
        return ()
    return table_faults(to_frame(valid), checks=findings.table_checks, schema=source.columns)
