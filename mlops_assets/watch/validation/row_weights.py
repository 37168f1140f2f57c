"""Rows whose weight cannot be one: found before they are published, named by row and column.

A weight says how many of the population a row stands for. 0 is one, and the row counts for nothing; below 0, missing or
infinite is none. Which column of a source is the weight is read off the examples' SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.source import Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.watch.validation.breaches import WEIGHT
from mlops_assets.watch.validation.row_rules import Breach

IsWeight = Callable[[str], bool]
"""Whether a column of the source is the weight of its rows."""


def weight_column(use_case: UseCase, *, source: Source) -> IsWeight:
    """Answers, for a column of ``source``, whether the weight of an example is made of it alone."""

    @cache
    def columns() -> frozenset[str]:
        # loading a parser and reading SQL with it takes tenths of a second: only once a value could not be a weight
        from mlops_assets.features.lineage import example_lineage

        try:
            origins = example_lineage(use_case).get(str(use_case.weight), ())
        except FeatureError:  # such SQL runs all the same, and a wrong weight is told when it is learnt from
            return frozenset({str(use_case.weight)})
        return frozenset(each.column for each in origins if len(origins) == 1 and each.source == source.name)

    return lambda column: use_case.weight is not None and column in columns()


def unusable_weights(typed: pa.Table, *, source: Source, is_weight: IsWeight) -> Iterator[Breach]:
    """The rows whose weight is below 0, infinite, or missing where the schema would allow that."""
    for column in source.columns.columns:
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            continue
        rows = _no_weights(typed[column.name], missing=column.nullable)
        if rows.size and is_weight(column.name):
            must = "must be 0 or more and not missing, as it says how many rows this one stands for"
            yield Breach(columns=(column.name,), rule=WEIGHT, must=must, rows=rows)


def _no_weights(values: pa.ChunkedArray, *, missing: bool) -> NDArray[np.int64]:
    numbers = pc.cast(values, pa.float64(), safe=False)
    usable = pc.and_(pc.is_finite(numbers), pc.greater_equal(numbers, 0.0)).fill_null(not missing)
    return np.flatnonzero(~usable.to_numpy())
