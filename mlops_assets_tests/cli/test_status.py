"""`mlops status`: what each stage holds, what stands still and why, and who serves."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from mlops_assets.contract.retraining import Retrain
from mlops_assets.lake.settings import environment_directory
from mlops_assets.orchestration.instance import open_instance
from mlops_assets.orchestration.runs import RunFailed, run_job
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.serving_orders import ServingOrders, WorkerStatus
from mlops_assets.use_cases import registry
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import TRAINED, Deployment
from mlops_assets_tests.orchestration.test_sensor import settle
from mlops_assets_tests.orchestration.toy import PARCELS, STRICT, day_number


def test_the_status_says_what_each_stage_holds_what_waits_and_which_version_serves(
    run_mlops: Mlops, trained: Deployment
) -> None:
    trained.land(10, sources=("parcels",))
    trained.land(11)
    settle(trained)

    said = run_mlops("status", "parcels").output

    assert f"{day_number(0)} – {day_number(11)}" in said
    assert f"Batch {day_number(10)} waits for roads." in said
    assert "1 batches. `mlops run parcels`" in said
    assert "of 1 versions." in said


def test_the_status_of_an_empty_deployment_is_no_error(run_mlops: Mlops, empty: Deployment) -> None:
    said = run_mlops("status", "parcels")

    assert said.exit_code == 0
    assert "Champion: none yet of 0 versions." in said.output


def test_the_status_tells_what_a_killed_run_left_and_which_days_are_missing(
    run_mlops: Mlops, ingested: Deployment
) -> None:
    ingested.land(12)
    ingested.run("ingest", day_number(12), assets=["raw_parcels", "raw_roads"])
    settle(ingested)

    said = run_mlops("status", "parcels").output

    left = f"validated_parcels, validated_roads of what has landed is missing for {day_number(12)}"
    assert f"1 batch is unfinished: {left}." in said
    assert f"Between {day_number(0)} and {day_number(12)} 2 days are missing" in said
    assert "`mlops run parcels` finishes what is unfinished." in said


def switch_off(name: str, *, instance: dg.DagsterInstance) -> None:
    """As the UI's switch does."""
    module = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="mlops_assets.definitions"))
    repository = RemoteRepositoryOrigin(code_location_origin=module, repository_name="__repository__")
    origin = RemoteInstigatorOrigin(repository_origin=repository, instigator_name=name)
    hourly = ScheduleInstigatorData("0 * * * *")
    state = InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.STOPPED, hourly)
    instance.add_instigator_state(state)


def why(run_mlops: Mlops) -> dict[str, list[str]]:
    """What stands still of the toy and why, as programs are told."""
    (found,) = json.loads(run_mlops("status", "parcels", "--json").output)["use_cases"]
    told: dict[str, list[str]] = {}
    for each in found["stands_still"]:
        told.setdefault(each["what"], []).append(each["why"])
    return told


def test_programs_are_told_the_same_as_one_document(run_mlops: Mlops, trained: Deployment) -> None:
    (found,) = json.loads(run_mlops("status", "parcels", "--json").output)["use_cases"]

    assert found["batches"][0] == {
        "of": "parcels",
        "landed": 10,
        "raw": 10,
        "validated": 10,
        "quarantine": 0,
        "first": day_number(0),
        "last": day_number(9),
    }
    assert (found["branch"], found["versions"], found["stands_still"]) == ("main", 1, [])


def test_too_few_days_and_what_waits_stand_still(run_mlops: Mlops, empty: Deployment) -> None:
    empty.land(0, 1)
    empty.ingest()
    empty.drop(b"", source="roads", batch=day_number(2))
    settle(empty)

    told = why(run_mlops)

    assert told["training"] == ["2 days are whole, and the split needs 7 at least."]
    assert told["files"] == [f"Batch {day_number(2)} waits for parcels."]


def test_a_refused_version_and_a_retraining_that_is_held_back_stand_still(
    run_mlops: Mlops, trained: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained.land(10, 11)
    trained.ingest()
    with pytest.raises(RunFailed):
        run_job(STRICT, job="train", instance=trained.instance, assets=TRAINED)
    learning = replace(STRICT, retrain=Retrain(every=timedelta(seconds=1), cooldown=timedelta(seconds=1)))
    monkeypatch.setattr(registry, "find", lambda name: learning)
    refused, held = why(run_mlops)["training"]

    assert "was refused by its gates: roc_auc_score" in refused
    assert held.startswith("Due, but nothing has landed that the newest model has not learnt from.")


def test_a_service_that_answers_by_another_version_stands_still(run_mlops: Mlops, trained: Deployment) -> None:
    now = datetime.now(UTC)
    serving = champion(trained.lake.at(), use_case="parcels")
    assert serving is not None
    orders = ServingOrders(environment_directory(), use_case="parcels")
    worker = WorkerStatus(host="here", pid=7, at=now, since=now, version="older", refused={serving.version: "Too big."})
    orders.say(worker)

    (said,) = why(run_mlops)["service"]

    assert said == f"Process 7 on here answers by older, not the champion {serving.version}: it refused it, Too big."


def test_what_is_switched_off_and_a_training_that_failed_stand_still(run_mlops: Mlops, ingested: Deployment) -> None:
    with open_instance(environment_directory()) as instance:
        switch_off("parcels__watch_hourly", instance=instance)
        with pytest.raises(RunFailed):
            run_job(PARCELS, job="train", instance=instance, assets=["model"])

    told = why(run_mlops)

    assert told["automation"][0].startswith("parcels__watch_hourly is switched off")
    assert "failed: " in told["training"][0]


@pytest.mark.parametrize("width", ["40", "80"])
def test_a_narrow_terminal_loses_nothing(
    run_mlops: Mlops, trained: Deployment, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)

    said = " ".join(run_mlops("status", "parcels").output.split())

    for words in ("parcels", "roads", "depots", "validated", f"{day_number(0)} – {day_number(9)}"):
        assert words in said
