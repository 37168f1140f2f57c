"""Lines of a whole file that are no rows of its table: the header once more, a line of totals.

Looks at texts and numbers only; that a row breaks a rule is found in ``row_rules.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

TOTAL_WORDS = ("total", "totals", "grand total", "subtotal", "sum", "all", "summe", "gesamt", "overall")
MANY = 2
"""A row that says *total* breaks at least so many rules, or is the last of its file."""
_EXACT = 1e-9


def header_rows(text: pa.Table) -> NDArray[np.int64]:
    """The rows in which every column has its own name as its value."""
    rows = np.arange(text.num_rows)
    for name in text.column_names:
        if not rows.size:
            break
        of_column = text[name] if rows.size == text.num_rows else text[name].take(pa.array(rows))
        rows = rows[pc.fill_null(pc.equal(of_column, name), False).to_numpy(zero_copy_only=False)]
    return rows


def named_totals(text: pa.Table, *, broken: Sequence[NDArray[np.int64]], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows that call themselves a total. ``broken`` has the rows of each breach: a row that breaks no rule is none,
    and one that is not the ``last`` of its batch breaks many.
    """
    if not broken:
        return np.array([], dtype=np.int64)
    rows, rules = np.unique(np.concatenate(broken), return_counts=True)
    named: NDArray[np.int64] = rows[_names_total(text.take(rows)) & (np.isin(rows, last) | (rules >= MANY))]
    return named


def summed_rows(typed: pa.Table, *, rows: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of ``rows``, each the last of its batch, that have the sums of the others for values; ``starts`` has where
    each batch begins."""
    return np.array([row for row in rows if _is_sum(typed, row=int(row), starts=starts)], dtype=np.int64)


def _names_total(text: pa.Table) -> NDArray[np.bool_]:
    """Where some value says that the row is a total."""
    words = pa.array(TOTAL_WORDS)
    says = np.zeros(text.num_rows, dtype=bool)
    for name in text.column_names:
        plain = pc.utf8_lower(pc.utf8_trim(text[name], characters=" :="))
        says |= pc.is_in(plain, value_set=words).to_numpy(zero_copy_only=False)
    return says


def _is_sum(typed: pa.Table, *, row: int, starts: NDArray[np.int64]) -> bool:
    """Whether most of the numbers in the last row of a batch are what those above add up to."""
    first = int(starts[np.searchsorted(starts, row, side="right") - 1])
    above, last = typed.slice(first, row - first), typed.slice(row, 1)
    if above.num_rows < MANY:
        return False
    agrees = Counter(
        abs(value - total) <= _EXACT * abs(total)
        for name in typed.column_names
        if (pa.types.is_integer(typed[name].type) or pa.types.is_floating(typed[name].type))
        and (value := last[name][0].as_py()) is not None
        and (total := pc.sum(above[name]).as_py())
    )
    return agrees[True] > agrees[False]
