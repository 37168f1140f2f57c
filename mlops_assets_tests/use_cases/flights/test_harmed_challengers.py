"""A challenger that learnt from spoilt flights is refused, by the gate on carriers where only one carrier was spoilt.

Small: eleven weeks without history, and a recipe that trains in a moment. The whole is ``benchmarks/challengers.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest

from mlops_assets.judge.judgement import Candidate, Judgement, judge
from mlops_assets.judge.significance import Verdict
from mlops_assets.training.fit import fit
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets_tests.use_cases.flights.harms import flip_carrier, shuffle_features
from mlops_assets_tests.use_cases.flights.seed_tables import seed_tables
from mlops_assets_tests.use_cases.flights.seed_view import seed_view

FIRST, LAST = date(2013, 4, 15), date(2013, 6, 30)
OVERALL, BY_CARRIER = "log_loss_not_worse_than_champion", "log_loss_regressed_on_no_carrier"
SMALL_TREES = {"eta": 0.15, "max_depth": 6, "min_child_weight": 20, "max_cat_to_onehot": 20}
PAST = {name for view in USE_CASE.history for name, _, _ in view.columns()}
SMALL = replace(
    USE_CASE,
    history=(),
    features=tuple(feature for feature in USE_CASE.features if feature.name not in PAST),
    recipe=replace(USE_CASE.recipe, hyperparameters=SMALL_TREES, rounds=80),
    tuning=None,
    slices=tuple(declared for declared in USE_CASE.slices if declared.name == "carrier"),
    gates=tuple(gate for gate in USE_CASE.gates if gate.name in (OVERALL, BY_CARRIER)),
)


@pytest.fixture(scope="module")
def view() -> pa.Table:
    with seed_tables(first=FIRST, last=LAST) as connection:
        return seed_view(connection, use_case=SMALL)


@pytest.fixture(scope="module")
def champion(view: pa.Table) -> Candidate:
    return Candidate.of(fit(view, use_case=SMALL), version="honest")


@pytest.fixture(scope="module")
def judged(view: pa.Table, champion: Candidate) -> Callable[[pa.Table], Judgement]:
    """What is said of a challenger that learnt from spoilt rows, on rows that are not."""

    def judged(spoilt: pa.Table) -> Judgement:
        challenger = Candidate.of(fit(spoilt, use_case=SMALL), version="harmed")
        return judge(view, use_case=SMALL, challenger=challenger, champion=champion)

    return judged


def failed(judgement: Judgement) -> dict[str, str]:
    return {each.name: " ".join(each.reasons) for each in judgement.decision.verdicts if not each.passed}


def test_the_same_rows_without_harm_pass(view: pa.Table, judged: Callable[[pa.Table], Judgement]) -> None:
    assert judged(view).decision.passed


def test_one_shuffled_feature_is_refused(view: pa.Table, judged: Callable[[pa.Table], Judgement]) -> None:
    spoilt = judged(shuffle_features(view, named="clock_sin"))

    assert OVERALL in failed(spoilt)
    assert "log_loss" in failed(spoilt)[OVERALL]
    difference = spoilt.comparison.of("log_loss")
    assert difference is not None
    assert difference.verdict() is Verdict.WORSE


def test_one_carrier_turned_round_is_refused_for_that_carrier_where_the_overall_figure_hides_it(
    view: pa.Table, judged: Callable[[pa.Table], Judgement]
) -> None:
    refused = failed(judged(flip_carrier(view, carrier="9E")))

    assert set(refused) == {BY_CARRIER}
    assert "log_loss[carrier=9E] against honest: gain -" in refused[BY_CARRIER]
    assert refused[BY_CARRIER].count("carrier=") == 1
