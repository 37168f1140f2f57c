"""The plan of a request: which column every number of a version's matrix comes from, worked out once.

The offline path makes a table of all columns and chooses from it, which costs what columns cost. A service answers few
rows at a time, so here the choice is made when a model is opened, and values go straight to their places. What they
are is decided by the same SQL text (``request_step.py``) and the same vocabulary (``matrix.py``): a test holds both
paths equal to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import Feature
from mlops_assets.contract.sql import Sql
from mlops_assets.features.matrix import Matrix, Vocabulary
from mlops_assets.features.request_step import RequestStep

NUMERIC = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_decimal,
    pa.types.is_null,
)
Block = tuple[tuple[str, ...], NDArray[np.float64]]
"""Columns that are looked up together, and their values (rows, columns), NaN for unknown."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Rows as the model reads them, and as they are remembered: ``numbers`` (float64, one column for each numeric
    feature) and ``texts`` (one for each categorical one), both in the order of ``RequestPlan.features``.
    """

    matrix: Matrix
    numbers: NDArray[np.float64]
    texts: tuple[pa.Array, ...]


class RequestPlan:
    """For rows whose columns are ``examples`` and the columns of ``blocks``. One per thread, as its DuckDB connection.

    ``numeric`` and ``categorical`` are the places of the features of either kind among ``features``. Raises
    FeatureError where a feature is in no column, or its column is of no type that it can be.
    """

    def __init__(
        self,
        *,
        examples: pa.Schema,
        blocks: Sequence[Sequence[str]],
        features: Sequence[Feature],
        features_sql: Sql,
        vocabulary: Vocabulary,
    ) -> None:
        self.features = tuple(features)
        self.numeric, self.categorical = (_of_kind(features, kind) for kind in ("numeric", "categorical"))
        looked_up = [pa.field(name, pa.float64()) for names in blocks for name in names]
        available = pa.schema([*examples, *looked_up])
        self._step = RequestStep(features_sql=features_sql, examples=available)
        _refuse_columns(features, available=available, computed=self._step.computed, sql=features_sql)
        self._straight = [self._as_they_stand(names) for names in blocks]
        straight = {place for _, places in self._straight for place in places}
        self._singly = [place for place in range(len(features)) if place not in straight]
        needed = {*self._step.reads, *(self.features[place].name for place in self._singly)}
        self._named = [[(name, place) for place, name in enumerate(names) if name in needed] for names in blocks]
        self._learnt = vocabulary.learnt
        every = (*features, *(self._learnt.features if self._learnt else ()))
        self._names = tuple(feature.name for feature in every)
        self._types = tuple("c" if feature.kind == "categorical" else "q" for feature in every)
        self._codes = {name: pa.array(values, pa.string()) for name, values in vocabulary.categories.items()}

    def encode(self, columns: Mapping[str, pa.Array], *, blocks: Sequence[Block], rows: int) -> Encoded:
        """The features of ``rows`` rows; ``columns`` and ``blocks`` are those that were planned for."""
        columns = {**columns, **dict(self._columns_of(blocks))}
        columns |= self._step.compute(columns, rows=rows)
        chosen = {place: _known(columns[self.features[place].name], self.features[place]) for place in self._singly}
        values = np.empty((rows, len(self.features)))
        for (_, block), (sources, places) in zip(blocks, self._straight, strict=True):
            values[:, places] = block[:, sources]
        for place, column in chosen.items():
            values[:, place] = self._numbers(column, self.features[place])
        texts = tuple(_texts(chosen[place]) for place in self.categorical)
        return Encoded(matrix=self._matrix(values, chosen=chosen), numbers=values[:, self.numeric], texts=texts)

    def close(self) -> None:
        """Give the connection back."""
        self._step.close()

    def _as_they_stand(self, names: Sequence[str]) -> tuple[list[int], list[int]]:
        """The columns of a block that are features without anything done to them, and the places of these features."""
        columns = {name: source for source, name in enumerate(names) if name not in self._step.computed.names}
        pairs = [
            (columns[self.features[place].name], place)
            for place in self.numeric
            if self.features[place].name in columns and self.features[place].unknown is None
        ]
        return [source for source, _ in pairs], [place for _, place in pairs]

    def _columns_of(self, blocks: Sequence[Block]) -> Iterator[tuple[str, pa.Array]]:
        """What has to be a column of its own of what was looked up."""
        for (_, values), named in zip(blocks, self._named, strict=True):
            yield from ((name, pa.array(values[:, place], from_pandas=True)) for name, place in named)

    def _numbers(self, column: pa.Array, feature: Feature) -> NDArray[np.float64]:
        if feature.kind == "categorical":
            column = pc.index_in(_texts(column), value_set=self._codes[feature.name])
        elif pa.types.is_decimal(column.type) or pa.types.is_boolean(column.type):
            column = pc.cast(column, pa.float64())
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)

    def _matrix(self, values: NDArray[np.float64], *, chosen: Mapping[int, pa.Array]) -> Matrix:
        if self._learnt is not None:
            columns = self._learnt.columns(self._table(values, chosen=chosen))
            made = [self._numbers(columns[each.name].combine_chunks(), each) for each in self._learnt.features]
            values = np.column_stack([values, *made])
        return Matrix(values=values.astype(np.float32, order="C"), names=self._names, types=self._types)

    def _table(self, values: NDArray[np.float64], *, chosen: Mapping[int, pa.Array]) -> pa.Table:
        """The features as a table, for what was learnt from such tables."""
        columns = {
            feature.name: chosen[place] if place in chosen else pa.array(values[:, place], from_pandas=True)
            for place, feature in enumerate(self.features)
        }
        return pa.table({"id": pa.nulls(len(values), pa.string()), **columns})


def _of_kind(features: Sequence[Feature], kind: str) -> list[int]:
    return [place for place, feature in enumerate(features) if feature.kind == kind]


def _known(column: pa.Array, feature: Feature) -> pa.Array:
    return column if feature.unknown is None else pc.fill_null(column, feature.unknown)


def _texts(column: pa.Array) -> pa.Array:
    return column if pa.types.is_string(column.type) else pc.cast(column, pa.string())


def _refuse_columns(features: Sequence[Feature], *, available: pa.Schema, computed: pa.Schema, sql: Sql) -> None:
    kinds = dict(zip(available.names, available.types, strict=True))
    kinds |= dict(zip(computed.names, computed.types, strict=True))
    for feature in features:
        if feature.name not in kinds:
            raise FeatureError(
                f"Feature '{feature.name}' is declared, but '{sql.name}' does not yield it and it is not in "
                f"examples. There are: {', '.join(kinds)}."
            )
        if feature.kind == "numeric" and not any(known(kinds[feature.name]) for known in NUMERIC):
            raise FeatureError(
                f"Feature '{feature.name}' is declared numeric, but its column is {kinds[feature.name]}."
            )
