"""Entities of many rows as integers: each text is made and looked up once, however many rows have it.

Here belong the codes and how many different ones there are. How keys join to one text is ``entity_column`` in
``contract/features.py``; what is summed by these codes is in ``features/roll_up.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.features.relations import entity_column

Integers = NDArray[np.int64]

PLACES_PER_ROW = 32
"""A table of places may have so many times as many places as there are rows to look at; beyond, rows are sorted."""


def coded_entities(table: pa.Table, keys: Sequence[str]) -> pa.DictionaryArray:
    """``entity_column`` by dictionary, in which one text may be NULL. Missing columns are a ``FeatureError``."""
    if not table.num_rows or not keys:
        return entity_column(table, keys).dictionary_encode()
    entity_column(table.slice(0, 0), keys)
    coded = [_by_dictionary(table.column(key)) for key in keys]
    places = np.zeros(table.num_rows, dtype=np.int64)
    for values, indices in coded:
        places = places * len(values) + indices
    different, row_of = distinct(places)
    parts = {}
    for key, (values, _) in reversed(list(zip(keys, coded, strict=True))):
        parts[key] = values.take(pa.array(different % len(values)))
        different = different // len(values)
    return pa.DictionaryArray.from_arrays(pa.array(row_of), entity_column(pa.table(parts), keys))


def codes_among(known: pa.Array, entities: pa.Array) -> Integers:
    """The place of each entity among the ``known``; one past the last for what is missing or not among them.

    ``entities`` are texts, or texts by dictionary.
    """
    if pa.types.is_dictionary(entities.type):
        codes: Integers = codes_among(known, entities.dictionary)[np.asarray(entities.indices)]
        return codes
    return np.asarray(pc.fill_null(pc.index_in(entities, value_set=known), len(known)), dtype=np.int64)


def distinct(places: Integers) -> tuple[Integers, Integers]:
    """The different ones of ``places`` (none negative), rising, and for every row which of them it has."""
    size = int(places.max()) + 1 if len(places) else 0
    if size > PLACES_PER_ROW * len(places):
        found, row_of = np.unique(places, return_inverse=True)
        return found, row_of
    there = np.zeros(size, dtype=bool)
    there[places] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[places]


def _by_dictionary(column: pa.ChunkedArray) -> tuple[pa.Array, Integers]:
    """The different values of a column with a NULL after them, and for every row which of them it has."""
    coded = pc.dictionary_encode(column.combine_chunks())
    values = pa.concat_arrays([coded.dictionary, pa.nulls(1, coded.dictionary.type)])
    return values, np.asarray(pc.fill_null(coded.indices, len(coded.dictionary)), dtype=np.int64)
