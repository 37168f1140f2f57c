"""In how many ways the dates of one column are written. What the ways mean is for a person to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.watch.validation.written_values import DATES

MEANT = 0.9
"""If so large a part of the texts of a column are dates, however written, all are meant to be."""
_SHAPES = ((r"[0-9]{4}", "Y"), (r"[0-9]+", "9"), (r"[A-Za-z]+", "a"))


@dataclass(frozen=True, kw_only=True)
class DateForm:
    """One way in which ``many`` values are written; the first of them is ``example``, in ``row`` (from 1)."""

    example: str
    row: int
    many: int

    def __str__(self) -> str:
        return f"{self.many} as {self.example!r}, first in row {self.row}"


def date_forms(values: pa.ChunkedArray, *, nulls: Sequence[str]) -> tuple[DateForm, ...]:
    """The ways in which dates are written in a column, the most frequent first; none of a column without dates."""
    texts = values.combine_chunks()
    rows = np.flatnonzero(pc.invert(pc.is_in(texts, value_set=pa.array(nulls, pa.string()))).to_numpy(False))
    texts = texts.take(pa.array(rows))
    dated = pc.match_substring_regex(texts, f"^(?:{DATES})$")
    if (pc.mean(dated.cast(pa.int8())).as_py() or 0.0) < MEANT:
        return ()
    shapes = texts
    for pattern, sign in _SHAPES:
        shapes = pc.replace_substring_regex(shapes, pattern, sign)
    codes = pc.dictionary_encode(shapes).indices.to_numpy()
    _, first, many = np.unique(codes, return_index=True, return_counts=True)
    forms = [
        DateForm(example=texts[int(at)].as_py(), row=int(rows[at]) + 1, many=int(count))
        for at, count in zip(first, many, strict=True)
    ]
    return tuple(sorted(forms, key=lambda form: (-form.many, form.row)))
