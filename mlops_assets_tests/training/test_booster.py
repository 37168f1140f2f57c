"""Training is the same every time, and a row's score is its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlops_assets.contract.errors import TrainingError
from mlops_assets.features.matrix import Matrix
from mlops_assets.training.booster import TrainedModel, load, names_of, score, train

NAMES, TYPES = ("carrier", "distance", "delay"), ("c", "q", "q")


def make_matrix(rows: int, *, seed: int) -> tuple[Matrix, np.ndarray]:
    """A category that matters, a number that matters, one that does not, with missing values in each."""
    generator = np.random.default_rng(seed)
    carrier = generator.integers(0, 12, rows).astype(np.float32)
    numbers = generator.normal(size=(rows, 2)).astype(np.float32)
    chance = 1 / (1 + np.exp(-(np.sin(carrier) + numbers[:, 0])))
    values = np.column_stack([carrier, numbers])
    values[generator.random(values.shape) < 0.05] = np.nan
    return Matrix(values=values, names=NAMES, types=TYPES), (generator.random(rows) < chance).astype(np.float64)


def make_model(**overrides: object) -> TrainedModel:
    matrix, labels = make_matrix(3000, seed=1)
    arguments: dict[str, object] = {
        "validation": make_matrix(800, seed=2),
        "hyperparameters": {"max_depth": 4, "eta": 0.3, "subsample": 0.8, "colsample_bytree": 0.7},
        "rounds": 40,
        "early_stopping_rounds": 5,
        "seed": 7,
        "threads": 2,
    }
    return train(matrix, labels, **{**arguments, **overrides})  # type: ignore[arg-type]


def test_the_same_inputs_give_the_same_bytes() -> None:
    assert make_model().booster == make_model().booster


def test_another_seed_gives_another_model() -> None:
    assert make_model().booster != make_model(seed=8).booster


def test_training_stops_early_and_keeps_only_the_rounds_up_to_the_best() -> None:
    model = make_model(rounds=400)
    curve = model.learning_curve["validation"]

    assert len(curve) < 400
    assert curve[model.best_round] == min(curve)
    assert load(model.booster).num_boosted_rounds() == model.best_round + 1


def test_a_rows_score_is_the_same_alone_and_in_any_batch_to_the_bit() -> None:
    booster = load(make_model().booster)
    matrix, _ = make_matrix(400, seed=3)
    together = score(booster, matrix)

    for size in (1, 7, 64, 399):
        apart = [
            score(booster, Matrix(values=matrix.values[low : low + size], names=NAMES, types=TYPES))
            for low in range(0, 400, size)
        ]
        assert np.array_equal(np.concatenate(apart), together)


def test_threads_do_not_change_a_score() -> None:
    model, (matrix, _) = make_model(), make_matrix(2000, seed=3)

    assert np.array_equal(score(load(model.booster, threads=1), matrix), score(load(model.booster, threads=2), matrix))


def test_categories_are_learnt_as_categories() -> None:
    matrix, labels = make_matrix(2000, seed=4)
    booster = load(make_model().booster)

    assert booster.feature_types == list(TYPES)
    assert roc_auc_score(labels, score(booster, matrix)) > 0.75


def test_scores_of_no_rows_are_no_scores() -> None:
    empty = Matrix(values=np.zeros((0, 3), dtype=np.float32), names=NAMES, types=TYPES)

    assert score(load(make_model().booster), empty).shape == (0,)


def test_a_matrix_with_other_columns_is_refused() -> None:
    matrix, _ = make_matrix(10, seed=3)
    swapped = Matrix(values=matrix.values, names=("distance", "carrier", "delay"), types=TYPES)

    with pytest.raises(TrainingError, match="other columns than the model was trained on"):
        score(load(make_model().booster), swapped)


def test_what_fixes_determinism_cannot_be_set_as_a_hyperparameter() -> None:
    with pytest.raises(TrainingError, match="set by the platform itself: nthread, tree_method"):
        make_model(hyperparameters={"nthread": 8, "tree_method": "exact"})


def test_a_bad_hyperparameter_is_said_in_one_line() -> None:
    with pytest.raises(TrainingError, match=r"XGBoost refused to train: .*max_depth") as caught:
        make_model(hyperparameters={"max_depth": -3})
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(TrainingError, match="are no XGBoost model"):
        load(b"junk")


def test_features_keep_their_names_whatever_characters_xgboost_knows() -> None:
    matrix, labels = make_matrix(200, seed=1)
    named = replace(matrix, names=("Temp [°C]", *(f"{name} <x>" for name in matrix.names[1:])))
    recipe = {"hyperparameters": {"max_depth": 2}, "rounds": 3, "early_stopping_rounds": 3, "seed": 1, "threads": 1}
    trained = train(named, labels, validation=(named, labels), **recipe)  # type: ignore[arg-type]

    assert names_of(load(trained.booster)) == named.names
    assert len(score(load(trained.booster), named)) == 200
