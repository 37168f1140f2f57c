"""The verdicts on a batch of data: what must be true of a raw file and of a validated batch to be published.

Each audit judges what readers will read (staged files); ``validation.py`` uses the same verdicts on what it
is about to write. A verdict that cannot be given is a failed one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mlops_assets.contract.anomalies import Anomaly, Code, anomaly, messages
from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.columns import SOURCE_ROW
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.source import Source
from mlops_assets.watch.validation.breaches import OTHER_BATCH, WHOLE_BATCH, batch_anomalies, row_anomalies
from mlops_assets.watch.validation.file_format import FileReport, inspect_landed
from mlops_assets.watch.validation.headers import header_faults
from mlops_assets.watch.validation.landed_parquet import type_faults
from mlops_assets.watch.validation.pieces import in_pieces, parquet_parts
from mlops_assets.watch.validation.row_rules import (
    TableCheck,
    evaluate_rules,
    repeated_rows,
    table_faults,
    to_frame,
)

NOT_JUDGED = ("Not judged: the file is not whole.",)
RAW_CHECKS = ("file_is_whole", "has_expected_header", "has_rows")

NEW_CONTENT = "has_content_of_its_own"
"""Check that the same bytes have not landed for another batch."""

QUARANTINE_SCHEMA = pa.schema(
    [
        (SOURCE_ROW, pa.int64()),
        ("rule", pa.string()),
        ("column", pa.string()),
        ("value", pa.string()),
        ("reason", pa.string()),
        ("line", pa.string()),
        ("file_line", pa.int64()),
    ]
)
"""One line per row and rule that it breaks: ``line`` is the row's text as JSON, ``file_line`` where it begins in its
file. ``source_row`` 0 stands for the batch as a whole."""


@dataclass(frozen=True, kw_only=True)
class StagedBatch:
    """One validated batch as staged: its Parquet file, its quarantine if any, and its raw file's rows."""

    valid: Path
    quarantined: Path | None
    rows_read: int


def validated_checks(source: Source) -> tuple[str, ...]:
    """The names of the checks of the validated asset of ``source``, in the order they are given."""
    timed = ("rows_belong_to_batch",) if source.period else ()
    return ("matches_schema", "has_rows", *timed, "quarantine_within_limit", "every_row_accounted_for")


def audit_raw(path: Path, *, source: Source, batch: str, landed_as: str | None = None) -> tuple[CheckResult, ...]:
    """``RAW_CHECKS`` on one landed or staged file; ``landed_as`` is the name that a staged one had."""
    report = inspect_landed(path, source=source, landed_as=landed_as)
    figures: dict[str, Figure] = {"bytes": report.size, "rows": report.rows}
    found = file_faults(report, source=source)
    unknown = {"has_expected_header": not report.header, "has_rows": bool(report.faults)}
    return tuple(
        CheckResult(
            name=name,
            passed=not anomalies and not unknown.get(name),
            batch=batch,
            figures=figures,
            reasons=messages(anomalies) or (NOT_JUDGED if unknown.get(name) else ()),
            anomalies=anomalies,
        )
        for name, anomalies in found.items()
    )


def file_faults(report: FileReport, *, source: Source) -> dict[str, tuple[Anomaly, ...]]:
    """What is wrong with a file as such, by the name of the check that says so."""
    schema = source.columns
    header = (
        header_faults(report.header, expected=schema.names, ordered=schema.ordered, strict=schema.strict)
        if report.header
        else ()
    )
    if report.types is not None and not header:
        header = type_faults(report.types, names=report.names, schema=schema)
    return {
        "file_is_whole": report.faults,
        "has_expected_header": header,
        "has_rows": () if report.faults or report.rows else (no_rows(),),
    }


def judge_content(checksum: str, *, batch: str, others: Mapping[str, str]) -> CheckResult:
    """``NEW_CONTENT``: no other batch has the same bytes; ``others`` has checksums by batch."""
    twins = sorted(other for other, theirs in others.items() if theirs == checksum and other != batch)
    message = f"The file has the same bytes as batch {', '.join(twins[:3])}."
    found = (anomaly(Code.SAME_CONTENT, message, expected="a file of its own", found=twins[0]),) if twins else ()
    return _verdict(NEW_CONTENT, batch, found, batches_with_the_same_bytes=len(twins))


def no_rows() -> Anomaly:
    """The finding of a file that ends after its header."""
    return anomaly(Code.NO_ROWS, "The file has a header and no rows.", expected="at least one row", found="0 rows")


def audit_validated(staged: Mapping[str, StagedBatch], *, source: Source) -> dict[str, tuple[CheckResult, ...]]:
    """``validated_checks(source)`` on staged files, as readers read them; every rule is evaluated again."""
    faults = _faults_of_valid({batch: files.valid for batch, files in staged.items()}, source=source)
    return {
        batch: verdicts(
            source,
            batch=batch,
            rows_read=files.rows_read,
            valid=pq.read_table(files.valid, columns=[SOURCE_ROW]),
            columns=len(pq.read_schema(files.valid)) - 1,
            quarantined=_read_quarantine(files.quarantined),
            faults=faults[batch],
        )
        for batch, files in staged.items()
    }


def verdicts(
    source: Source,
    *,
    batch: str,
    rows_read: int,
    valid: pa.Table,
    quarantined: pa.Table,
    faults: Sequence[Anomaly],
    columns: int | None = None,
) -> tuple[CheckResult, ...]:
    """``validated_checks(source)`` from the rows that hold, those that don't, and the table's faults.

    Of ``valid`` the numbers of the rows will do if ``columns`` says how many the table has beside them.
    """
    as_whole = pc.equal(quarantined[SOURCE_ROW], WHOLE_BATCH)
    if pc.any(as_whole).as_py():
        faults = (*faults, *batch_anomalies(quarantined.filter(as_whole)))
        quarantined = quarantined.filter(pc.invert(as_whole))
    columns = valid.num_columns - 1 if columns is None else columns
    bad_rows = np.unique(quarantined[SOURCE_ROW].to_numpy()).size
    others = pc.sum(pc.equal(quarantined["rule"], OTHER_BATCH)).as_py() or 0
    given = {
        "matches_schema": _verdict("matches_schema", batch, faults, rows=valid.num_rows, columns=columns),
        "has_rows": _some_left(batch, rows_read, valid),
        "rows_belong_to_batch": _verdict(
            "rows_belong_to_batch",
            batch,
            _strays(others, rows_read=rows_read, batch=batch) if others else (),
            rows_of_other_batches=others,
        ),
        "quarantine_within_limit": _within_limit(source, batch, rows_read, bad_rows, quarantined),
        "every_row_accounted_for": _accounted_for(batch, rows_read, valid, quarantined),
    }
    return tuple(given[name] for name in validated_checks(source))


def with_explanations(checks: Sequence[CheckResult], *, anomalies: Sequence[Anomaly]) -> tuple[CheckResult, ...]:
    """``checks`` of a batch saying all that is known of it: what moved its columns explains what broke their rules.

    ``anomalies`` are those of the batch as it was judged beside others; an audit sees its rows alone.
    """
    known = {(found.code, found.rule, found.column): found for found in anomalies if found.explanation}
    return tuple(_explained(check, known=known) for check in checks)


def _explained(check: CheckResult, *, known: Mapping[tuple[Code, str | None, str | None], Anomaly]) -> CheckResult:
    found = tuple(known.get((each.code, each.rule, each.column), each) for each in check.anomalies)
    said = " ".join(check.reasons)
    more = dict.fromkeys(each.explanation for each in found if each.explanation and each.explanation not in said)
    return replace(check, anomalies=found, reasons=(*check.reasons, *(more if check.reasons else ())))


def _some_left(batch: str, rows_read: int, valid: pa.Table) -> CheckResult:
    """A file without rows that can be read has an anomaly that says why, and needs no second one."""
    none = anomaly(Code.NO_ROWS, "No row is left to publish.")
    return CheckResult(
        name="has_rows",
        passed=valid.num_rows > 0,
        batch=batch,
        figures={"rows": valid.num_rows},
        reasons=() if valid.num_rows else messages([none]),
        anomalies=(none,) if rows_read and not valid.num_rows else (),
    )


def _strays(others: int, *, rows_read: int, batch: str) -> tuple[Anomaly, ...]:
    message = f"{others} of {rows_read} rows say they are not of {batch}."
    return (anomaly(Code.OTHER_BATCH, message, rule=OTHER_BATCH, expected=batch, rows=others),)


def _verdict(name: str, batch: str, faults: Sequence[Anomaly], **figures: Figure) -> CheckResult:
    return CheckResult(
        name=name,
        passed=not faults,
        batch=batch,
        figures=figures,
        reasons=messages(faults),
        anomalies=tuple(faults),
    )


def _within_limit(source: Source, batch: str, rows_read: int, bad_rows: int, quarantined: pa.Table) -> CheckResult:
    share = bad_rows / rows_read if rows_read else 1.0
    limit = source.max_quarantined_share
    passed = share <= limit
    severity = Severity.WARN if passed else Severity.ERROR
    found = row_anomalies(quarantined, rows_read=rows_read, severity=severity, file=f"{batch}.csv")
    most = ", ".join(f"{each.rows} × {each.rule}{f' of {each.column}' if each.column else ''}" for each in found[:5])
    reason = f"{bad_rows} of {rows_read} rows break a rule ({share:.2%}, at most {limit:.2%} are allowed): {most}."
    why = [each.explanation for each in found[:5] if each.explanation]
    return CheckResult(
        name="quarantine_within_limit",
        passed=passed,
        batch=batch,
        figures={"rows": rows_read, "quarantined": bad_rows, "share": share, "limit": limit},
        reasons=() if passed else (reason, *why) if rows_read else ("No rows could be read.",),
        anomalies=found,
    )


def _accounted_for(batch: str, rows_read: int, valid: pa.Table, quarantined: pa.Table) -> CheckResult:
    """Every row of the file is in exactly one place: published or quarantined."""
    kept = valid[SOURCE_ROW].to_numpy() if SOURCE_ROW in valid.column_names else np.array([], dtype=np.int64)
    held = np.unique(quarantined[SOURCE_ROW].to_numpy())
    whole = np.array_equal(np.sort(np.concatenate([kept, held])), np.arange(1, rows_read + 1))
    lost = f"{rows_read} rows were read, but {kept.size} are valid and {held.size} quarantined."
    faults = () if whole or not rows_read else (anomaly(Code.NOT_AS_VALIDATED, lost),)
    return CheckResult(
        name="every_row_accounted_for",
        passed=whole and rows_read > 0,
        batch=batch,
        figures={"rows": rows_read, "valid": int(kept.size), "quarantined": int(held.size)},
        reasons=messages(faults) if rows_read else ("No rows could be read from the file.",),
        anomalies=faults,
    )


def _faults_of_valid(valid: Mapping[str, Path], *, source: Source) -> dict[str, list[Anomaly]]:
    """What makes each batch's published rows break the schema: types, rules, keys, table-level checks."""
    expected = source.columns.arrow
    faults: dict[str, list[Anomaly]] = {batch: [] for batch in valid}
    for batch, path in valid.items():
        found = pq.read_schema(path)
        if not found.equals(expected):
            types: dict[str, Any] = {"expected": _types(expected), "found": _types(found)}
            message = "Columns or types differ: expected {expected}; found {found}.".format(**types)
            faults[batch].append(anomaly(Code.NOT_AS_VALIDATED, message, **types))
    fitting = {batch: path for batch, path in valid.items() if not faults[batch] and pq.read_metadata(path).num_rows}
    if fitting:
        _judge_rules(fitting, source=source, faults=faults)
    return faults


def _judge_rules(valid: Mapping[str, Path], *, source: Source, faults: Mapping[str, list[Anomaly]]) -> None:
    schema, batches = source.columns, list(valid)
    owner = np.repeat(np.arange(len(batches)), [pq.read_metadata(path).num_rows for path in valid.values()])
    keyed = sorted({name for key in schema.keys for name in key})
    broken: dict[str, list[NDArray[np.int64]]] = {}
    table_checks: dict[TableCheck, None] = {}
    keys, first = [], 0
    with duckdb.connect() as connection:
        for piece in in_pieces(part for path in valid.values() for part in parquet_parts(path)):
            findings = evaluate_rules(piece, schema=schema, connection=connection)
            for breach in findings.breaches:
                of = f"'{breach.rule}' of {', '.join(breach.columns) or 'the row'}"
                broken.setdefault(of, []).append(breach.rows + first)
            table_checks |= dict.fromkeys(findings.table_checks)
            keys.append(piece.select(keyed))
            first += piece.num_rows
        for key in schema.keys:
            repeated = repeated_rows(pa.concat_tables(keys), key=key, within=owner, connection=connection)
            broken[f"unique {', '.join(key)}"] = [repeated]
    for rule, rows in broken.items():
        for number, count in zip(*np.unique(owner[np.concatenate(rows)], return_counts=True), strict=True):
            message = f"{count} published rows break {rule}."
            faults[batches[number]].append(anomaly(Code.NOT_AS_VALIDATED, message, rule=rule, rows=int(count)))
    for batch, path in valid.items() if table_checks else ():
        frame = to_frame(pq.read_table(path))
        faults[batch].extend(table_faults(frame, checks=table_checks, schema=schema))


def _read_quarantine(path: Path | None) -> pa.Table:
    """What is read of it here: not the rows' text; texts that are there many times are kept once."""
    if path is None:
        return QUARANTINE_SCHEMA.empty_table()
    columns = [name for name in QUARANTINE_SCHEMA.names if name != "line"]
    return pq.read_table(path, columns=columns, read_dictionary=["rule", "column"])


def _types(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
