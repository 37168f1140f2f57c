"""Named segments of the rows: declared by a use case as data, and turned into integer codes for all slices at
once.

What is computed per segment belongs in ``report.py``; finding weak segments nobody declared, in
``discovery.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.declared_numbers import MORE_THAN_ONE, refuse_numbers
from mlops_assets.contract.errors import DeclarationError, EvaluationError

MISSING = "(missing)"
OVERALL = "overall"


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A column, or a cross of columns, whose every value (or combination present) is a segment of its own."""

    name: str
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.columns or self.name == OVERALL:
            raise DeclarationError(f"Slice '{self.name}' needs at least one column and a name other than '{OVERALL}'.")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A named rule over ``columns``: the rows for which ``holds`` (rows -> bool of shape (rows,)), and the others."""

    name: str
    columns: tuple[str, ...]
    holds: Callable[[pa.Table], NDArray[np.bool_]]

    def membership(self, table: pa.Table) -> Membership:
        """Two segments: ``night`` and ``not night``."""
        codes = np.where(self.holds(table), 0, 1).astype(np.int32)
        return Membership(slice=self.name, codes=codes, segments=(self.name, f"not {self.name}"))


@dataclass(frozen=True, kw_only=True)
class Quantiles:
    """A number in ``bins`` of about equally many rows, cut anew for the rows that are judged."""

    name: str
    column: str
    bins: int = 4

    def __post_init__(self) -> None:
        refuse_numbers(self, bins=MORE_THAN_ONE)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def membership(self, table: pa.Table) -> Membership:
        """Segments are named by place (``age 1 of 4``), which stays when the edges move, and have those of today as
        ``limits``; equal numbers share one.
        """
        values = np.asarray(pc.cast(table.column(self.column), pa.float64()).to_numpy(), dtype=np.float64)
        known = ~np.isnan(values)
        cuts = np.quantile(values[known], np.arange(1, self.bins) / self.bins) if known.any() else np.zeros(0)
        codes = np.where(known, np.searchsorted(cuts, values, side="left"), self.bins).astype(np.int32)
        names = [f"{self.column} {place} of {self.bins}" for place in range(1, self.bins + 1)]
        edges = [f"{cut:,.6g}" for cut in cuts]
        told = (
            [f"up to {edges[0]}", *map("above {} to {}".format, edges, edges[1:]), f"above {edges[-1]}"]
            if edges
            else []
        )
        limits = dict(zip(names, told, strict=False))
        return Membership(slice=self.name, codes=codes, segments=(*names, f"{self.column}={MISSING}"), limits=limits)


AnySlice = Slice | Rule | Quantiles


@dataclass(frozen=True, kw_only=True)
class Membership:
    """To which segment of one slice each row belongs.

    ``codes`` is int32 of shape (rows,), an index into ``segments``. A segment is the text that people read
    and gates name: ``carrier=OO``, ``carrier=OO, origin=EWR``; a null value is ``carrier=(missing)``. ``limits`` say
    which numbers a segment holds, where its text does not.
    """

    slice: str
    codes: NDArray[np.int32]
    segments: tuple[str, ...]
    limits: Mapping[str, str] = field(default_factory=dict)


def everything(rows: int) -> Membership:
    """The one segment that holds all rows."""
    return Membership(slice=OVERALL, codes=np.zeros(rows, dtype=np.int32), segments=(OVERALL,))


def memberships(slices: Sequence[AnySlice], *, table: pa.Table) -> tuple[Membership, ...]:
    """The membership of every row of ``table`` in each of ``slices``; segments are in order of their values.

    Segments without a row are left out. Raises EvaluationError naming a column that is not there.
    """
    crossed = dict.fromkeys(name for each in slices if isinstance(each, Slice) for name in each.columns)
    columns = {name: _encoded(table, name=name) for name in crossed}
    return tuple(
        _cross(each, columns=columns) if isinstance(each, Slice) else _present(_of_rule(each, table=table))
        for each in slices
    )


def _of_rule(declared: Rule | Quantiles, *, table: pa.Table) -> Membership:
    for name in declared.columns:
        _refuse_unknown(table, name=name)
    return declared.membership(table)


def _present(member: Membership) -> Membership:
    """The same with only the segments that have rows."""
    present, codes = np.unique(member.codes, return_inverse=True)
    segments = tuple(member.segments[code] for code in present)
    return replace(member, codes=codes.astype(np.int32), segments=segments)


def _refuse_unknown(table: pa.Table, *, name: str) -> None:
    if name not in table.column_names:
        raise EvaluationError(f"Unknown slice column '{name}'. Columns: {', '.join(table.column_names)}.")


def _encoded(table: pa.Table, *, name: str) -> tuple[NDArray[np.int64], list[str]]:
    _refuse_unknown(table, name=name)
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    encoded = pc.dictionary_encode(column, null_encoding="encode").combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # a column without rows
        return np.zeros(0, dtype=np.int64), []
    values = encoded.dictionary.to_pylist()
    order = sorted(range(len(values)), key=lambda i: (values[i] is None, values[i]))
    position = np.empty(len(values), dtype=np.int64)
    position[order] = np.arange(len(values))
    texts = [f"{name}={MISSING if values[i] is None else values[i]}" for i in order]
    return position[encoded.indices.to_numpy(zero_copy_only=False)], texts


def _cross(declared: Slice, *, columns: dict[str, tuple[NDArray[np.int64], list[str]]]) -> Membership:
    codes, texts = columns[declared.columns[0]]
    for name in declared.columns[1:]:
        more, more_texts = columns[name]
        present, codes = np.unique(codes * len(more_texts) + more, return_inverse=True)
        texts = [f"{texts[p // len(more_texts)]}, {more_texts[p % len(more_texts)]}" for p in present]
    return Membership(slice=declared.name, codes=codes.astype(np.int32), segments=tuple(texts))
