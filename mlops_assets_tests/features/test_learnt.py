"""Learnt statistics: of training rows, out of fold for them, frozen, and the same wherever they are applied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import Feature
from mlops_assets.contract.learning import Learning, LearntTable
from mlops_assets.features.learnt import learn, out_of_fold
from mlops_assets.features.matrix import Vocabulary, learn_vocabulary

SHOP = Feature(name="shop", kind="categorical", description="", owner="us")
SIZE = Feature(name="size", kind="numeric", description="", owner="us")
FEATURES = (SHOP, SIZE)
ENCODING = """
-- One row per shop: its share of late parcels, drawn towards that of all by ten rows.
SELECT shop, (sum(label) + 10 * (SELECT avg(label) FROM training)) / (count(*) + 10) AS late FROM training GROUP BY shop
"""
BINS = """
-- One row: the thirds of the sizes.
SELECT quantile_disc(size, 0.33) AS low, quantile_disc(size, 0.67) AS high FROM training
"""
JOINED = """
-- One row per example: the share of its shop, and the third its size is in.
SELECT id, late AS shop_late, CAST((size > low)::INTEGER + (size > high)::INTEGER AS BIGINT) AS size_third
FROM examples LEFT JOIN shop_shares USING (shop) CROSS JOIN size_bins
"""


@pytest.fixture
def learning(tmp_path: Path) -> Learning:
    return make_learning(tmp_path, shop_shares=ENCODING, size_bins=BINS)


def make_learning(folder: Path, *, joined: str = JOINED, **tables: str) -> Learning:
    for name, text in {**tables, "joined": joined}.items():
        (folder / f"{name}.sql").write_text(text)
    return Learning(
        tables=tuple(LearntTable(name=name, sql=folder / f"{name}.sql") for name in tables),
        sql=folder / "joined.sql",
        features=(
            Feature(name="shop_late", kind="numeric", description="", owner="us", unknown=-1.0),
            Feature(name="size_third", kind="numeric", description="", owner="us"),
        ),
    )


def make_rows(*, rows: int = 400, shops: int = 4, seed: int = 0) -> tuple[pa.Table, np.ndarray]:
    random = np.random.default_rng(seed)
    table = pa.table(
        {
            "id": [f"{seed}-{number}" for number in range(rows)],
            "shop": [f"s{shop}" for shop in random.integers(0, shops, rows)],
            "size": random.normal(size=rows),
        }
    )
    return table, random.integers(0, 2, rows).astype(float)


def test_statistics_are_those_of_the_training_rows_whatever_is_scored(learning: Learning) -> None:
    rows, labels = make_rows()
    learnt = learn(rows, labels=labels, learning=learning, features=FEATURES)
    asked = pa.table({"id": ["a", "a"], "shop": ["s1", "never seen"], "size": [-9.0, 9.0]})

    found = learnt.columns(asked)

    mine = np.array(rows.column("shop").to_pylist()) == "s1"
    share = (labels[mine].sum() + 10 * labels.mean()) / (mine.sum() + 10)
    assert found.to_pydict() == {"shop_late": [pytest.approx(share), -1.0], "size_third": [0, 2]}


def test_a_row_scores_the_same_alone_in_a_batch_and_after_its_json(learning: Learning) -> None:
    rows, labels = make_rows()
    learnt = learn(rows, labels=labels, learning=learning, features=FEATURES)
    vocabulary = Vocabulary(categories=learn_vocabulary(rows, features=FEATURES).categories, learnt=learnt)

    together = vocabulary.encode(rows, features=FEATURES)
    read = Vocabulary.from_json(vocabulary.to_json())
    alone = [read.encode(rows.slice(row, 1), features=FEATURES).values[0] for row in range(20)]

    assert read == vocabulary
    assert together.names == ("shop", "size", "shop_late", "size_third")
    assert together.types == ("c", "q", "q", "q")
    assert np.array(alone).tobytes() == together.values[:20].tobytes()


def test_no_training_row_meets_a_statistic_of_its_own_label(learning: Learning) -> None:
    """Labels of pure chance and a shop per row or two: statistics fitted on the row itself would tell its label."""
    rows, labels = make_rows(shops=300)
    naive = learn(rows, labels=labels, learning=learning, features=FEATURES).columns(rows)

    honest = out_of_fold(rows, labels=labels, learning=learning, features=FEATURES)

    assert np.corrcoef(naive.column("shop_late").to_numpy(), labels)[0, 1] > 0.5
    assert abs(np.corrcoef(honest.column("shop_late").to_numpy(), labels)[0, 1]) < 0.2
    flipped = labels.copy()
    flipped[7] = 1 - flipped[7]
    again = out_of_fold(rows, labels=flipped, learning=learning, features=FEATURES)
    assert again.slice(7, 1).equals(honest.slice(7, 1))


@pytest.mark.parametrize(
    ("joined", "says"),
    [
        ("SELECT id, label AS shop_late, 1 AS size_third FROM examples", "'joined.sql' failed: .*label"),
        ("SELECT id, 1 AS size_third FROM examples", "Feature 'shop_late' is declared"),
        ("SELECT id, late AS shop_late, 1 AS size_third FROM examples, shop_shares", "one row per example"),
    ],
)
def test_sql_that_reads_the_label_or_loses_rows_is_refused(tmp_path: Path, joined: str, says: str) -> None:
    rows, labels = make_rows()
    learning = make_learning(tmp_path, joined=joined, shop_shares=ENCODING)

    with pytest.raises(FeatureError, match=says):
        learn(rows, labels=labels, learning=learning, features=FEATURES).columns(rows)


def test_a_statistic_of_a_type_that_json_cannot_keep_is_refused(tmp_path: Path) -> None:
    rows, labels = make_rows()
    learning = make_learning(tmp_path, shop_shares="SELECT [1, 2] AS several")

    with pytest.raises(FeatureError, match=r"'shop_shares.sql' yields 'several' as list"):
        learn(rows, labels=labels, learning=learning, features=FEATURES)
