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

_CODES = {
    TYPE: Code.WRONG_TYPE,
    NOT_NULL: Code.MISSING_VALUE,
    UNIQUE: Code.NOT_UNIQUE,
    REPEATED: Code.DUPLICATED_ROWS,
    OTHER_BATCH: Code.OTHER_BATCH,
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


def row_anomalies(quarantined: pa.Table, *, rows_read: int, severity: Severity) -> tuple[Anomaly, ...]:
    """The anomalies behind a batch's quarantine (``QUARANTINE_SCHEMA``), the most frequent first."""
    if not quarantined.num_rows:
        return ()
    grouped = quarantined.group_by(["rule", "column"]).aggregate([("source_row", "count")]).to_pylist()
    grouped.sort(key=lambda group: (-group["source_row_count"], group["column"], group["rule"]))
    return tuple(
        _row_anomaly(
            quarantined.filter(_is(quarantined["rule"], group["rule"], quarantined["column"], group["column"])),
            rows_read=rows_read,
            severity=severity,
        )
        for group in grouped
    )


def _is(rules: pa.ChunkedArray, rule: str, columns: pa.ChunkedArray, column: str) -> pa.ChunkedArray:
    return pc.and_(pc.equal(rules, rule), pc.equal(columns, column))


def _row_anomaly(broken: pa.Table, *, rows_read: int, severity: Severity) -> Anomaly:
    """The anomaly of rows that all break the same rule of the same column."""
    first = broken.slice(0, 1).to_pylist()[0]
    rule, column, code = first["rule"], first["column"], code_of_rule(first["rule"])
    values = [value for value in broken["value"].slice(0, _EXAMPLES).to_pylist() if value is not None]
    shown = ", ".join(f"'{value}'" for value, _ in Counter(values).most_common(_SHOWN))
    form = _explain(code, broken, rows_read=rows_read, values=values, rule=rule)
    of = f" of {column}" if column else ""
    examples = f", such as {shown}" if shown else ""
    return anomaly(
        code,
        f"{broken.num_rows} of {rows_read} rows break {rule}{of}{examples}.",
        severity=severity,
        column=column or None,
        rule=rule,
        expected=first["reason"].rsplit("': ", 1)[-1].removesuffix("."),
        found=shown,
        rows=broken.num_rows,
        cause=form.cause if form else None,
        explanation=form.explanation if form else "",
    )


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
        said = f"{count} of the {len(values)} rows looked at say {day}."
        return Form(cause=Cause.OTHER_DAY, explanation=said)
    return None if code is Code.MISSING_VALUE else explain_form(values, rule=rule)
