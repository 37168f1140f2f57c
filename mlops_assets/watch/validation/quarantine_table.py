"""The table of what is held back: a line for each row and rule that it breaks, told in full as far as a person reads.

Which rows break which rule is found in ``judged_rows.py``; what the lines mean for their batch is in ``breaches.py``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.columns import SOURCE_ROW
from mlops_assets.watch.validation.data_audits import QUARANTINE_SCHEMA
from mlops_assets.watch.validation.landed_rows import LandedRows
from mlops_assets.watch.validation.row_rules import Breach

TOLD_IN_FULL = 50_000
"""So many rows of a batch have their value, reason and text told by rule and column; the others are in the file, at
their line."""


def quarantine_table(rows: LandedRows, breaches: Sequence[Breach]) -> tuple[pa.Table, NDArray[np.int64]]:
    """One line per breach (``QUARANTINE_SCHEMA``) in the order of the rows, and the position of each among all rows."""
    broken = [breach for breach in breaches if breach.rows.size]
    if not broken:
        return QUARANTINE_SCHEMA.empty_table(), np.zeros(0, dtype=np.int64)
    at = np.concatenate([breach.rows for breach in broken])
    number = np.repeat(np.arange(len(broken), dtype=np.int32), [breach.rows.size for breach in broken])
    order = np.argsort(at, kind="stable")
    at, number = at[order], number[order]
    full = _told_in_full(at, number, rows=rows, breaches=broken)
    told = {
        SOURCE_ROW: rows.numbers_of(at),
        "rule": pa.array([breach.rule for breach in broken]).take(number),
        "column": pa.array([", ".join(breach.columns) for breach in broken]).take(number),
        **_texts(at, number, full=full, rows=rows, breaches=broken),
        "file_line": rows.lines_of(at),
    }
    return pa.table({name: told[name] for name in QUARANTINE_SCHEMA.names}).cast(QUARANTINE_SCHEMA), at


def _told_in_full(
    at: NDArray[np.int64], number: NDArray[np.int32], *, rows: LandedRows, breaches: Sequence[Breach]
) -> NDArray[np.bool_]:
    """Which lines are among the first ``TOLD_IN_FULL`` of their batch, rule and column."""
    if at.size <= TOLD_IN_FULL:
        return np.ones(at.size, dtype=bool)
    kinds: dict[tuple[str, tuple[str, ...]], int] = {}
    kind = np.array([kinds.setdefault((breach.rule, breach.columns), len(kinds)) for breach in breaches])
    group = rows.owner[at] * len(kinds) + kind[number]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    rank = np.arange(at.size) - np.repeat(starts, np.diff([*starts, at.size]))
    full = np.zeros(at.size, dtype=bool)
    full[order[rank < TOLD_IN_FULL]] = True
    return full


def _texts(
    at: NDArray[np.int64],
    number: NDArray[np.int32],
    *,
    full: NDArray[np.bool_],
    rows: LandedRows,
    breaches: Sequence[Breach],
) -> dict[str, pa.Array]:
    """Value, reason and whole row of the lines that are told in full; null in the others."""
    distinct, place = np.unique(at[full], return_inverse=True)
    text = rows.text_of(distinct).combine_chunks()
    number = number[full]
    mine = [np.flatnonzero(number == one) for one in range(len(breaches))]
    parts = [_value_and_reason(text.take(place[lines]), breach) for lines, breach in zip(mine, breaches, strict=True)]
    back = np.argsort(np.concatenate(mine), kind="stable")
    told = pa.concat_tables(parts).take(back).append_column("line", _json_lines(text).take(place))
    spread = pa.array(np.cumsum(full) - 1, mask=~full)
    return {name: told[name].take(spread) for name in told.column_names}


def _value_and_reason(text: pa.Table, breach: Breach) -> pa.Table:
    """What the rows of one breach have in its columns, and what that must be."""
    if not breach.columns:
        reason = pa.repeat(f"{breach.must}.", text.num_rows)
        return pa.table({"value": pa.nulls(text.num_rows, pa.string()), "reason": reason})
    values = [text[name] for name in breach.columns]
    value = pc.binary_join_element_wise(*values, ", ")
    reason = pc.binary_join_element_wise(f"{', '.join(breach.columns)} is '", value, f"': {breach.must}.", "")
    return pa.table({"value": value, "reason": reason})


def _json_lines(text: pa.Table) -> pa.ChunkedArray:
    """Each row as a JSON object, as ``json.dumps`` writes it; whole files have no other control characters."""
    parts: list[Any] = []
    for number, name in enumerate(text.column_names):
        value = text[name]
        for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
            value = pc.replace_substring(value, plain, escaped)
        parts += [f'{", " if number else "{"}{json.dumps(name, ensure_ascii=False)}: "', value, '"']
    return pc.binary_join_element_wise(*parts, "}", "")
