"""`mlops models`, `promote`, `rollback` and `trace`: the versions, which one serves, where an answer came from."""

from __future__ import annotations

import getpass
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from mlops_assets.cli.deployment import dagster_instance
from mlops_assets.cli.exit_codes import ExitCode
from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.paths import evaluation_path, model_path
from mlops_assets.orchestration.runs import RunFailed
from mlops_assets.reports.model_card import card_file
from mlops_assets.steps.tell_people import tell_of_challenger
from mlops_assets.stores.alerts.book import standing_alerts
from mlops_assets.stores.models.champion import champion, rollback
from mlops_assets.stores.models.proposal import Proposal, keep_proposal
from mlops_assets.stores.models.registry import load_evaluation
from mlops_assets.use_cases import registry
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.lake.factories import make_write, passing
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.test_serving import answer
from mlops_assets_tests.orchestration.toy import PARCELS, STRICT


def serving(deployment: Deployment) -> str:
    """The champion's version."""
    found = champion(deployment.lake.at(), use_case="parcels")
    assert found is not None
    return found.version


def listed(mlops: Mlops) -> dict[str, str]:
    """Status by version, as programs are told it."""
    told = json.loads(mlops("models", "parcels", "--json").output)
    return {each["record"]["version"]: each["status"] for each in told["versions"]}


def test_versions_are_listed_with_status_figures_and_every_move_of_the_pointer(
    run_mlops: Mlops, challenged: Deployment
) -> None:
    said = run_mlops("models", "parcels").output

    younger = serving(challenged)
    (older,) = set(listed(run_mlops)) - {younger}
    assert said.index(younger) != said.index(older)
    assert "roc auc" in said
    assert said.count(" promoted by ") == 2
    assert listed(run_mlops)[younger] == "champion"


def test_a_damaged_evaluation_is_named_and_hides_nothing_else(run_mlops: Mlops, challenged: Deployment) -> None:
    younger = serving(challenged)
    (older,) = set(listed(run_mlops)) - {younger}
    path = evaluation_path("parcels", version=older, name="predictions.parquet")
    challenged.lake.publish(make_write(asset="evaluation"), files={path: b"PAR1"}, audit=passing)

    said = " ".join(run_mlops("models", "parcels").output.split())
    told = json.loads(run_mlops("models", "parcels", "--json").output)

    assert f"'{path}' is damaged" in said
    assert younger in said
    damaged = {each["record"]["version"]: each["damaged"] for each in told["versions"]}
    assert damaged[younger] is None
    assert path in damaged[older]


def test_a_damaged_record_is_named_and_hides_nothing_else(run_mlops: Mlops, challenged: Deployment) -> None:
    younger = serving(challenged)
    (older,) = set(listed(run_mlops)) - {younger}
    path = model_path("parcels", version=older, name="record.json")
    challenged.lake.publish(make_write(asset="model"), files={path: b"{ not json"}, audit=passing)

    said = " ".join(run_mlops("models", "parcels").output.split())
    told = json.loads(run_mlops("models", "parcels", "--json").output)

    assert younger in said
    assert f"{older}: " in said
    assert path in told["unreadable"][older]
    assert "1 that cannot be read" in " ".join(run_mlops("status", "parcels").output.split())


def wait_for_approval(deployment: Deployment) -> str:
    """Goes back to the older version, and lets a retraining propose the younger one; its id."""
    younger, lake = serving(deployment), deployment.lake
    told = {"use_case": PARCELS, "by": "ada", "at": datetime.now(UTC)}
    older = rollback(lake, why="any", **told).version  # type: ignore[arg-type]
    keep_proposal(
        lake,
        Proposal(
            use_case="parcels",
            version=younger,
            champion=older,
            reason="It was due.",
            stage="waits for approval",
            at=datetime.now(UTC),
            why="it passed every gate",
        ),
    )
    return younger


@pytest.mark.slow  # with its file: what is promoted is packaged first
def test_a_challenger_that_waits_is_listed_and_approved_with_who_and_why(
    run_mlops: Mlops, challenged: Deployment
) -> None:
    version = wait_for_approval(challenged)
    tell_of_challenger(challenged.lake, use_case="parcels", folder=challenged.data, now=datetime.now(UTC))
    assert [alert.finding.cause for alert in standing_alerts(challenged.data)] == ["trial/waits_for_approval"]
    said = run_mlops("models", "parcels").output
    assert f"Challenger {version} (waits for approval since" in said
    assert "`mlops approve parcels --why TEXT` makes it the champion." in said

    said = run_mlops("approve", "parcels", "--why", "I read its card").output

    pointer = champion(challenged.lake.at(), use_case="parcels")
    assert pointer is not None
    assert (pointer.version, pointer.by, pointer.why) == (version, getpass.getuser(), "I read its card")
    assert pointer.retraining == "It was due."
    assert f"{version} is the champion of parcels, approved by {getpass.getuser()}: I read its card" in said
    assert standing_alerts(challenged.data) == []
    assert "Challenger" not in run_mlops("models", "parcels").output
    with pytest.raises(
        RegistryError, match=f"No version of parcels waits for approval. The last challenger: {version}"
    ):
        run_mlops("approve", "parcels", "--why", "again")


@pytest.mark.slow
def test_a_version_that_is_too_good_to_be_true_is_held_by_a_run_and_approved_with_the_reason(
    run_mlops: Mlops, ingested: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspicious = replace(PARCELS, implausible_above=0.6)
    monkeypatch.setattr(registry, "find", lambda name: suspicious)

    done = run_mlops("run", "parcels")

    assert done.exit_code == ExitCode.HELD
    assert "WARN evaluation figures_are_believable: Too good to be true: ROC AUC is" in done.output
    (version,) = json.loads(run_mlops("models", "parcels", "--json").output)["held"]
    assert f'`mlops approve parcels {version} --because "…"`' in done.output
    assert champion(ingested.lake.at(), use_case="parcels") is None
    with pytest.raises(RegistryError, match="needs its reason: --because TEXT"):
        run_mlops("approve", "parcels", version, "--because", " ")

    said = run_mlops("approve", "parcels", "--because", "weight decides by contract").output

    assert f"{version} is the champion of parcels, approved by {getpass.getuser()}: weight decides" in said
    assert serving(ingested) == version
    assert json.loads(run_mlops("models", "parcels", "--json").output)["held"] == {}


def test_what_does_not_wait_or_was_judged_against_another_champion_is_not_approved(
    run_mlops: Mlops, challenged: Deployment
) -> None:
    younger = serving(challenged)
    with pytest.raises(RegistryError, match="No version of parcels waits for approval"):
        run_mlops("approve", "parcels", "--why", "any")
    (older,) = set(listed(run_mlops)) - {younger}
    moved = Proposal(
        use_case="parcels",
        version=older,
        champion="another",
        reason="It was due.",
        stage="waits for approval",
        at=datetime.now(UTC),
        why="it passed every gate",
    )
    keep_proposal(challenged.lake, moved)

    with pytest.raises(RegistryError, match=f"judged against no champion, but {younger} serves now.*Materialise"):
        run_mlops("approve", "parcels", "--why", "any")
    with pytest.raises(RegistryError, match=f"{younger} of parcels does not wait for approval. {older} does"):
        run_mlops("approve", "parcels", younger, "--why", "any")
    assert serving(challenged) == younger


def test_the_table_of_versions_fits_a_narrow_terminal(
    run_mlops: Mlops, trained: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_assets.cli.models.console", Console(width=80))
    evaluation = load_evaluation(trained.lake.at(), use_case="parcels", version=serving(trained))
    assert evaluation is not None

    said = run_mlops("models", "parcels").output

    for metric in ("roc_auc_score", "brier_loss"):
        found = evaluation.report.overall.metrics[metric]
        assert f"{found.lower:.3f}–{found.upper:.3f}" in said


def test_a_lake_without_versions_says_how_to_get_one(run_mlops: Mlops, ingested: Deployment) -> None:
    assert ingested.lake.head()
    said = " ".join(run_mlops("models", "parcels").output.split())

    assert "parcels has no version yet. Materialise parcels/training_view and parcels/model" in said


def test_programs_are_told_the_whole_record_and_decision(run_mlops: Mlops, trained: Deployment) -> None:
    told = json.loads(run_mlops("models", "parcels", "--json").output)

    (version,) = told["versions"]
    assert version["decision"]["decision"]["passed"]
    assert version["metrics"].pop("expected_calibration_error")["lower"] is None  # a point
    for found in version["metrics"].values():
        assert found["shortfall"] or found["lower"] <= found["value"] <= found["upper"]
    assert {"roc_auc_score", "log_loss", "brier_loss"} <= set(version["metrics"])
    assert {"data_commit", "git_commit", "hyperparameters", "seed"} <= set(version["record"])
    assert [move["version"] for move in told["events"]] == [version["record"]["version"]]


def test_the_champion_is_rolled_back_and_promoted_again_with_reasons_on_record(
    run_mlops: Mlops, challenged: Deployment
) -> None:
    younger = serving(challenged)

    said = run_mlops("rollback", "parcels", "--reason", "complaints [carrier=OO]").output
    older = serving(challenged)
    run_mlops("promote", younger, "--reason", "it was the weather")

    assert older != younger
    assert f"{older} is the champion of parcels again" in said
    assert serving(challenged) == younger
    moves = run_mlops("models", "parcels").output
    assert "[carrier=OO]" in moves
    assert "it was the weather" in moves


def test_rolling_back_without_a_former_champion_says_so(run_mlops: Mlops, trained: Deployment) -> None:
    before = serving(trained)

    with pytest.raises(RegistryError, match="parcels"):
        run_mlops("rollback", "parcels")

    assert serving(trained) == before


def test_promoting_the_champion_changes_nothing_and_says_so(run_mlops: Mlops, trained: Deployment) -> None:
    head = trained.lake.head()

    said = run_mlops("promote", serving(trained)).output

    assert "is the champion of parcels already: nothing changed" in said
    assert trained.lake.head() == head


def test_an_override_is_a_warning_in_the_ui_for_as_long_as_the_version_serves(
    run_mlops: Mlops, ingested: Deployment
) -> None:
    strict = replace(ingested, use_case=STRICT)
    with pytest.raises(RunFailed):
        strict.train()
    (version,) = listed(run_mlops)
    run_mlops("promote", version, "--override", "--reason", "the storm is over")

    (check,) = strict.run("train", assets=["champion"]).checks

    assert serving(ingested) == version
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "at least 0.9999" in str(check.description)
    assert "Reason given: the storm is over" in str(check.description)
    assert "gates refused" in run_mlops("models", "parcels").output


def test_after_a_rollback_the_ui_names_who_overruled_the_gates_and_why(
    run_mlops: Mlops, challenged: Deployment
) -> None:
    younger = serving(challenged)
    run_mlops("rollback", "parcels")
    older = serving(challenged)
    run_mlops("promote", younger)
    run_mlops("promote", older, "--override", "--reason", "regulator asked")
    run_mlops("promote", younger)
    run_mlops("rollback", "parcels", "--reason", "the younger is slow")

    with dagster_instance() as instance:
        (told,) = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey(["parcels", "champion"]), "gates_allow_promotion"), limit=1
        )
        move = instance.get_latest_materialization_event(dg.AssetKey(["parcels", "champion"]))
    assert serving(challenged) == older
    assert told.event is not None
    verdict = told.event.dagster_event.asset_check_evaluation_data
    assert "Reason given: regulator asked" in str(verdict.description)
    assert move.asset_materialization.metadata["why"].value == "the younger is slow"


def test_an_unknown_version_is_not_promoted(run_mlops: Mlops, trained: Deployment) -> None:
    with pytest.raises(RegistryError, match=r"2024-01-01-00000000.*`mlops models` lists them"):
        run_mlops("promote", "2024-01-01-00000000")


@pytest.mark.parametrize("given", [(), ("--reason", ""), ("--reason", "   ")])
def test_overruling_the_gates_needs_a_reason(run_mlops: Mlops, trained: Deployment, given: tuple[str, ...]) -> None:
    with pytest.raises(RegistryError, match="An override needs its reason"):
        run_mlops("promote", serving(trained), "--override", *given)


def test_a_model_card_is_written_where_it_is_asked_for(run_mlops: Mlops, trained: Deployment, tmp_path: Path) -> None:
    page = tmp_path / "deep" / "card.html"

    said = run_mlops("card", serving(trained), "--out", str(page)).output

    assert said.startswith(str(page))
    assert f"<code>mlops reproduce {serving(trained)}</code>" in page.read_text(encoding="utf-8")


def test_a_model_card_is_written_into_a_folder(run_mlops: Mlops, trained: Deployment, tmp_path: Path) -> None:
    run_mlops("card", serving(trained), "--out", str(tmp_path))

    assert (tmp_path / card_file(serving(trained))).is_file()


def test_a_move_by_hand_is_on_both_cards_and_in_the_ui(run_mlops: Mlops, challenged: Deployment) -> None:
    younger = serving(challenged)
    run_mlops("rollback", "parcels")
    older = serving(challenged)

    run_mlops("promote", younger, "--override", "--reason", "the storm is over")

    def card(version: str) -> str:
        return (challenged.data / "reports" / "parcels" / card_file(version)).read_text(encoding="utf-8")

    assert 'class="status champion"' in card(younger)
    assert 'class="status retired"' in card(older)
    with dagster_instance() as instance:
        told = instance.get_latest_materialization_event(dg.AssetKey(["parcels", "champion"]))
    assert told is not None
    assert told.asset_materialization is not None
    assert told.asset_materialization.metadata["version"].value == younger
    assert told.asset_materialization.metadata["why"].value == "the storm is over"


def test_an_answer_is_traced_to_version_data_and_code(run_mlops: Mlops, trained: Deployment) -> None:
    answer(trained, stop=3)
    prediction = "2024-03-11-1"

    said = run_mlops("trace", prediction).output
    told = json.loads(run_mlops("trace", prediction, "--json").output)

    assert f"prediction {prediction}" in said
    assert f"model version {serving(trained)}" in said
    assert f"lakeFS commit {told['record']['data_commit'][:16]}" in said
    assert {each["path"].split("/")[2] for each in told["landed"]} == {"parcels", "roads", "depots"}
    assert told["prediction"]["prediction_id"] == prediction


def test_an_unknown_prediction_says_where_ids_come_from(run_mlops: Mlops, trained: Deployment) -> None:
    with pytest.raises(RegistryError, match=r"No prediction 'nobody' in the logs of .*parcels.*service's answers"):
        run_mlops("trace", "nobody")
