"""From rows in quarantine to typed anomalies: one for each rule and column, with examples and what explains them.

Which rows break a rule is found in ``row_rules.py``; whether so many are too many, in ``data_audits.py``.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.anomalies import Anomaly, Cause, Code, anomaly
from mlops_assets.contract.severity import Severity
from mlops_assets.watch.validation.value_forms import Form, explain_form

TYPE = "column_type"
NOT_NULL = "not_null"
UNIQUE = "unique"
REPEATED = "repeated_row"
"""Rule of rows that repeat an earlier one value for value."""
OTHER_BATCH = "belongs_to_batch"
"""Rule of rows that say they are of another day than their file."""
HEADER = "repeated_header"
"""Rule of rows that are the header again."""
TOTALS = "totals_row"
"""Rule of rows that sum up the others."""
WHOLE_BATCH = 0
"""The ``source_row`` of what is wrong with a batch as a whole."""
NOT_JUDGED = "not_judged"
"""Rule of a batch whose judging ended in an error."""
HISTORY_KEY = "history_key"
"""Rule of a batch that history can keep nothing of."""
SEPARATOR = "history_separator"
"""Rule of rows with a key that history could not join with others."""
WEIGHT = "weight"
"""Rule of rows whose weight is none."""

_CODES = {
    HEADER: Code.REPEATED_HEADER,
    TOTALS: Code.TOTALS_ROW,
    NOT_JUDGED: Code.NOT_JUDGED,
    HISTORY_KEY: Code.MISSING_VALUE,
    TYPE: Code.WRONG_TYPE,
    NOT_NULL: Code.MISSING_VALUE,
    UNIQUE: Code.NOT_UNIQUE,
    REPEATED: Code.DUPLICATED_ROWS,
    OTHER_BATCH: Code.OTHER_BATCH,
    WEIGHT: Code.OUT_OF_RANGE,
    "in_range": Code.OUT_OF_RANGE,
    "greater_than": Code.OUT_OF_RANGE,
    "greater_than_or_equal_to": Code.OUT_OF_RANGE,
    "less_than": Code.OUT_OF_RANGE,
    "less_than_or_equal_to": Code.OUT_OF_RANGE,
    "isin": Code.VALUE_NOT_ALLOWED,
    "notin": Code.VALUE_NOT_ALLOWED,
    "equal_to": Code.VALUE_NOT_ALLOWED,
    "not_equal_to": Code.VALUE_NOT_ALLOWED,
    "str_matches": Code.PATTERN_BROKEN,
    "str_contains": Code.PATTERN_BROKEN,
    "str_startswith": Code.PATTERN_BROKEN,
    "str_endswith": Code.PATTERN_BROKEN,
    "str_length": Code.TEXT_LENGTH,
}
_EXAMPLES = 1000
_SHOWN = 3
_LONGEST = 80
"""Characters of a value that are told; all of it is in quarantine."""


def batch_anomalies(quarantined: pa.Table) -> tuple[Anomaly, ...]:
    """What is wrong with a batch as a whole, of the lines of its quarantine that say so."""
    return tuple(
        anomaly(code_of_rule(line["rule"]), line["reason"], column=line["column"] or None, rule=line["rule"])
        for line in quarantined.to_pylist()
    )


def row_anomalies(quarantined: pa.Table, *, rows_read: int, severity: Severity, file: str) -> tuple[Anomaly, ...]:
    """The anomalies behind a batch's quarantine (``QUARANTINE_SCHEMA``), the most frequent first.

    ``file`` is what the landed file is called.
    """
    if not quarantined.num_rows:
        return ()
    quarantined = quarantined.select(["source_row", "rule", "column", "value", "reason", "file_line"])
    grouped = quarantined.group_by(["rule", "column"]).aggregate([("source_row", "count")]).to_pylist()
    grouped.sort(key=lambda group: (-group["source_row_count"], group["column"], group["rule"]))
    return tuple(
        _row_anomaly(
            quarantined
            if len(grouped) == 1
            else quarantined.filter(_is(quarantined["rule"], group["rule"], quarantined["column"], group["column"])),
            rows_read=rows_read,
            severity=severity,
            file=file,
        )
        for group in grouped
    )


def _is(rules: pa.ChunkedArray, rule: str, columns: pa.ChunkedArray, column: str) -> pa.ChunkedArray:
    return pc.and_(pc.equal(rules, rule), pc.equal(columns, column))


def _row_anomaly(broken: pa.Table, *, rows_read: int, severity: Severity, file: str) -> Anomaly:
    """The anomaly of rows that all break the same rule of the same column."""
    first = broken.slice(0, 1).to_pylist()[0]
    rule, column, code = first["rule"], first["column"], code_of_rule(first["rule"])
    if rule in (HEADER, TOTALS):
        return _misplaced(broken, code=code, rule=rule, must=first["reason"], severity=severity, file=file)
    values = [value for value in broken["value"].slice(0, _EXAMPLES).to_pylist() if value is not None]
    shown = ", ".join(f"'{_short(value)}'" for value, _ in Counter(values).most_common(_SHOWN))
    form = _explain(code, broken, rows_read=rows_read, values=values, rule=rule)
    of = f" of {column}" if column else ""
    examples = f", such as {shown}" if shown else ""
    return anomaly(
        code,
        f"{broken.num_rows} of {rows_read} rows break {rule}{of}{examples}{_first_line(broken, file=file)}.",
        severity=severity,
        column=column or None,
        rule=rule,
        expected=first["reason"].rsplit("': ", 1)[-1].removesuffix("."),
        found=shown,
        rows=broken.num_rows,
        cause=form.cause if form else None,
        explanation=form.explanation if form else "",
    )


def _misplaced(broken: pa.Table, *, code: Code, rule: str, must: str, severity: Severity, file: str) -> Anomaly:
    """The anomaly of lines that are no rows of the table: one, however many of its rules they break."""
    lines = broken["file_line"].to_pylist()
    shown = ", ".join(map(str, lines[:_SHOWN])) + (", …" if len(lines) > _SHOWN else "")
    named = f"Line {shown} of {file} is" if len(lines) == 1 else f"{len(lines)} lines of {file} are ({shown})"
    return anomaly(
        code,
        f"{named} no row of the table: {must}",
        severity=severity,
        rule=rule,
        found=f"line {shown}",
        rows=len(lines),
    )


def _first_line(broken: pa.Table, *, file: str) -> str:
    """Where the first of these rows is found."""
    line = pc.min(broken["file_line"]).as_py()
    return f", first in line {line} of {file}" if line is not None else ""


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}… ({len(value):,} characters)"


def code_of_rule(rule: str) -> Code:
    """The kind of anomaly that a broken rule is; ``in_range(0, 23)`` is out of range."""
    return _CODES.get(rule.partition("(")[0], Code.RULE_BROKEN)


def _explain(code: Code, broken: pa.Table, *, rows_read: int, values: list[str], rule: str) -> Form | None:
    """What explains the breaches, from the rows alone."""
    if code is Code.DUPLICATED_ROWS:
        rows = np.sort(broken["source_row"].to_numpy())
        block = "one block" if len(rows) > 1 and rows[-1] - rows[0] == len(rows) - 1 else "scattered rows"
        said = f"{len(rows)} of {rows_read} rows repeat earlier ones value for value, {block} from row {rows[0]} on."
        return Form(cause=Cause.DUPLICATED_ROWS, explanation=said)
    if code is Code.OTHER_BATCH:
        (day, count) = Counter(values).most_common(1)[0] if values else ("nothing", 0)
        said = f"{count} of the {len(values)} rows looked at say {_short(day)}."
        return Form(cause=Cause.OTHER_DAY, explanation=said)
    return None if code is Code.MISSING_VALUE else explain_form(values, rule=rule)
