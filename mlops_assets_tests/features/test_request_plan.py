"""Promise 2 for one request: straight from their places, the numbers are those of the offline path, to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import Feature
from mlops_assets.contract.learning import Learning, LearntTable
from mlops_assets.features.learnt import learn
from mlops_assets.features.matrix import Matrix, Vocabulary, learn_vocabulary
from mlops_assets.features.request_plan import RequestPlan
from mlops_assets.features.training_view import request_features

SQL = """
-- One row per example: a value of every type that SQL gives, from every kind of column.
SELECT
    id,
    size * 1.1 AS scaled,
    size > 3 AS is_large,
    CAST(size AS FLOAT) AS single,
    CAST(size AS DECIMAL(12, 3)) AS exact,
    CAST(pieces AS TINYINT) AS small,
    CAST(pieces AS HUGEINT) * pieces AS huge,
    CASE WHEN pieces > 2 THEN pieces END AS some_pieces,
    NULL AS never,
    shop || '!' AS loud,
    CAST(shop AS ENUM ('a', 'b')) AS listed,
    pieces AS numbered,
    visits + 1 AS one_more,
    rate AS rate
FROM examples
"""
HISTORY = ("visits", "rate", "best", "days_since")


def feature(name: str, kind: Any = "numeric", unknown: Any = None) -> Feature:
    return Feature(name=name, kind=kind, description="", owner="us", unknown=unknown)


FEATURES = (
    feature("size"),
    feature("shop", "categorical"),
    feature("scaled"),
    feature("is_large"),
    feature("single"),
    feature("exact"),
    feature("small"),
    feature("huge"),
    feature("some_pieces", unknown=-1.0),
    feature("never"),
    feature("loud", "categorical", unknown="nobody!"),
    feature("listed", "categorical"),
    feature("numbered", "categorical"),
    feature("one_more"),
    feature("rate"),  # of the history, and computed anew: what SQL yields is taken
    feature("visits"),
    feature("best", unknown=0.5),
    feature("days_since", "categorical"),
    feature("levels"),
)
START = datetime(2013, 7, 1)
Row = dict[str, Any]

finite = st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e6, max_value=1e6)
rows_of_examples = st.lists(
    st.fixed_dictionaries(
        {
            "shop": st.sampled_from(["a", "b", None]),
            "size": st.none() | finite,
            "pieces": st.none() | st.integers(0, 100),
            "open": st.none() | st.booleans(),
            "looked_up": st.tuples(*[st.just(float("nan")) | finite] * 3, st.just(float("nan")) | st.integers(0, 9)),
            "levels": st.just(float("nan")) | finite,
        }
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sql") / "features.sql"
    path.write_text(SQL)
    return path


def examples_of(rows: Sequence[Row]) -> pa.Table:
    return pa.table(
        {
            "id": pa.array([f"e{place}" for place in range(len(rows))], pa.string()),
            "event_time": pa.array([START + timedelta(hours=place) for place in range(len(rows))], pa.timestamp("us")),
            "shop": pa.array([row["shop"] for row in rows], pa.string()),
            "size": pa.array([row["size"] for row in rows], pa.float64()),
            "pieces": pa.array([row["pieces"] for row in rows], pa.int64()),
            "open": pa.array([row["open"] for row in rows], pa.bool_()),
        }
    )


def blocks_of(rows: Sequence[Row]) -> list[tuple[tuple[str, ...], np.ndarray]]:
    history = np.array([row["looked_up"] for row in rows], np.float64)
    return [(HISTORY, history), (("levels",), np.array([[row["levels"]] for row in rows], np.float64))]


def offline(rows: Sequence[Row], *, sql: Path, features: Sequence[Feature] = FEATURES) -> pa.Table:
    """The features as training sees them."""
    examples = examples_of(rows)
    for names, values in blocks_of(rows):
        for place, name in enumerate(names):
            examples = examples.append_column(name, pa.array(values[:, place], from_pandas=True))
    return request_features(duckdb.connect(), examples, features_sql=sql, features=features)


def online(rows: Sequence[Row], *, sql: Path, vocabulary: Vocabulary, at_once: int) -> list[Matrix]:
    """The matrices that a service makes of them, ``at_once`` rows together."""
    examples, blocks = examples_of(rows), blocks_of(rows)
    made = RequestPlan(
        examples=examples.schema,
        blocks=[names for names, _ in blocks],
        features=FEATURES,
        features_sql=sql,
        vocabulary=vocabulary,
    )
    with closing(made) as plan:
        return [
            plan.encode(
                {name: examples[name].combine_chunks().slice(start, at_once) for name in examples.column_names},
                blocks=[(names, values[start : start + at_once]) for names, values in blocks],
                rows=len(rows[start : start + at_once]),
            ).matrix
            for start in range(0, len(rows), at_once)
        ]


@settings(max_examples=40, deadline=None)
@given(rows=rows_of_examples, at_once=st.integers(1, 12))
def test_a_request_has_the_numbers_of_the_offline_path_to_the_bit(sql: Path, rows: list[Row], at_once: int) -> None:
    table = offline(rows, sql=sql)
    vocabulary = learn_vocabulary(table.slice(0, 3), features=FEATURES)  # so that some categories are unknown
    expected = vocabulary.encode(table, features=FEATURES)

    made = online(rows, sql=sql, vocabulary=vocabulary, at_once=at_once)

    assert np.concatenate([matrix.values for matrix in made]).tobytes() == expected.values.tobytes()
    assert {(matrix.names, matrix.types) for matrix in made} == {(expected.names, expected.types)}


def test_learnt_features_are_those_of_the_offline_path_to_the_bit(sql: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    rows = [
        {
            "shop": str(random.choice(["a", "b"])),
            "size": float(random.normal()),
            "pieces": int(random.integers(0, 9)),
            "open": True,
            "looked_up": (1.0, float(random.uniform()), float("nan"), 3.0),
            "levels": 2.0,
        }
        for _ in range(60)
    ]
    table = offline(rows, sql=sql)
    (tmp_path / "shares.sql").write_text("SELECT shop, avg(label) AS late FROM training GROUP BY shop")
    (tmp_path / "joined.sql").write_text(
        "SELECT id, late * rate AS shop_late FROM examples LEFT JOIN shares USING (shop)"
    )
    learning = Learning(
        tables=(LearntTable(name="shares", sql=tmp_path / "shares.sql"),),
        sql=tmp_path / "joined.sql",
        features=(feature("shop_late", unknown=-1.0),),
    )
    labels = random.integers(0, 2, len(rows)).astype(float)
    learnt = learn(table, labels=labels, learning=learning, features=FEATURES)
    vocabulary = Vocabulary(categories=learn_vocabulary(table, features=FEATURES).categories, learnt=learnt)

    made = online(rows, sql=sql, vocabulary=vocabulary, at_once=7)

    expected = vocabulary.encode(table, features=FEATURES)
    assert np.concatenate([matrix.values for matrix in made]).tobytes() == expected.values.tobytes()
    assert expected.names[-1] == "shop_late"


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (
            feature("nowhere"),
            "Feature 'nowhere' is declared, but 'features.sql' does not yield it.*There are: .*scaled",
        ),
        (feature("loud"), "Feature 'loud' is declared numeric, but its column is string"),
        (feature("event_time"), "Feature 'event_time' is declared numeric, but its column is timestamp"),
    ],
)
def test_a_feature_that_cannot_be_computed_is_refused_when_a_model_is_opened(
    sql: Path, declared: Feature, said: str
) -> None:
    with pytest.raises(FeatureError, match=said):
        RequestPlan(
            examples=examples_of([]).schema,
            blocks=[HISTORY, ("levels",)],
            features=(*FEATURES, declared),
            features_sql=sql,
            vocabulary=Vocabulary(categories={each.name: () for each in FEATURES}),
        )
