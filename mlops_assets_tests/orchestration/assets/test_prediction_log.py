"""Collecting the log judges what was served, and collects it whatever the verdict."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from mlops_assets.orchestration.resources import DataResource
from mlops_assets.orchestration.runs import RunSummary
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.predictions.parity import NAME
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS, ParcelRequest, day_number, requests
from mlops_assets_tests.stores.predictions.answered import make_group, make_record

SERVED = day_number(10)


def answer(deployment: Deployment, *, history_commit: str | None) -> None:
    """Logs one answer with features that nobody computed."""
    serving = champion(deployment.lake.at(), use_case="parcels")
    assert serving is not None
    row = ParcelRequest(**requests(SERVED)[0])
    record = make_record(
        prediction_id="p1",
        example_id=str(row.id),
        answered_at=datetime(2024, 3, 11, tzinfo=UTC),
        event_time=row.sent_at,
        model_version=serving.version,
        score=0.8,
        predicted_positive=True,
        history_as_of=SERVED,
        history_commit=history_commit,
        inputs=row.model_dump(mode="json"),
        features={"weight": 99.0},
    )
    log = DataResource().prediction_log(PARCELS)
    log.append([make_group([record])], timeout=5)
    log.close()


def collect(deployment: Deployment) -> tuple[RunSummary, dg.AssetCheckEvaluation]:
    run = deployment.run("watch", SERVED, assets=["prediction_log"])
    (verdict,) = [check for check in run.checks if check.check_name == NAME]
    return run, verdict


def test_an_answer_that_differs_from_the_offline_path_is_an_error_and_is_collected(trained: Deployment) -> None:
    answer(trained, history_commit=trained.lake.head())

    run, verdict = collect(trained)

    assert not verdict.passed
    assert verdict.severity is dg.AssetCheckSeverity.ERROR
    weight = requests(SERVED)[0]["weight"]
    assert f"weight of prediction p1 was 99.0, offline it is {weight}." in (verdict.description or "")
    assert run.metadata["prediction_log"]["dagster/row_count"] == 1
    assert len(trained.paths("prediction_log/")) == 1


def test_an_answer_that_names_no_history_is_a_warning(trained: Deployment) -> None:
    answer(trained, history_commit=None)

    _, verdict = collect(trained)

    assert not verdict.passed
    assert verdict.severity is dg.AssetCheckSeverity.WARN
