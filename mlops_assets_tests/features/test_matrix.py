"""Vocabularies are learnt once and only applied afterwards."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import Feature
from mlops_assets.features.matrix import Vocabulary, learn_vocabulary

COLOUR = Feature(name="colour", kind="categorical", description="", owner="us")
SIZE = Feature(name="size", kind="numeric", description="", owner="us")
FEATURES = (COLOUR, SIZE)


def _rows(colours: list[str | None], sizes: list[float | None]) -> pa.Table:
    return pa.table({"label": [1] * len(sizes), "size": sizes, "colour": pa.array(colours, pa.string())})


def test_codes_follow_the_sorted_categories_of_the_training_rows() -> None:
    rows = _rows(["red", "blue", "red"], [1.0, 2.5, 3.0])

    matrix = learn_vocabulary(rows, features=FEATURES).encode(rows, features=FEATURES)

    assert matrix.values.dtype == np.float32
    assert matrix.values.flags.c_contiguous
    assert matrix.values.tolist() == [[1.0, 1.0], [0.0, 2.5], [1.0, 3.0]]
    assert (matrix.names, matrix.types) == (("colour", "size"), ("c", "q"))


def test_unseen_and_missing_categories_are_missing_never_new_codes() -> None:
    vocabulary = learn_vocabulary(_rows(["red", "blue"], [1.0, 2.0]), features=FEATURES)

    matrix = vocabulary.encode(_rows(["green", None, "red"], [None, 2.0, 3.0]), features=FEATURES)

    np.testing.assert_array_equal(matrix.values, np.array([[np.nan, np.nan], [np.nan, 2], [1, 3]], np.float32))


def test_a_vocabulary_survives_its_json() -> None:
    vocabulary = Vocabulary(categories={"colour": ("blau", "grün"), "empty": ()})

    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


def test_no_rows_make_an_empty_matrix() -> None:
    vocabulary = learn_vocabulary(_rows(["red"], [1.0]), features=FEATURES)

    assert vocabulary.encode(_rows([], []), features=FEATURES).values.shape == (0, 2)


def test_whole_numbers_with_gaps_and_booleans_are_quantities() -> None:
    table = pa.table({"size": pa.array([3, None], pa.int64()), "flag": [True, False]})
    flag = Feature(name="flag", kind="numeric", description="", owner="us")

    matrix = Vocabulary(categories={}).encode(table, features=(SIZE, flag))

    np.testing.assert_array_equal(matrix.values, np.array([[3, 1], [np.nan, 0]], np.float32))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pa.table({"colour": ["red"]}), "Feature 'size' is not in the rows. Columns: colour"),
        (
            pa.table({"colour": ["red"], "size": ["large"]}),
            "'size' is declared numeric, but its column is string",
        ),
    ],
)
def test_a_column_that_does_not_fit_its_declaration_is_refused(table: pa.Table, says: str) -> None:
    with pytest.raises(FeatureError, match=says):
        Vocabulary(categories={"colour": ("red",)}).encode(table, features=FEATURES)


def test_a_categorical_feature_without_vocabulary_is_refused() -> None:
    with pytest.raises(FeatureError, match="no categories for 'colour'"):
        Vocabulary(categories={}).encode(_rows(["red"], [1.0]), features=FEATURES)
