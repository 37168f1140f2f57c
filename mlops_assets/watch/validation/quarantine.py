"""Validates landed batches: every row is published typed, or quarantined with the reasons why; none is lost.

Many batches are judged at once (one pass over all rows) and split again. Finding what breaks a rule is in
``judged_rows.py``, telling it in ``quarantine_table.py``, the verdicts in ``data_audits.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from mlops_assets.contract.anomalies import Anomaly
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.columns import SOURCE_ROW
from mlops_assets.contract.errors import LakeError, ValidationError
from mlops_assets.contract.source import Source
from mlops_assets.watch.validation.breaches import HISTORY_KEY, NOT_JUDGED, WHOLE_BATCH
from mlops_assets.watch.validation.data_audits import QUARANTINE_SCHEMA, file_faults, verdicts
from mlops_assets.watch.validation.file_format import inspect_landed
from mlops_assets.watch.validation.judged_rows import JudgedRows, ViewsKeptBy, judge_rows
from mlops_assets.watch.validation.landed_rows import LandedRows
from mlops_assets.watch.validation.quarantine_table import quarantine_table
from mlops_assets.watch.validation.row_rules import TableCheck, table_faults, to_frame
from mlops_assets.watch.validation.row_weights import IsWeight

NOTHING_HELD = QUARANTINE_SCHEMA.empty_table()
_LONGEST_ERROR = 500
"""Characters of an error that are told."""


@dataclass(frozen=True, kw_only=True)
class BatchReport:
    """What became of one batch.

    ``valid`` has the schema's columns in their types and ``source_row``, ``held`` the same of the rows that are held
    back, null where a value is not of its type; ``quarantined`` has a row for each breach (``QUARANTINE_SCHEMA``).
    ``checks`` are ``validated_checks(source)``. A batch whose file cannot be read has no rows at all and checks that
    say why.
    """

    batch: str
    rows_read: int
    valid: pa.Table
    quarantined: pa.Table
    held: pa.Table
    checks: tuple[CheckResult, ...]

    @property
    def landed(self) -> pa.Table:
        """All rows, those that hold first."""
        return pa.concat_tables([self.valid, self.held])

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """All findings, each once."""
        return tuple(dict.fromkeys(each for check in self.checks for each in check.anomalies))

    @property
    def passed(self) -> bool:
        """Whether nothing keeps this batch from being published."""
        return not any(check.blocks for check in self.checks)


def validate(
    files: Mapping[str, Path],
    *,
    source: Source,
    connection: DuckDBPyConnection,
    views_kept_by: ViewsKeptBy = lambda _: (),
    is_weight: IsWeight = lambda _: False,
    charged: Mapping[str, Exception] | None = None,
) -> dict[str, BatchReport]:
    """Judge the landed file of each batch; every batch gets its report, whatever is wrong with the others.

    ``views_kept_by`` names the history views that need some value of a column, ``is_weight`` the weight. An error is
    charged to the batch that brings it about; ``charged`` are errors that are known before.
    """
    known = dict(charged or {})
    clear = {batch: path for batch, path in files.items() if batch not in known}
    judge = partial(_validate, source=source, connection=connection, views_kept_by=views_kept_by, is_weight=is_weight)
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
    files: Mapping[str, Path],
    *,
    source: Source,
    connection: DuckDBPyConnection,
    views_kept_by: ViewsKeptBy,
    is_weight: IsWeight,
) -> dict[str, BatchReport]:
    inspected = {batch: inspect_landed(path, source=source) for batch, path in files.items()}
    faults = {
        batch: [fault for found in file_faults(report, source=source).values() for fault in found]
        for batch, report in inspected.items()
    }
    readable = {batch: path for batch, path in files.items() if not faults[batch]}
    reports = {batch: _unread(source, batch=batch, faults=why) for batch, why in faults.items() if why}
    if readable:
        rows = LandedRows(files=readable, reports=inspected, source=source)
        judged = judge_rows(rows, connection=connection, views_kept_by=views_kept_by, is_weight=is_weight)
        reports |= _split(judged, rows=rows, views_kept_by=views_kept_by)
    return reports


def _unread(source: Source, *, batch: str, faults: Sequence[Anomaly], why: pa.Table = NOTHING_HELD) -> BatchReport:
    valid = source.columns.arrow.empty_table()
    checks = verdicts(source, batch=batch, rows_read=0, valid=valid, quarantined=why, faults=faults)
    return BatchReport(batch=batch, rows_read=0, valid=valid, quarantined=why, held=valid, checks=checks)


def _unjudged(source: Source, *, batch: str, error: Exception) -> BatchReport:
    said = str(error) if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
    reason = f"{batch}.csv could not be judged: {said[:_LONGEST_ERROR]}"
    return _unread(source, batch=batch, faults=(), why=_as_whole(NOT_JUDGED, column="", reason=reason))


def _as_whole(rule: str, *, column: str, reason: str) -> pa.Table:
    """One line of quarantine about a batch as a whole."""
    told = {SOURCE_ROW: WHOLE_BATCH, "rule": rule, "column": column, "reason": reason}
    return pa.Table.from_pylist([told], schema=QUARANTINE_SCHEMA)


def _split(judged: JudgedRows, *, rows: LandedRows, views_kept_by: ViewsKeptBy) -> dict[str, BatchReport]:
    """Each batch's own rows, its own quarantine, and its verdicts."""
    source = rows.source
    quarantine, at = quarantine_table(rows, judged.breaches)
    lines = np.searchsorted(at, rows.starts)
    valid, held = _apart(judged, rows=rows)
    held_starts = np.concatenate([[0], np.cumsum(judged.held)])[rows.starts]
    valid_starts = rows.starts - held_starts
    reports = {}
    for number, batch in enumerate(rows.batches):
        mine = _part(valid, valid_starts, number)
        lost = _lost_keys(mine, source=source, views_kept_by=views_kept_by)
        outcome = {
            "batch": batch,
            "rows_read": int(rows.starts[number + 1] - rows.starts[number]),
            "valid": mine,
            "quarantined": pa.concat_tables([*lost, _part(quarantine, lines, number)]),
        }
        faults = _table_faults(mine, judged.table_checks, source=source)
        checks = verdicts(source, **outcome, faults=faults)
        reports[batch] = BatchReport(**outcome, held=_part(held, held_starts, number), checks=checks)
    return reports


def _apart(judged: JudgedRows, *, rows: LandedRows) -> tuple[pa.Table, pa.Table]:
    """The rows to keep and the others, with their number in their own file. No piece is there twice for long."""
    kept, held = [], []
    first = 0
    while judged.pieces:
        piece = judged.pieces.pop(0)
        here = np.arange(first, first + piece.num_rows)
        numbered = piece.append_column(SOURCE_ROW, pa.array(rows.numbers_of(here))).cast(rows.source.columns.arrow)
        mask = judged.held[here]
        kept.append(numbered.filter(pa.array(~mask)) if mask.any() else numbered)
        held.append(numbered.filter(pa.array(mask)))
        first += piece.num_rows
    return pa.concat_tables(kept), pa.concat_tables(held)


def _part(table: pa.Table, starts: NDArray[np.int64], number: int) -> pa.Table:
    return table.slice(int(starts[number]), int(starts[number + 1] - starts[number]))


def _lost_keys(valid: pa.Table, *, source: Source, views_kept_by: ViewsKeptBy) -> Iterator[pa.Table]:
    """What history would refuse later: a column by which it keeps a view is missing in every row."""
    for column in source.columns.columns:
        if valid.num_rows and column.nullable and valid[column.name].null_count == valid.num_rows:
            views = ", ".join(views_kept_by(column.name))
            reason = f"{column.name} is missing in all {valid.num_rows} rows, so history ({views}) has nothing of them."
            if views:
                yield _as_whole(HISTORY_KEY, column=column.name, reason=reason)


def _table_faults(valid: pa.Table, checks: Sequence[TableCheck], *, source: Source) -> tuple[Anomaly, ...]:
    return table_faults(to_frame(valid), checks=checks, schema=source.columns) if checks and valid.num_rows else ()
