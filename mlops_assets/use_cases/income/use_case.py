"""The declaration of income. Examples and request follow from the source; what is said here is what is chosen."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets import (
    Between,
    FairnessBound,
    Feature,
    HashSplit,
    MetricBound,
    MonitoringPlan,
    NoSliceRegressed,
    NotWorseThanChampion,
    Quantiles,
    Recipe,
    Retrain,
    Rule,
    SeedData,
    Severity,
    Slice,
    SliceBound,
    TrainTestGap,
    Tuning,
    UseCase,
    WholeBetween,
)
from mlops_assets.use_cases.income.seed import land_seed, seed_requests
from mlops_assets.use_cases.income.sources import PEOPLE


def _born_abroad(rows: pa.Table) -> NDArray[np.bool_]:
    """Born outside of the United States; people whose country is not known are not counted to them."""
    return np.asarray(pc.fill_null(pc.not_equal(rows.column("native_country"), "United-States"), False), dtype=np.bool_)


USE_CASE = UseCase(
    name="income",
    title="Does this person earn more than 50,000 a year?",
    description=(
        "People of the 1994 census, scored from what they answered about work, education and household, each counting "
        "for as many people as the census says. Sex and race are not looked at, and watched."
    ),
    owner="team:census-office",
    sources=(PEOPLE,),
    label="income",
    positive=">50K",
    positive_word="over 50,000",
    # sex and race are slices, not features: a model that sees them may treat people differently by them
    features=(
        "age",
        "workclass",
        "education",
        "education_num",
        "marital_status",
        Feature(name="lives_with_spouse", kind="numeric", description="Married and living with the spouse."),
        "occupation",
        "capital_gain",
        "capital_loss",
        Feature(name="capital_net", kind="numeric", description="Capital gain minus capital loss, dollars a year."),
        "hours_per_week",
        "native_country",
    ),
    features_sql=Path(__file__).parent / "sql" / "features.sql",
    split=HashSplit(key="id", test_share=0.3, validation_share=0.15),
    weight="population",
    calibrated=True,
    recipe=Recipe(
        hyperparameters={"eta": 0.1, "max_depth": 5, "min_child_weight": 5, "subsample": 0.8, "colsample_bytree": 0.5},
        rounds=300,
        early_stopping_rounds=20,
    ),
    tuning=Tuning(
        space={
            "eta": Between(low=0.02, high=0.3, log=True),
            "max_depth": WholeBetween(low=3, high=10),
            "min_child_weight": Between(low=1, high=50, log=True),
            "subsample": Between(low=0.5, high=1),
            "colsample_bytree": Between(low=0.2, high=1),
        }
    ),
    slices=(
        Slice(name="sex", columns=("sex",)),
        Slice(name="race", columns=("race",)),
        Slice(name="sex_race", columns=("sex", "race")),
        Slice(name="education", columns=("education",)),
        Quantiles(name="age", column="age"),
        Rule(name="born_abroad", columns=("native_country",), holds=_born_abroad),
    ),
    protected=("sex", "race"),
    gates=(
        MetricBound(metric="roc_auc_score", at_least=0.88),
        MetricBound(metric="brier_loss", at_most=0.12),
        MetricBound(metric="calibration_in_the_large", at_least=-0.02, at_most=0.02),
        # a fifth too extreme or a quarter too timid: of half the people a model had 1.19 at the upper end
        MetricBound(metric="calibration_slope", at_least=0.8, at_most=1.25),
        SliceBound(slice="sex", metric="roc_auc_score", min_rows=1000, at_least=0.85),
        SliceBound(slice="race", metric="roc_auc_score", min_rows=300, at_least=0.80, few_rows="skip"),
        FairnessBound(slice="sex", rate="true_positive_rate", largest_gap=0.25),
        FairnessBound(slice="sex", rate="false_positive_rate", largest_gap=0.12),
        FairnessBound(slice="sex", rate="score_bias", largest_gap=0.05),
        # the four-fifths rule: what people earned in 1994 breaks it, and a model that is right repeats it
        FairnessBound(slice="sex", rate="selection_rate", smallest_ratio=0.8, severity=Severity.WARN),
        # few people of the smaller groups: most of this is how little is known
        FairnessBound(
            slice="race",
            rate="true_positive_rate",
            largest_gap=0.5,
            few_rows="skip",
            required=("race=White", "race=Black"),
        ),
        TrainTestGap(metric="roc_auc_score", at_most=0.05),
        NotWorseThanChampion(metric="log_loss", margin=0.005),
        NoSliceRegressed(slice="sex_race", metric="log_loss", margin=0.01, few_rows="skip"),
    ),
    monitoring=MonitoringPlan(slices=("sex", "race"), minimum_rows=30),
    # people are not asked daily: only what has landed since can make a better model, and what decides about people is
    # decided by one
    retrain=Retrain(
        every=timedelta(days=90), when_worse=True, cooldown=timedelta(days=30), at_most=1, promotion="approval"
    ),
    seed=SeedData(land=land_seed, requests=seed_requests, first="data-1", last="data-4", served="test-01"),
)
