"""What moves a model's answers is found, with its direction."""

from __future__ import annotations

import numpy as np

from mlops_assets.features.matrix import Matrix
from mlops_assets.training.attribution import attributions
from mlops_assets.training.booster import load, train

WEATHER = ("clear", "rain", "snow")


def test_features_are_ranked_by_how_much_they_move_answers_and_which_way() -> None:
    generator = np.random.default_rng(0)
    up, down, nothing = generator.normal(size=(3, 3000))
    code = generator.integers(0, 3, 3000)
    chance = 1 / (1 + np.exp(-(2.0 * up - 1.0 * down + np.array([-1.0, 0.0, 1.0])[code])))
    labels = (generator.random(3000) < chance).astype(np.float64)
    values = np.column_stack([nothing, down, up, code]).astype(np.float32)
    values[:100, 2] = np.nan
    matrix = Matrix(values=values, names=("nothing", "down", "up", "weather"), types=("q", "q", "q", "c"))
    trained = train(
        matrix,
        labels,
        validation=(matrix, labels),
        hyperparameters={"max_depth": 3},
        rounds=40,
        early_stopping_rounds=5,
        seed=0,
        threads=1,
    )
    booster = load(trained.booster)

    found = attributions(booster, matrix, categories={"weather": WEATHER})

    by_name = {each.name: each for each in found}
    assert [found[0].name, found[-1].name] == ["up", "nothing"]
    assert by_name["up"].direction == "higher raises"
    assert by_name["down"].direction == "higher lowers"
    assert by_name["weather"].raising[0] == "snow"
    assert by_name["weather"].lowering[0] == "clear"
    assert by_name["weather"].direction.startswith("raised by snow")


def test_a_constant_has_no_direction() -> None:
    values = np.column_stack([np.ones(200), np.linspace(0, 1, 200)]).astype(np.float32)
    matrix = Matrix(values=values, names=("same", "varies"), types=("q", "q"))
    labels = (values[:, 1] > 0.5).astype(np.float64)
    trained = train(
        matrix,
        labels,
        validation=(matrix, labels),
        hyperparameters={},
        rounds=3,
        early_stopping_rounds=2,
        seed=0,
        threads=1,
    )

    found = attributions(load(trained.booster), matrix, categories={})

    assert [each.name for each in found] == ["varies", "same"]
    assert found[1].direction == "no single direction"
