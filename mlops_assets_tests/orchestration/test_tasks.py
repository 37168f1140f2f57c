"""Use cases that ask for a class or a number go the same way: learnt, judged, promoted, served, watched, shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets.contract.gates import MetricBound, NotWorseThanChampion
from mlops_assets.contract.tasks import Multiclass, Regression
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.rare_classes import CLASSES_SUFFICE
from mlops_assets.orchestration.jobs import WATCH, assets_of
from mlops_assets.orchestration.resources import DataResource
from mlops_assets.orchestration.runs import RunFailed
from mlops_assets.reports.model_card import card_page
from mlops_assets.serving.predictor import Predictor
from mlops_assets.serving.wire import Answer
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.model_card import read_card
from mlops_assets.stores.models.registry import load_evaluation, load_version
from mlops_assets.stores.predictions import parity
from mlops_assets.training.scoring import Scorer
from mlops_assets.use_cases import registry
from mlops_assets.watch.served.report import WatchReport
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.test_serving import verdicts
from mlops_assets_tests.orchestration.toy import DEPOTS, PARCELS, SQL, ParcelRequest, day_number, requests

SERVED = day_number(10)
LABELS = {
    "classes": "CASE WHEN minutes_late > 15 THEN 2 WHEN hour(sent_at) < 12 THEN 1 ELSE 0 END",
    "numbers": "CAST(minutes_late AS DOUBLE) + weight",
}
CLASSES = replace(
    PARCELS,
    task=Multiclass(classes=("evening", "morning", "late")),
    gates=(
        MetricBound(metric="recall_score[late]", at_least=0.5, judge="point"),
        NotWorseThanChampion(metric="log_loss", margin=0.2),
    ),
)
NUMBERS = replace(
    PARCELS,
    task=Regression(),
    gates=(
        MetricBound(metric="r2_score", at_least=0.3, judge="point"),
        NotWorseThanChampion(metric="root_mean_squared_error", margin=0.2),
    ),
)
RARE_GATES = (
    MetricBound(metric="accuracy_score", at_least=0.5, judge="point"),
    NotWorseThanChampion(metric="log_loss", margin=0.2),
)
ON_LOST = MetricBound(metric="recall_score[lost]", at_least=0.1)


def labelled(use_case: UseCase, *, label: str, folder: Path) -> UseCase:
    """``use_case`` with another label than whether a parcel is late."""
    old = "CAST(minutes_late > 15 AS INTEGER) AS label"
    text = (SQL / "examples.sql").read_text(encoding="utf-8")
    assert old in text
    sql = folder / "examples.sql"
    sql.write_text(text.replace(old, f"{label} AS label"), encoding="utf-8")
    return replace(use_case, examples_sql=sql)


@pytest.fixture
def classes(ingested: Deployment, tmp_path: Path) -> Deployment:
    """A champion that answers with one of three classes."""
    return trained(ingested, labelled(CLASSES, label=LABELS["classes"], folder=tmp_path))


@pytest.fixture
def numbers(ingested: Deployment, tmp_path: Path) -> Deployment:
    """A champion that answers with a number."""
    return trained(ingested, labelled(NUMBERS, label=LABELS["numbers"], folder=tmp_path))


def trained(deployment: Deployment, use_case: UseCase) -> Deployment:
    found = replace(deployment, use_case=use_case)
    found.train()
    return found


def serving(deployment: Deployment) -> str:
    pointer = champion(deployment.lake.at(), use_case="parcels")
    assert pointer is not None
    return pointer.version


def ask(deployment: Deployment) -> dict[object, Answer]:
    """The answers about a day's parcels by their id, as the service gives and remembers them."""
    model = load_version(deployment.lake.at(), use_case="parcels", version=serving(deployment))
    with DataResource().online_store(deployment.use_case) as online:
        predictor = Predictor(
            use_case=deployment.use_case,
            scorer=Scorer.open(model.files),
            record=model.record.model_dump(mode="json"),
            online=online,
            log=DataResource().prediction_log(deployment.use_case),
            clock=lambda: datetime(2024, 3, 11, tzinfo=UTC),
        )
        rows = [ParcelRequest(**row) for row in requests(SERVED)]
        answers = predictor.predict(rows)
        predictor.close()
    return {row.id: answer for row, answer in zip(rows, answers, strict=True)}


def scored(deployment: Deployment) -> dict[object, tuple[str | None, float]]:
    """Class and score of every parcel of that day as batch scoring has them, by id."""
    rows = deployment.table(f"predictions/{SERVED}.parquet").to_pylist()
    return {row["id"]: (row.get("predicted"), row["score"]) for row in rows}


def take_in_served_day(deployment: Deployment) -> None:
    deployment.land(10)
    deployment.ingest()


def watch(deployment: Deployment) -> tuple[WatchReport, dict[str, str]]:
    """The report of the served day, and what each check says; nothing if it passed."""
    said = verdicts(deployment.run("watch", SERVED))
    return WatchReport.from_json(deployment.lake.at().read(f"parcels/monitoring/{SERVED}.json")), said


def test_a_class_is_learnt_served_scored_and_watched(classes: Deployment) -> None:
    answers = ask(classes)
    take_in_served_day(classes)
    classes.run("score", SERVED)
    watched, said = watch(classes)

    assert {answer["predicted"] for answer in answers.values()} == {"evening", "morning", "late"}
    assert all(answer["predicted_positive"] is None and 1 / 3 < answer["score"] <= 1 for answer in answers.values())
    assert scored(classes) == {name: (answer["predicted"], answer["score"]) for name, answer in answers.items()}
    assert said[parity.NAME] == ""
    assert (watched.answered, watched.labelled) == (60, 60)
    assert {cell.metric for cell in watched.cells} >= {"class:evening", "class:morning", "class:late", "residual"}
    assert {each.metric for each in watched.estimated} >= {"accuracy_score"}


def test_a_number_is_learnt_served_scored_and_watched(numbers: Deployment) -> None:
    answers = ask(numbers)
    take_in_served_day(numbers)
    numbers.run("score", SERVED)
    watched, said = watch(numbers)

    assert max(answer["score"] for answer in answers.values()) > 30
    assert {answer["predicted_positive"] for answer in answers.values()} == {None}
    assert scored(numbers) == {name: (answer["predicted"], answer["score"]) for name, answer in answers.items()}
    assert said[parity.NAME] == ""
    assert (watched.answered, watched.labelled) == (60, 60)
    assert {each.metric for each in watched.realised} >= {"root_mean_squared_error", "r2_score"}
    assert {each.metric for each in watched.estimated} >= {"root_mean_squared_error"}


def test_a_number_is_judged_by_figures_of_numbers(numbers: Deployment) -> None:
    evaluation = load_evaluation(numbers.lake.at(), use_case="parcels", version=serving(numbers))

    assert evaluation is not None
    assert evaluation.record.decision.passed
    assert evaluation.report.threshold is None
    assert set(evaluation.report.overall.metrics) >= {"root_mean_squared_error", "r2_score", "pinball_loss"}


def test_a_class_of_two_rows_lacks_its_figures_and_refuses_nothing_but_gates_on_them(
    ingested: Deployment, tmp_path: Path
) -> None:
    """Two parcels have a class of their own: the version is judged, says what it lacks, and is promoted."""
    lost = f"number = 1 AND depot = '{DEPOTS[0]}' AND batch IN ('{day_number(2)}', '{day_number(9)}')"
    rare = f"CASE WHEN {lost} THEN 3 WHEN minutes_late > 15 THEN 2 WHEN hour(sent_at) < 12 THEN 1 ELSE 0 END"
    with_lost = replace(CLASSES, task=Multiclass(classes=("evening", "morning", "late", "lost")), gates=RARE_GATES)

    found = trained(ingested, labelled(with_lost, label=rare, folder=tmp_path))

    evaluation = load_evaluation(found.lake.at(), use_case="parcels", version=serving(found))
    assert evaluation is not None
    metrics = evaluation.report.overall.metrics
    assert "needs 50" in (metrics["recall_score[lost]"].shortfall or "")
    assert "needs 50" in (metrics["macro_recall_score"].shortfall or "")
    assert metrics["recall_score[late]"].value is not None
    (told,) = [
        check for check in found.run("train", assets=["evaluation"]).checks if check.check_name == CLASSES_SUFFICE
    ]
    assert not told.passed
    assert "Class 'lost' has 1 train rows, 0 validation rows, 1 test rows" in str(told.description)
    asked = replace(found, use_case=replace(found.use_case, gates=(*RARE_GATES, ON_LOST)))
    with pytest.raises(
        RunFailed, match=r"recall_score_lost_within_bounds: recall_score\[lost\]: 1 positives, needs 50$"
    ):
        asked.run("train", assets=["evaluation"])


@pytest.mark.parametrize(
    ("task", "told"), [("classes", "the most probable of evening, morning, late"), ("numbers", "answers with a number")]
)
def test_the_card_tells_of_the_task_and_nothing_of_two_outcomes(
    task: str, told: str, request: pytest.FixtureRequest
) -> None:
    deployment: Deployment = request.getfixturevalue(task)

    page = card_page(read_card(deployment.lake, use_case=deployment.use_case, version=serving(deployment)))

    assert told in page
    assert deployment.use_case.task.headline[0].split("_")[0] in page
    assert "weight" in page.split("What moves its answers")[1]
    assert "positive prediction" not in page
    assert "nan" not in page


@pytest.mark.parametrize(("task", "metric"), [("classes", "log_loss"), ("numbers", "root_mean_squared_error")])
def test_versions_are_listed_and_compared_by_figures_of_the_task(
    task: str, metric: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment: Deployment = request.getfixturevalue(task)
    monkeypatch.setattr(registry, "names", lambda: ("parcels",))
    monkeypatch.setattr(registry, "find", lambda name: deployment.use_case)
    monkeypatch.setattr("mlops_assets.cli.comparison.console", Console(width=160))
    version = serving(deployment)

    compared = CliRunner().invoke(app, ["compare", version, version], catch_exceptions=False).output
    listed = CliRunner().invoke(app, ["models", "parcels"], catch_exceptions=False).output

    assert metric in compared
    assert "Slices: 0 differ significantly, 2 do not" in compared
    assert "champion" in listed


@pytest.mark.parametrize("use_case", [CLASSES, NUMBERS])
def test_every_task_is_watched(use_case: UseCase) -> None:
    assert assets_of(use_case, WATCH) == ["prediction_log", "monitoring"]
