"""From the training view to the champion: what stops a leak, a bad model, and a second training of the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.contract.serving import ServiceBudget
from mlops_assets.judge.single_features import HARDLY_TELLS
from mlops_assets.orchestration.runs import RunFailed
from mlops_assets.stores.models.champion import champion, events
from mlops_assets.stores.models.registry import load_evaluation, version_ids
from mlops_assets_tests.orchestration.deployment import TRAINED, Deployment
from mlops_assets_tests.orchestration.toy import PARCELS, STRICT, day_number
from mlops_assets_tests.use_cases.installed import install_parcels, on_path

LEAKING = """-- Leaks: the weight column carries the depot's share of late parcels over all days, later ones included.
SELECT * REPLACE (avg(label) OVER (PARTITION BY depot, hour(event_time)) AS weight) FROM ({examples})
"""


def test_training_makes_evaluates_and_promotes_a_version(ingested: Deployment) -> None:
    run = ingested.train()

    head = ingested.lake.at()
    version = run.metadata["model"]["version"]
    serving = champion(head, use_case="parcels")
    assert version.startswith(f"{day_number(9)}-")
    assert serving is not None
    assert serving.version == version
    assert {check.check_name for check in run.checks if check.asset_key.path[-1] == "evaluation"} == {
        "has_every_figure",
        "figures_are_believable",
        "test_rows_were_not_learnt_from",
        "roc_auc_score_within_bounds",
        "log_loss_not_worse_than_champion",
    }
    assert [check.check_name for check in run.checks if not check.passed] == [HARDLY_TELLS]


def test_training_the_same_again_publishes_nothing(trained: Deployment) -> None:
    head = trained.lake.head()

    run = trained.train()

    assert trained.lake.head() == head
    assert run.metadata["model"]["trained_before"]


def test_a_feature_that_knows_the_future_blocks_the_training_view(ingested: Deployment, tmp_path: Path) -> None:
    leaking = tmp_path / "examples.sql"
    leaking.write_text(LEAKING.format(examples=PARCELS.examples_sql.read_text()))
    head = ingested.lake.head()

    with pytest.raises(RunFailed, match=r"nothing_known_later_is_used.*depend on later data: weight"):
        ingested.train(replace(PARCELS, examples_sql=leaking))

    assert ingested.lake.head() == head


def test_a_model_that_fails_a_gate_is_recorded_and_not_promoted(trained: Deployment) -> None:
    before = champion(trained.lake.at(), use_case="parcels")
    trained.land(10)
    trained.ingest()

    with pytest.raises(RunFailed, match=r"evaluation failed .* roc_auc_score_within_bounds: .*at least 0.9999"):
        trained.train(STRICT)

    head = trained.lake.at()
    assert champion(head, use_case="parcels") == before
    challenger = max(version_ids(head, use_case="parcels"))
    judged = load_evaluation(head, use_case="parcels", version=challenger)
    assert judged is not None
    assert not judged.record.decision.passed
    assert judged.record.champion == (before.version if before else None)


def test_a_failed_gate_is_a_failed_check_and_stops_what_comes_after(ingested: Deployment) -> None:
    strict = replace(ingested, use_case=STRICT)

    result = strict.execute("train")

    assert not result.success
    failed = [check.check_name for check in result.get_asset_check_evaluations() if not check.passed]
    assert failed == [HARDLY_TELLS, "roc_auc_score_within_bounds"]
    made = {event.materialization.asset_key.path[-1] for event in result.get_asset_materialization_events()}
    assert {"training_view", "model", "evaluation"} <= made
    assert not made & {"champion", "bento"}


@pytest.mark.slow
def test_a_bento_that_fails_its_rehearsal_stops_the_promotion(ingested: Deployment, tmp_path: Path) -> None:
    narrow = replace(ingested, use_case=replace(PARCELS, budget=ServiceBudget(megabytes=1)))

    with (
        on_path(install_parcels(tmp_path / "installed")),
        pytest.raises(RunFailed, match=r"fits_its_memory: The service's memory in MB is .*, at most 1 is allowed"),
    ):
        narrow.run("train", assets=[*TRAINED, "bento"])

    assert champion(ingested.lake.at(), use_case="parcels") is None
    assert len(ingested.paths("bentos/")) == 1


def test_a_version_refused_by_its_gates_cannot_be_promoted_by_materialising_the_champion(ingested: Deployment) -> None:
    with pytest.raises(RunFailed):
        ingested.train(STRICT)

    with pytest.raises(RunFailed, match="may not be promoted"):
        replace(ingested, use_case=STRICT).run("train", assets=["champion"])

    assert champion(ingested.lake.at(), use_case="parcels") is None


def test_more_data_makes_a_challenger_that_is_compared_with_the_champion(trained: Deployment) -> None:
    first = champion(trained.lake.at(), use_case="parcels")
    trained.land(10, 11)
    trained.ingest()

    run = trained.train()

    assert run.metadata["evaluation"]["compared_with"] == (first.version if first else None)
    assert [event.version for event in events(trained.lake.at(), use_case="parcels")] == [
        first.version if first else None,
        run.metadata["model"]["version"],
    ]


def test_a_training_view_can_stop_at_a_day(ingested: Deployment) -> None:
    run = ingested.run(
        "train", assets=["training_view"], ops={"parcels__training_view": {"config": {"through": day_number(7)}}}
    )

    assert (run.metadata["training_view"]["last"], run.metadata["training_view"]["rows"]) == (day_number(7), 8 * 60)


def test_training_without_data_says_what_to_do_first(empty: Deployment) -> None:
    with pytest.raises(RunFailed, match=r"No validated batch of parcels/parcels in the lake.*materialise"):
        empty.run("train", assets=TRAINED)
