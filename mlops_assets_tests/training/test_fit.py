"""From a training view to a model: weights, clusters and splits as the use case declares them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import TrainingError
from mlops_assets.contract.features import Feature
from mlops_assets.contract.splits import HashSplit
from mlops_assets.contract.thresholds import PositiveShare
from mlops_assets.contract.use_case import Recipe
from mlops_assets.training.booster import load
from mlops_assets.training.fit import clusters_of, fit, split_view, weights_of
from mlops_assets.training.refit import refit
from mlops_assets.training.scoring import Scorer
from mlops_assets_tests.serving.toys.quiet import USE_CASE as QUIET

PEOPLE = replace(
    QUIET,
    features=(Feature(name="age", kind="numeric", description="Age.", owner="toys"),),
    split=HashSplit(key="household", test_share=0.3, validation_share=0.2),
    recipe=Recipe(hyperparameters={"max_depth": 2}, rounds=10, early_stopping_rounds=3, threads=1),
    threshold=PositiveShare(),
    clusters="household",
    weight="population",
)


def make_view(rows: int = 900, **columns: Any) -> pa.Table:
    draw = np.random.default_rng(3)
    age = draw.uniform(20, 80, rows)
    return pa.table(
        {
            "id": [f"p{number}" for number in range(rows)],
            "label": (draw.uniform(size=rows) < age / 100).astype(int),
            "age": age,
            "household": [f"h{number // 3}" for number in range(rows)],
            "population": np.where(age > 50, 4000, 1000),
            **columns,
        }
    )


def test_weights_have_a_mean_of_one_and_their_proportions() -> None:
    weights = weights_of(make_view(), use_case=PEOPLE)

    assert weights is not None
    assert weights.mean() == pytest.approx(1)
    assert weights.max() / weights.min() == pytest.approx(4)


def test_a_weight_that_is_missing_is_refused() -> None:
    view = make_view(population=pa.array([1, None, *[1] * 898], pa.int64()))

    with pytest.raises(TrainingError, match="'population' of row 'p1' is None, as in 1 of 900 rows"):
        weights_of(view, use_case=PEOPLE)


def test_a_weight_below_zero_and_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(TrainingError, match="'population' of row 'p2' is -3"):
        fit(make_view(population=[1, 1, -3, *[1] * 897]), use_case=PEOPLE)
    with pytest.raises(TrainingError, match="Every weight in 'population' is 0"):
        fit(make_view(population=[0] * 900), use_case=PEOPLE)


def test_rows_with_a_weight_of_zero_are_as_if_they_were_not_there() -> None:
    view = make_view()
    nothing = make_view(300, population=[0] * 300, label=[1] * 300, age=[25.0] * 300)
    together = pa.concat_tables([nothing.slice(0, 150), view, nothing.slice(150)])

    split, alone = split_view(together, use_case=PEOPLE), fit(view, use_case=PEOPLE)

    for part, same in zip(split.parts, alone.split.parts, strict=True):
        assert np.array_equal(part.rows - 150, same.rows)
        assert part.positives == same.positives
    fitted = fit(together, use_case=PEOPLE)
    assert (fitted.trained.booster, fitted.threshold) == (alone.trained.booster, alone.threshold)
    refitted = [
        refit(each, use_case=PEOPLE, rounds=5, threshold=0.5, calibration=None).trained.booster
        for each in (view, together)
    ]
    assert refitted[0] == refitted[1]


def test_without_a_declaration_rows_count_the_same_and_are_independent() -> None:
    plain = replace(PEOPLE, weight=None, clusters=None)

    assert weights_of(make_view(), use_case=plain) is None
    assert clusters_of(make_view(), use_case=plain) is None


def test_rows_of_one_entity_are_one_cluster_in_one_part() -> None:
    view = make_view()
    clusters, split = clusters_of(view, use_case=PEOPLE), split_view(view, use_case=PEOPLE)

    assert clusters is not None
    assert len(set(clusters.tolist())) == 300
    assert not set(clusters[split.train.rows]) & set(clusters[split.test.rows])


def test_calibration_is_learnt_where_it_is_asked_for_and_the_threshold_is_one_of_its_scores() -> None:
    view = make_view(3000)

    plain, asked = fit(view, use_case=PEOPLE), fit(view, use_case=replace(PEOPLE, calibrated=True))

    assert plain.calibration is None
    assert asked.calibration is not None
    scorer = Scorer(booster=load(asked.trained.booster), vocabulary=asked.vocabulary, calibration=asked.calibration)
    watched = view.take(asked.split.validation.rows)
    assert asked.threshold in scorer.scores(watched)


def test_weights_move_the_model_and_its_threshold() -> None:
    view = make_view()

    heavy, plain = fit(view, use_case=PEOPLE), fit(view, use_case=replace(PEOPLE, weight=None))

    assert heavy.trained.booster != plain.trained.booster
    means = [
        Scorer(booster=load(each.trained.booster), vocabulary=each.vocabulary).scores(view).mean()
        for each in (heavy, plain)
    ]
    assert means[0] > means[1]


def test_only_proportions_of_weights_matter() -> None:
    view = make_view()
    scaled = view.set_column(4, "population", pa.array(np.asarray(view["population"]) * 7.0))

    assert fit(view, use_case=PEOPLE).trained.booster == fit(scaled, use_case=PEOPLE).trained.booster


def test_columns_beside_the_features_are_what_split_weight_and_clusters_read() -> None:
    assert PEOPLE.columns_beside == ("household", "population")
    assert replace(PEOPLE, clusters="day", weight=None, split=replace(PEOPLE.split, key="id")).columns_beside == ()
