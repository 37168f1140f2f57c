"""A use case that asks for a number goes through the same assets up to its champion."""

from __future__ import annotations

from dataclasses import replace

from mlops_assets.ml.evaluation.gates import MetricBound, NotWorseThanChampion
from mlops_assets.ml.tasks import Regression
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.registry import load_evaluation
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS

NUMBERS = replace(
    PARCELS,
    task=Regression(),
    gates=(
        MetricBound(metric="r2_score", at_least=0.3, judge="point"),
        NotWorseThanChampion(metric="root_mean_squared_error", margin=0.2),
    ),
)


def test_a_number_is_learnt_judged_and_promoted(ingested: Deployment) -> None:
    ingested.train(NUMBERS)

    head = ingested.lake.at()
    serving = champion(head, use_case="parcels")
    assert serving is not None
    evaluation = load_evaluation(head, use_case="parcels", version=serving.version)
    assert evaluation is not None
    assert evaluation.record.decision.passed
    assert evaluation.report.threshold is None
    assert set(evaluation.report.overall.metrics) >= {"root_mean_squared_error", "r2_score", "pinball_loss"}
