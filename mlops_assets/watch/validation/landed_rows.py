"""The rows of many landed files, one under the other: where each batch begins, and their text, piece by piece.

Little text is kept; much is read again each time it is asked for, so that it never lies in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.source import Source
from mlops_assets.watch.validation.file_format import FileReport
from mlops_assets.watch.validation.landed_text import text_parts
from mlops_assets.watch.validation.pieces import in_pieces

_KEPT_BYTES = 48 * 1024 * 1024
"""Files of so many bytes together are kept as text: a year of flights is."""


@dataclass(frozen=True, kw_only=True)
class LandedRows:
    """The rows of readable files by batch; ``reports`` say what their bytes do."""

    files: Mapping[str, Path]
    reports: Mapping[str, FileReport]
    source: Source

    @cached_property
    def batches(self) -> tuple[str, ...]:
        return tuple(self.files)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The row at which each batch begins, and the number of all rows."""
        return np.cumsum([0, *(self.reports[batch].rows for batch in self.files)])

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """The number of each row's batch."""
        return np.repeat(np.arange(len(self.files)), np.diff(self.starts))

    @property
    def text(self) -> Iterator[tuple[int, pa.Table]]:
        """The declared columns as text in pieces, each with the number of its first row.

        Null is what a Parquet file has no value for; other files have texts for that.
        """
        first = 0
        for piece in self._kept or in_pieces(self._parts()):
            yield first, piece
            first += piece.num_rows

    @cached_property
    def _kept(self) -> tuple[pa.Table, ...]:
        size = sum(self.reports[batch].size for batch in self.files)
        return tuple(in_pieces(self._parts())) if size <= _KEPT_BYTES else ()

    def _parts(self) -> Iterator[pa.Table]:
        for batch, path in self.files.items():
            yield from text_parts(
                path, names=self.source.columns.names, form=self.source.form, report=self.reports[batch]
            )

    def text_of(self, rows: NDArray[np.int64]) -> pa.Table:
        """The text of some rows, which are in order, empty where a Parquet file has no value."""
        parts = [pa.schema([(name, pa.string()) for name in self.source.columns.names]).empty_table()]
        for first, piece in self.text:
            at = np.searchsorted(rows, [first, first + piece.num_rows])
            parts.append(piece.take(rows[at[0] : at[1]] - first))
            if at[1] == rows.size:
                break
        text = pa.concat_tables(parts)
        return pa.table([column.fill_null("") for column in text.columns], names=text.column_names)

    def lines_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The lines of their files in which some rows begin; the rows are in order."""
        cuts = np.searchsorted(rows, self.starts)
        parts = [
            self.reports[batch].lines_of(rows[cuts[number] : cuts[number + 1]] - self.starts[number])
            for number, batch in enumerate(self.batches)
        ]
        return np.concatenate(parts)

    def numbers_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers that some rows have in their own files, from 1."""
        return rows - self.starts[self.owner[rows]] + 1
