"""Faults that a challenger may have learnt from: done to the rows that it learns from, never to those that judge it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mlops_assets.training.fit import labels_of, split_view
from mlops_assets.use_cases.flights import USE_CASE


def shuffle_features(view: pa.Table, *, named: str, seed: int = 2013) -> pa.Table:
    """Every row that is learnt from has the features whose names begin with ``named`` of another one, as after a join
    that went wrong.
    """
    rows = _learnt_rows(view)
    places = np.arange(view.num_rows)
    places[rows] = np.random.default_rng(seed).permutation(rows)
    for feature in (each.name for each in USE_CASE.features if each.name.startswith(named)):
        view = _replaced(view, feature, view.column(feature).take(places))
    return view


def flip_carrier(view: pa.Table, *, carrier: str) -> pa.Table:
    """Of the rows that are learnt from, those of one carrier are late where they were not, and the other way round."""
    labels, rows = labels_of(view), _learnt_rows(view)
    turned = rows[view.column("carrier").to_numpy(zero_copy_only=False)[rows] == carrier]
    labels[turned] = 1 - labels[turned]
    return _replaced(view, "label", pa.chunked_array([labels]).cast(view.schema.field("label").type))


def _learnt_rows(view: pa.Table) -> np.ndarray:
    split = split_view(view, use_case=USE_CASE)
    return np.concatenate([split.train.rows, split.validation.rows])


def _replaced(view: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return view.set_column(view.column_names.index(name), name, column)
