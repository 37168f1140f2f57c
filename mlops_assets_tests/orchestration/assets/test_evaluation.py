"""Which rows, columns, gates and files an evaluation may rest on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.gates import MetricBound
from mlops_assets.contract.paths import evaluation_path
from mlops_assets.contract.slices import OVERALL
from mlops_assets.contract.splits import TimeSplit
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.single_features import HARDLY_TELLS
from mlops_assets.orchestration.runs import RunFailed, RunSummary
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.registry import Evaluation, load_evaluation, version_ids
from mlops_assets_tests.lake.factories import make_write, passing
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS

WITHOUT_SNOW = replace(PARCELS, features=tuple(each for each in PARCELS.features if each.name != "roads__snow"))
TIGHT = replace(PARCELS, gates=(MetricBound(metric="roc_auc_score", at_least=0.9999, judge="point"), PARCELS.gates[1]))


def newest(deployment: Deployment, *, but: str = "") -> str:
    """The one version that is not ``but``."""
    (found,) = set(version_ids(deployment.lake.at(), use_case="parcels")) - {but}
    return found


def judged(deployment: Deployment, version: str) -> Evaluation:
    """What is on record of a version."""
    found = load_evaluation(deployment.lake.at(), use_case="parcels", version=version)
    assert found is not None
    return found


def judge_again(deployment: Deployment, version: str, *, use_case: UseCase = PARCELS) -> RunSummary:
    """Materialises the evaluation of that version."""
    chosen = {"parcels__evaluation": {"config": {"version": version}}}
    return replace(deployment, use_case=use_case).run("train", assets=["evaluation"], ops=chosen)


def serving(deployment: Deployment) -> str:
    """The champion's version."""
    found = champion(deployment.lake.at(), use_case="parcels")
    assert found is not None
    return found.version


def test_a_challenger_with_one_feature_more_is_compared_with_its_champion(ingested: Deployment) -> None:
    ingested.train(WITHOUT_SNOW)
    first = serving(ingested)

    ingested.train()

    assert serving(ingested) == newest(ingested, but=first)
    found = judged(ingested, serving(ingested)).comparison
    assert found is not None
    assert found.opponent == first
    assert all(each.gain is not None for each in found.differences if each.segment == OVERALL)


def test_a_champion_that_needs_a_column_that_is_gone_is_not_compared_and_the_gate_says_why(trained: Deployment) -> None:
    first = serving(trained)

    with pytest.raises(RunFailed, match=f"champion {first} needs column 'roads__snow'.*bring it back"):
        trained.train(replace(WITHOUT_SNOW, recipe=replace(PARCELS.recipe, seed=1)))

    new = newest(trained, but=first)
    assert serving(trained) == first
    bound, compared = judged(trained, new).record.decision.verdicts
    assert bound.passed
    assert not compared.passed


def test_a_version_is_not_judged_on_rows_it_has_learnt_from(trained: Deployment) -> None:
    first = serving(trained)
    trained.land(10, 15)
    trained.ingest()
    trained.run("train", assets=["training_view", "model"])
    new = newest(trained, but=first)
    earlier = {"parcels__training_view": {"config": {"through": "2024-03-12"}}}
    trained.run("train", assets=["training_view"], ops=earlier)

    with pytest.raises((RunFailed, RegistryError), match=f"{new} has learnt from days up to 2024-03-12.*2024-03-09"):
        judge_again(trained, new)

    assert load_evaluation(trained.lake.at(), use_case="parcels", version=new) is None


def test_a_champion_that_has_learnt_from_the_test_rows_is_no_measure(trained: Deployment) -> None:
    first = serving(trained)
    wide = replace(PARCELS, split=TimeSplit(test_days=6, validation_days=1), recipe=replace(PARCELS.recipe, seed=1))

    with pytest.raises(RunFailed, match=f"champion {first} has learnt from days up to 2024-03-06"):
        trained.train(wide)

    assert serving(trained) == first


@pytest.mark.parametrize("more", [(), (MetricBound(metric="brier_loss", at_most=0.5),)], ids=["other", "one more"])
def test_gates_declared_since_decide_again_by_the_figures_on_record(
    trained: Deployment, more: tuple[MetricBound, ...]
) -> None:
    first, declared = serving(trained), replace(TIGHT, gates=(*TIGHT.gates, *more))
    report = judged(trained, first).report

    with pytest.raises(RunFailed, match=r"at least 0\.9999"):
        judge_again(trained, first, use_case=declared)

    again = judged(trained, first)
    assert again.report == report
    assert [each.name for each in again.record.decision.verdicts] == [gate.name for gate in declared.gates]
    assert not again.record.decision.passed
    judge_again(trained, first)
    assert judged(trained, first).record.decision.passed


def test_a_damaged_evaluation_is_made_again(trained: Deployment) -> None:
    first = serving(trained)
    before = judged(trained, first)
    path = evaluation_path("parcels", version=first, name="report.json")
    trained.lake.publish(make_write(asset="evaluation"), files={path: b"{}"}, audit=passing)

    judge_again(trained, first)

    assert judged(trained, first).report == before.report
    assert judged(trained, first).comparison == before.comparison


def test_a_bound_that_the_champion_breaks_as_well_does_not_keep_it(trained: Deployment) -> None:
    """The toy's best model has an area of 0.9: what is asked of it here nobody reaches."""
    first = serving(trained)
    trained.land(10, 12)
    trained.ingest()

    told = trained.train(TIGHT)

    second = newest(trained, but=first)
    bound, compared = judged(trained, second).record.decision.verdicts
    assert serving(trained) == second
    assert (bound.passed, bound.blocks, compared.passed) == (False, False, True)
    assert f"The champion {first} breaks this bound on the same rows by" in bound.reasons[-1]
    warned = [check.check_name for check in told.checks if not check.passed]
    assert warned == [HARDLY_TELLS, "roc_auc_score_within_bounds"]
    with pytest.raises(RunFailed, match=r"at least 0\.9999"):  # of the champion before it nothing is kept
        judge_again(trained, first, use_case=TIGHT)
