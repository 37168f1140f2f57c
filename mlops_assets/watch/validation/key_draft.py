"""Which columns together tell every row of a table from the others: the shortest such key, and the leftmost."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

LONGEST_KEY = 4
"""Columns; a longer key is for a person to find."""
CANDIDATES = 12
"""Columns that are tried: the leftmost, as tables have their keys there."""
SCREENED = 20_000
"""Rows on which a key must hold before it is tried on all."""


def draft_key(rows: pa.Table) -> tuple[str, ...]:
    """Two to four columns of ``rows`` that are different in every row; none if there are none."""
    names = [name for name in rows.column_names[:CANDIDATES] if name]
    first = rows.select(names).slice(0, SCREENED)
    codes = dict(zip(names, _codes(first), strict=True))
    for size in range(2, LONGEST_KEY + 1):
        for key in combinations(names, size):
            if _is_key([codes[name] for name in key]) and _is_key(list(_codes(rows.select(list(key))))):
                return key
    return ()


def _codes(rows: pa.Table) -> Iterator[NDArray[np.int64]]:
    """Each column as numbers, equal where its values are."""
    for column in rows.itercolumns():
        yield pc.dictionary_encode(column.combine_chunks()).indices.to_numpy().astype(np.int64)


def _is_key(columns: list[NDArray[np.int64]]) -> bool:
    together = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        together = np.unique(together * (int(column.max(initial=0)) + 1) + column, return_inverse=True)[1]
    return np.unique(together).size == together.size
