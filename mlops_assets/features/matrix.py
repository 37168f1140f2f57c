"""From declared feature columns to the numbers that XGBoost reads, with vocabularies that are learnt once.

A vocabulary is learnt from the training rows, frozen with the model version as JSON, and only applied
afterwards: a category that was not seen in training is missing (NaN), never a new code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import Feature
from mlops_assets.features.learnt import Learnt

_LEARNT = "learnt tables"  # stands among the names of features


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """``values`` is float32, (rows, features), category codes as floats, NaN for missing or unseen.

    ``types`` are XGBoost's ``feature_types``: ``c`` for categories, ``q`` for quantities.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...]
    types: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The categories of every categorical feature, in the order of their codes, and what else was ``learnt``."""

    categories: Mapping[str, tuple[str, ...]]
    learnt: Learnt | None = None

    def encode(self, table: pa.Table, *, features: Sequence[Feature], learnt: pa.Table | None = None) -> Matrix:
        """The columns ``features`` of ``table`` and then the learnt features as a ``Matrix``.

        What is not declared is not looked at. ``learnt`` are learnt features made elsewhere: training rows have theirs
        out of fold.
        """
        if self.learnt is not None:
            more = learnt or self.learnt.columns(table.select(["id", *(feature.name for feature in features)]))
            table = pa.table({**_by_name(table), **_by_name(more)})
            features = (*features, *self.learnt.features)
        columns = [
            self._numbers(column, feature) for column, feature in zip(_columns(table, features), features, strict=True)
        ]
        names = tuple(feature.name for feature in features)
        (batch,) = pa.table(columns, names=names).combine_chunks().to_batches() or [_no_rows(names)]
        return Matrix(
            values=batch.to_tensor(null_to_nan=True).to_numpy().astype(np.float32, order="C"),
            names=names,
            types=tuple("c" if feature.kind == "categorical" else "q" for feature in features),
        )

    def to_json(self) -> str:
        """The frozen form that is stored with the model version."""
        told: dict[str, object] = {name: list(values) for name, values in sorted(self.categories.items())}
        return json.dumps(told | ({_LEARNT: self.learnt.to_plain()} if self.learnt else {}), indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> Vocabulary:
        """The vocabulary that ``to_json`` wrote."""
        told = json.loads(text)
        learnt = told.pop(_LEARNT, None)
        return cls(
            categories={name: tuple(values) for name, values in told.items()},
            learnt=Learnt.from_plain(learnt) if learnt else None,
        )

    def _numbers(self, column: pa.ChunkedArray, feature: Feature) -> pa.ChunkedArray:
        if feature.kind == "numeric":
            return _numeric(column, feature)
        if feature.name not in self.categories:
            raise FeatureError(
                f"The vocabulary has no categories for '{feature.name}'. It has: {', '.join(sorted(self.categories))}."
            )
        return pc.index_in(_texts(column), value_set=pa.array(self.categories[feature.name], pa.string()))


def learn_vocabulary(table: pa.Table, *, features: Sequence[Feature]) -> Vocabulary:
    """The sorted categories of the categorical ``features`` in ``table``, which must be the training rows
    only.
    """
    return Vocabulary(
        categories={
            feature.name: tuple(sorted(_texts(column).drop_null().unique().to_pylist()))
            for column, feature in zip(_columns(table, features), features, strict=True)
            if feature.kind == "categorical"
        }
    )


def _by_name(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(table.column_names, table.columns, strict=True))


def _columns(table: pa.Table, features: Sequence[Feature]) -> list[pa.ChunkedArray]:
    columns = _by_name(table)
    missing = [feature.name for feature in features if feature.name not in columns]
    if missing:
        raise FeatureError(f"Feature '{missing[0]}' is not in the rows. Columns: {', '.join(columns)}.")
    return [columns[feature.name] for feature in features]


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if pa.types.is_string(column.type) else pc.cast(column, pa.string())


def _numeric(column: pa.ChunkedArray, feature: Feature) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_float64(kind):
        return column
    if pa.types.is_float32(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return pc.cast(column, pa.float64())
    raise FeatureError(f"Feature '{feature.name}' is declared numeric, but its column is {kind}.")


def _no_rows(names: Sequence[str]) -> pa.RecordBatch:
    return pa.record_batch([pa.array([], pa.float64())] * len(names), names=list(names))
