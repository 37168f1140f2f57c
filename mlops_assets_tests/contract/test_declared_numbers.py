"""A number with which a check could never fire, or never hold, cannot be declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.contract.drift import DriftPlan
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.gates import (
    BetterThanChampion,
    FairnessBound,
    MetricBound,
    NoSliceRegressed,
    NotWorseThanChampion,
    SliceBound,
    TrainTestGap,
)
from mlops_assets.contract.history import HistoryView
from mlops_assets.contract.learning import Learning
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.references import Reference
from mlops_assets.contract.search_space import Between, Tuning
from mlops_assets.contract.slices import Quantiles
from mlops_assets.contract.splits import HashSplit, RollingOrigin, TimeSplit
from mlops_assets.contract.tasks import Regression
from mlops_assets.contract.thresholds import CostMatrix, PositiveShare, TargetPrecision, TargetRecall
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets_tests.features.readings import make_source

HERE = Path(__file__)
SPACE = {"eta": Between(low=0.1, high=1)}
DECLARED: dict[str, Callable[[Any], object]] = {
    "MetricBound.at_least": lambda v: MetricBound(metric="log_loss", at_least=v, at_most=1),
    "MetricBound.at_most": lambda v: MetricBound(metric="log_loss", at_most=v),
    "SliceBound.at_most": lambda v: SliceBound(slice="carrier", metric="log_loss", at_most=v, min_rows=1),
    "SliceBound.min_rows": lambda v: SliceBound(slice="carrier", metric="log_loss", at_most=1, min_rows=v),
    "TrainTestGap.at_most": lambda v: TrainTestGap(metric="log_loss", at_most=v),
    "FairnessBound.largest_gap": lambda v: FairnessBound(slice="sex", rate="selection_rate", largest_gap=v),
    "FairnessBound.smallest_ratio": lambda v: FairnessBound(slice="sex", rate="selection_rate", smallest_ratio=v),
    "NotWorseThanChampion.margin": lambda v: NotWorseThanChampion(metric="log_loss", margin=v),
    "BetterThanChampion.by": lambda v: BetterThanChampion(metric="log_loss", by=v),
    "NoSliceRegressed.margin": lambda v: NoSliceRegressed(slice="carrier", metric="log_loss", margin=v),
    "Source.max_quarantined_share": lambda v: make_source(max_quarantined_share=v),
    "Reference.max_share": lambda v: Reference(columns=("tailnum",), source="planes", max_share=v),
    "DriftPlan.window": lambda v: DriftPlan(window=v),
    "DriftPlan.minimum_batches": lambda v: DriftPlan(minimum_batches=v),
    "DriftPlan.minimum_past": lambda v: DriftPlan(minimum_past=v),
    "DriftPlan.minimum_rows": lambda v: DriftPlan(minimum_rows=v),
    "DriftPlan.false_alarm_rate": lambda v: DriftPlan(false_alarm_rate=v),
    "DriftPlan.bounds": lambda v: DriftPlan(bounds={("temp", "wasserstein"): v}),
    "DriftPlan.refused": lambda v: DriftPlan(refused={"wasserstein": v}),
    "MonitoringPlan.minimum_rows": lambda v: MonitoringPlan(minimum_rows=v),
    "MonitoringPlan.minimum_weeks": lambda v: MonitoringPlan(minimum_weeks=v),
    "MonitoringPlan.weeks": lambda v: MonitoringPlan(weeks=v),
    "MonitoringPlan.false_alarms_a_month": lambda v: MonitoringPlan(false_alarms_a_month=v),
    "PositiveShare.share": lambda v: PositiveShare(share=v),
    "CostMatrix.false_negative": lambda v: CostMatrix(false_positive=1, false_negative=v),
    "TargetPrecision.precision": lambda v: TargetPrecision(precision=v),
    "TargetRecall.recall": lambda v: TargetRecall(recall=v),
    "Regression.quantile": lambda v: Regression(quantile=v),
    "TimeSplit.gap_days": lambda v: TimeSplit(test_days=1, validation_days=1, gap_days=v),
    "HashSplit.test_share": lambda v: HashSplit(key="id", test_share=v, validation_share=0.1),
    "RollingOrigin.step_days": lambda v: RollingOrigin(windows=2, step_days=v),
    "Between.low": lambda v: Between(low=v, high=1),
    "Tuning.seconds": lambda v: Tuning(space=SPACE, seconds=v),
    "Tuning.trials": lambda v: Tuning(space=SPACE, trials=v),
    "Learning.folds": lambda v: Learning(tables=(), sql=HERE, features=(), folds=v),
    "Quantiles.bins": lambda v: Quantiles(name="age", column="age", bins=v),
    "HistoryView.windows": lambda v: HistoryView(name="past", keys=("id",), sql=HERE, windows=(7, v), features=()),
    "Recipe.hyperparameters": lambda v: replace(USE_CASE.recipe, hyperparameters={"eta": v}),
    "Recipe.rounds": lambda v: replace(USE_CASE.recipe, rounds=v),
    "UseCase.suspicious_roc_auc": lambda v: replace(USE_CASE, suspicious_roc_auc=v),
    "UseCase.implausible_above": lambda v: replace(USE_CASE, implausible_above=v),
}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("field", DECLARED)
def test_what_is_not_finite_is_refused_by_the_name_of_its_field(field: str, value: float) -> None:
    with pytest.raises(DeclarationError, match=rf"^{field.split('.')[1]}.* of {field.split('.')[0]}.* is {value};"):
        DECLARED[field](value)


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ({"window": 7}, "minimum_past of DriftPlan is 14, and a window of 7 has at most 7: nothing would be judged"),
        ({"reference": "same weekday", "minimum_batches": 9}, "minimum_batches of DriftPlan is 9, .* at most 8"),
        ({"bounds": {("carrier", "jensen_shannon"): 1.5}}, "is 1.5: jensen_shannon is never above 1"),
        ({"refused": {"missing_share": 2.0}}, "is 2.0: missing_share is never above 1"),
        ({"false_alarm_rate": 0.0}, "between 0 and 1 is needed"),
    ],
)
def test_a_plan_that_would_judge_nothing_is_refused(plan: dict[str, Any], reason: str) -> None:
    with pytest.raises(DeclarationError, match=reason):
        DriftPlan(**plan)


def test_plans_that_judge_are_taken() -> None:
    DriftPlan(reference="previous")
    DriftPlan(window=7, minimum_past=7, bounds={("carrier", "jensen_shannon"): 0.3, ("temp", "wasserstein"): 3.0})
