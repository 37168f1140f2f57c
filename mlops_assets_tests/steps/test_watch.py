"""How right a day's answers were, once outcomes are known, beside what one would say without a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from mlops_assets.watch.monitoring import MonitoringReport, losses_of_constant

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.models.registry import load_evaluation, load_record
from mlops_assets.training.baselines import CONSTANT
from mlops_assets_tests.steps.played import DAYS, SERVED, Loop


def report(loop: Loop) -> MonitoringReport:
    """What is published of the served day."""
    return MonitoringReport.from_json(loop.lake.at().read(f"parcels/monitoring/{SERVED}.json"))


def prior(loop: Loop) -> float:
    """The share of positives that the serving version learnt from."""
    learnt = load_record(loop.lake.at(), use_case="parcels", version=report(loop).model_version).split["train"]
    return learnt.positives / learnt.rows


def test_before_outcomes_land_nothing_is_realised(served: Loop) -> None:
    served.watch(SERVED)

    assert report(served).rows == 60
    assert report(served).realised == {}


def test_the_prior_is_told_on_the_rows_that_are_known(served: Loop) -> None:
    served.take([SERVED])
    served.watch(SERVED)

    realised: Any = report(served).realised
    labels = read_parquet(served.lake.at().local(f"parcels/validated/parcels/{SERVED}.parquet"))["minutes_late"]
    late = (labels.to_numpy() > 15).astype(float)
    assert realised["overall"]["rows"] == len(late) == 60
    assert realised["overall"]["positives"] == late.sum()
    assert realised["prior"] == pytest.approx(losses_of_constant(late, score=prior(served)))
    assert realised["overall"]["metrics"]["log_loss"]["value"] < realised["prior"]["log_loss"]


def test_the_prior_is_the_baseline_that_the_version_was_evaluated_beside(served: Loop) -> None:
    served.watch(SERVED)

    head = served.lake.at()
    version = report(served).model_version
    evaluation = load_evaluation(head, use_case="parcels", version=version)
    assert evaluation is not None
    held_out = read_parquet(head.local(f"parcels/evaluations/{version}/predictions.parquet"))
    losses = losses_of_constant(held_out["label"].to_numpy(), score=prior(served))
    beside = evaluation.report.baselines[CONSTANT].metrics
    assert {name: beside[name].value for name in losses} == pytest.approx(losses)


def test_a_report_without_a_prior_is_read(served: Loop) -> None:
    served.take([SERVED])
    served.watch(SERVED)
    told = report(served)
    old = replace(told, realised={name: each for name, each in told.realised.items() if name != "prior"})

    assert MonitoringReport.from_json(old.to_json()) == old


def test_a_day_on_which_nothing_was_served_says_what_to_do(served: Loop) -> None:
    with pytest.raises(LakeError, match=f"Nothing served for {DAYS[0]} was collected yet: serve, then materialise"):
        served.watch(DAYS[0])
