"""Entities by dictionary are the same texts, and codes are the same whichever way they are found."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import FeatureError
from mlops_assets.features.entity_codes import coded_entities, codes_among, distinct
from mlops_assets.features.relations import entity_column


@pytest.mark.parametrize("keys", [["shop"], ["hour"], ["shop", "hour"], ["hour", "town", "shop"]])
@pytest.mark.parametrize("by_dictionary", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 500])
def test_entities_by_dictionary_are_the_texts_of_the_rows(keys: list[str], *, by_dictionary: bool, rows: int) -> None:
    random = np.random.default_rng(rows)
    shops = pa.array([None if number == 3 else f"s{number}" for number in random.integers(0, 9, rows)], pa.string())
    table = pa.table(
        {
            "shop": shops.dictionary_encode() if by_dictionary else shops,
            "hour": pa.array(random.integers(0, 24, rows)),
            "town": pa.array(["only"] * rows, pa.string()),
        }
    )

    assert coded_entities(table, keys).to_pylist() == entity_column(table, keys).to_pylist()


def test_a_key_that_is_not_in_the_rows_is_named() -> None:
    with pytest.raises(FeatureError, match="Key column 'hour' is not in the rows"):
        coded_entities(pa.table({"shop": ["x"]}), ["shop", "hour"])


def test_what_is_missing_or_unknown_gets_the_code_past_the_last() -> None:
    known, asked = pa.array(["a", "b"]), pa.array(["b", None, "c", "a"])

    assert codes_among(known, asked).tolist() == [1, 2, 2, 0]
    assert codes_among(known, asked.dictionary_encode(null_encoding="encode")).tolist() == [1, 2, 2, 0]


@pytest.mark.parametrize("places", [[], [0], [5, 2, 5], [7, 10**12, 7]])
def test_different_places_rise_and_every_row_finds_its_own(places: list[int]) -> None:
    found, row_of = distinct(np.array(places, dtype=np.int64))

    assert found.tolist() == sorted(set(places))
    assert found[row_of].tolist() == places
