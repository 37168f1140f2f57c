"""Rows in both parts are counted, with what they say of the label, and warned of from one in a hundred on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mlops_assets.contract.tasks import BINARY, Regression
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.repeated_rows import Repeated, audit_repeated, repeated_rows

FIGURE = {"roc_auc_score": Estimate(value=0.9, lower=0.8, upper=0.95, method="any")}


def test_rows_equal_in_all_features_are_counted_with_equal_and_with_other_labels() -> None:
    view = pa.table(
        {
            "id": [str(i) for i in range(8)],
            "depot": ["AMS", "AMS", None, "BER", "AMS", "AMS", None, "BER"],
            "weight": [1.5, 1.5, None, 2.0, 1.5, 1.6, None, 2.0],
            "label": [0, 1, 1, 0, 1, 1, 1, 1],
        }
    )

    found, twins = repeated_rows(
        view,
        learnt=np.arange(4),
        tested=np.arange(4, 8),
        features=["depot", "weight"],
        scores=np.full(4, 0.5),
        task=BINARY,
    )

    assert twins.tolist() == [True, False, True, True]
    assert (found.rows, found.in_training, found.alike, found.contradicted) == (4, 3, 2, 2)
    assert found.told() == (
        "3 of 4 test rows (75.0%) have the same features as rows that were learnt from: 2 of them with the same label, "
        "2 with another"
    )


def coinciding(*, copied: bool) -> Repeated:
    """Rows of twelve kinds, half of them tested; labels of a row's other half are its own, or drawn anew."""
    draw = np.random.default_rng(7)
    kinds = draw.integers(0, 12, 4000)
    shares = kinds / 12
    first, again = ((draw.random(4000) < shares).astype(float) for _ in range(2))
    features = np.arange(4000) if copied else kinds
    view = pa.table({"x": np.tile(features, 2), "label": np.concatenate([first, first if copied else again])})
    rows = {"learnt": np.arange(4000), "tested": np.arange(4000, 8000)}
    return repeated_rows(view, **rows, features=["x"], scores=shares, task=BINARY)[0]


def test_copies_are_told_from_rows_that_coincide_by_nature_by_how_often_labels_agree() -> None:
    by_nature, copies = coinciding(copied=False), coinciding(copied=True)

    assert (by_nature.share, copies.share) == (1, 1)
    assert audit_repeated(by_nature, model=FIGURE, shown="roc_auc_score").passed
    assert not audit_repeated(copies, model=FIGURE, shown="roc_auc_score").passed
    assert copies.agreement == 1


def test_numbers_are_copies_if_most_are_the_same() -> None:
    view = pa.table({"x": [1, 2, 1, 2], "label": [0.5, 0.7, 0.5, 0.9]})
    rows = {"learnt": np.arange(2), "tested": np.arange(2, 4)}
    found, _ = repeated_rows(view, **rows, features=["x"], scores=np.zeros(2), task=Regression())
    assert (found.agreement, found.copies) == (0.5, False)


def test_many_warn_with_the_figure_of_the_others_and_few_do_not() -> None:
    many = Repeated(rows=1000, in_training=10, alike=10, contradicted=0, copies=True, others=FIGURE)
    few = Repeated(rows=1000, in_training=9, alike=9, contradicted=0, copies=True)

    warned, passed = (audit_repeated(each, model=FIGURE, shown="roc_auc_score") for each in (many, few))

    assert not warned.passed
    assert not warned.blocks
    assert "On the other test rows roc_auc_score is 0.9000" in warned.reasons[1]
    assert passed.passed
    assert passed.figures["in_training"] == 9
