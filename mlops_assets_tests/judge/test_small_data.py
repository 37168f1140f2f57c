"""The small data sets that everybody tries first are judged by the gate that every use case starts with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from sklearn import datasets

from mlops_assets.contract.features import Feature
from mlops_assets.contract.gates import NotWorseThanChampion
from mlops_assets.contract.splits import HashSplit
from mlops_assets.contract.tasks import BINARY, Multiclass, Regression, Task
from mlops_assets.contract.thresholds import PositiveShare
from mlops_assets.contract.use_case import Recipe
from mlops_assets.judge.judgement import Judgement, judge
from mlops_assets.judge.single_features import audit_single_features
from mlops_assets.training.fit import labels_of
from mlops_assets_tests.judge.test_judgement import candidate
from mlops_assets_tests.serving.toys.quiet import USE_CASE as QUIET

DATA: dict[str, tuple[Any, Task, str]] = {
    "breast cancer": (datasets.load_breast_cancer, BINARY, "log_loss"),
    "wine": (datasets.load_wine, Multiclass(classes=("first", "second", "third")), "log_loss"),
    "digits": (datasets.load_digits, Multiclass(classes=tuple("0123456789")), "log_loss"),
    "diabetes": (datasets.load_diabetes, Regression(), "r2_score"),
}


def judged(name: str) -> tuple[Judgement, bool]:
    """What the gate says, and whether single features let it come so far."""
    load, task, metric = DATA[name]
    found = load()
    features = tuple(
        Feature(name=f"x{place}", kind="numeric", description="", owner="") for place in range(found.data.shape[1])
    )
    ids, columns = (
        [f"{place}" for place in range(len(found.target))],
        dict(zip([f.name for f in features], found.data.T, strict=True)),
    )
    view = pa.table({"id": ids, "label": found.target, **columns})
    use_case = replace(
        QUIET,
        task=task,
        features=features,
        slices=(),
        threshold=PositiveShare(),
        split=HashSplit(key="id", test_share=0.25, validation_share=0.15),
        recipe=Recipe(hyperparameters={"max_depth": 3}, rounds=60, early_stopping_rounds=10, threads=1),
        gates=(NotWorseThanChampion(metric=metric, margin=0.05, first="constant"),),
    )
    alone, _ = audit_single_features(view, labels=labels_of(view), features=features, task=task, limit=0.95)
    judgement = judge(view, use_case=use_case, challenger=candidate(view, use_case=use_case), champion=None)
    return judgement, alone.passed


@pytest.mark.parametrize("name", list(DATA))
def test_it_is_better_than_the_constant_prior_and_not_held(name: str) -> None:
    judgement, believable_features = judged(name)
    assert believable_features
    assert judgement.decision.reasons == ()
    assert judgement.report.implausible is None
