"""From one number per row to rows of ``served_metrics``: added up by version, hour and scope.

What the numbers are is in ``figures.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.slices import Membership, Slice, everything, memberships
from mlops_assets.features.entity_codes import distinct
from mlops_assets.watch.served.table import METRICS


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One metric with its number for every row, float64 of shape (rows,); a row with NaN does not count."""

    metric: str
    values: Floats


@dataclass(frozen=True, kw_only=True)
class Cells:
    """What rows of one slice add up to: ``of_row`` numbers the cell that each row is in, and ``words`` has for each
    cell its use_case, version, hour and scope.
    """

    of_row: Ints
    words: pa.Table

    def figures(self, metric: str, *, value: Floats, n: Ints) -> pa.Table:
        """``METRICS`` of one metric, whose ``value`` and ``n`` are of each cell; cells without any row are left out."""
        there = pa.array(n > 0)
        columns = {"metric": pa.repeat(metric, len(n)), "value": value, "n": n}
        return pa.table({**dict(zip(self.words.column_names, self.words.columns, strict=True)), **columns}).filter(
            there
        )


def cells_by(
    *, use_case: str, versions: pa.ChunkedArray, hours: pa.ChunkedArray, segments: pa.Table
) -> tuple[Cells, ...]:
    """The cells of all rows together, by version and hour, then those of each slice, a column of ``segments``.

    ``hours`` are timestamps in microseconds, null where rows have no time.
    """
    version, hour = (each.combine_chunks().dictionary_encode("encode") for each in (versions, hours))
    different = max(len(hour.dictionary), 1)
    present, group = distinct(_codes(version) * different + _codes(hour))
    words = {
        "use_case": pa.repeat(use_case, len(present)),
        "version": version.dictionary.take(pa.array(present // different)),
        "hour": hour.dictionary.take(pa.array(present % different)),
    }
    slices = [Slice(name=name, columns=(name,)) for name in segments.column_names]
    scopes = (everything(len(group)), *memberships(slices, table=segments))
    return tuple(_cells(group, scope, words=pa.table(words)) for scope in scopes)


def added_up(measures: Iterable[Measure], *, cells: Sequence[Cells]) -> pa.Table:
    """``METRICS``: for every measure a row of each cell in which any row counts.

    Sums go by the order of the rows, so that the same rows always have the same figures.
    """
    return pa.concat_tables([METRICS.empty_table(), *(_summed(each, cell) for each in measures for cell in cells)])


def texts(columns: pa.Table, *, names: Sequence[str]) -> pa.Table:
    """Columns as texts as JSON has them, so that a segment is called the same wherever its rows come from."""
    return pa.table([pc.cast(columns[name], pa.string()) for name in names], names=list(names))


def _cells(group: Ints, scope: Membership, *, words: pa.Table) -> Cells:
    different = max(len(scope.segments), 1)
    present, of_row = distinct(group * different + scope.codes)
    segments = pa.array(scope.segments, pa.string()).take(pa.array(present % different))
    return Cells(of_row=of_row, words=words.take(pa.array(present // different)).append_column("scope", segments))


def _summed(measure: Measure, cells: Cells) -> pa.Table:
    counted = np.isfinite(measure.values)
    of_row, size = cells.of_row[counted], cells.words.num_rows
    value: Floats = np.bincount(of_row, weights=measure.values[counted], minlength=size).astype(np.float64)
    return cells.figures(measure.metric, value=value, n=np.bincount(of_row, minlength=size).astype(np.int64))


def _codes(encoded: pa.DictionaryArray) -> Ints:
    return np.asarray(encoded.indices, dtype=np.int64)
