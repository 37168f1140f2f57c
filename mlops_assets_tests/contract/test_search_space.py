"""A tuning that cannot be searched is refused where it is declared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.search_space import Between, OneOf, Tuning, WholeBetween
from mlops_assets_tests.serving.toys.quiet import USE_CASE

DEPTH = WholeBetween(low=2, high=6)


@pytest.mark.parametrize("bounds", [{"low": 1, "high": 1}, {"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}])
def test_bounds_without_values_are_refused(bounds: dict[str, float]) -> None:
    with pytest.raises(DeclarationError, match="low must be below high"):
        Between(**bounds)  # type: ignore[arg-type]


def test_a_tuning_needs_a_space_a_budget_and_a_fold() -> None:
    with pytest.raises(DeclarationError, match="at least one hyperparameter"):
        Tuning(space={})
    with pytest.raises(DeclarationError, match="needs a budget"):
        Tuning(space={"max_depth": DEPTH}, trials=None)
    with pytest.raises(DeclarationError, match="folds of Tuning is 0; 1 or more"):
        Tuning(space={"max_depth": DEPTH}, folds=0)


@pytest.mark.parametrize(
    ("space", "found"),
    [
        ({"max_depth": DEPTH}, "declares 9"),
        ({"gamma": Between(low=0, high=1)}, "declares nothing"),
        ({"grow_policy": OneOf(values=("depthwise",))}, "declares lossguide"),
    ],
)
def test_the_declared_recipe_must_lie_in_the_space(space: dict[str, WholeBetween], found: str) -> None:
    recipe = replace(USE_CASE.recipe, hyperparameters={"max_depth": 9, "grow_policy": "lossguide"})

    with pytest.raises(DeclarationError, match=found):
        replace(USE_CASE, recipe=recipe, tuning=Tuning(space=space))
