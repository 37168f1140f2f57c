"""Flights on a few weeks, learnt in a moment: everything real but the size."""

from __future__ import annotations

from dataclasses import replace

from mlops_assets.contract.gates import MetricBound
from mlops_assets.contract.splits import TimeSplit
from mlops_assets.use_cases.flights import USE_CASE

SERVED = USE_CASE.seed.served
SMALL = replace(
    USE_CASE,
    split=TimeSplit(test_days=10, validation_days=3, gap_days=1),
    clusters=None,  # ten days are too few to be units of a calibration error
    recipe=replace(USE_CASE.recipe, rounds=12, early_stopping_rounds=4),
    gates=(MetricBound(metric="roc_auc_score", at_least=0.5, judge="point"),),
    seed=replace(USE_CASE.seed, first="2013-06-08"),
)
