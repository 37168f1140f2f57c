"""Champions that answer with a class or a number, packaged and run by the real `bentoml serve`, asked over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from mlops_assets.contract.paths import model_path
from mlops_assets.contract.tasks import Multiclass
from mlops_assets.contract.use_case import UseCase
from mlops_assets.stores.models.bento_store import build_bento
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.record import RECORD
from mlops_assets.stores.models.registry import load_record
from mlops_assets_tests.orchestration import toy
from mlops_assets_tests.orchestration.conftest import _use_folder, ingested_template
from mlops_assets_tests.orchestration.deployment import Deployment, copy_deployment, let_go
from mlops_assets_tests.orchestration.test_tasks import CLASSES, LABELS, NUMBERS, labelled, trained
from mlops_assets_tests.serving.factories import ROOT
from mlops_assets_tests.serving.servers import Client, served

pytestmark = pytest.mark.slow

__all__ = ["ingested_template"]

SERVED = toy.day_number(10)
PARCEL = toy.requests(SERVED)[0]
TASKS = {"classes": CLASSES, "numbers": NUMBERS}


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service, what it answered about a day's parcels, and how batch scoring scored that day afterwards, by id."""

    client: Client
    use_case: UseCase
    version: str
    data_commit: str
    answers: dict[object, dict[str, Any]]
    offline: dict[object, dict[str, Any]]


def make_checkout(folder: Path, use_case: UseCase) -> Path:
    """A checkout whose one use case is the toy with that task."""
    leave = shutil.ignore_patterns("__pycache__", "flights", "income")
    shutil.copytree(ROOT / "mlops_assets", folder / "mlops_assets", ignore=leave)
    package = folder / "mlops_assets" / "use_cases" / "parcels"
    shutil.copytree(toy.SQL, package / toy.SQL.name)
    declared = f"\nfrom mlops_assets.contract.tasks import Multiclass, Regression\n\nTASK = {use_case.task!r}\n"
    text = Path(toy.__file__).read_text(encoding="utf-8") + declared
    text += "USE_CASE = replace(PARCELS, task=TASK)\n"
    (package / "__init__.py").write_text(text, encoding="utf-8")
    return folder


def package(deployment: Deployment, *, checkout: Path) -> str:
    """The champion's Bento by its tag, as the asset makes it, with the code of ``checkout``."""
    head = deployment.lake.at()
    serving = champion(head, use_case="parcels")
    assert serving is not None
    record = load_record(head, use_case="parcels", version=serving.version)
    names = (*record.files, RECORD)
    files = {name: head.local(model_path("parcels", version=serving.version, name=name)) for name in names}
    made = build_bento(files, use_case="parcels", version=serving.version, data_dir=deployment.data, checkout=checkout)
    shutil.rmtree(checkout)  # the Bento runs by itself
    return made.tag


def scored_offline(deployment: Deployment) -> dict[object, dict[str, Any]]:
    """The served day taken in and scored by the champion, by id."""
    deployment.land(10)
    deployment.ingest()
    deployment.run("score", SERVED)
    return {row["id"]: row for row in deployment.table(f"predictions/{SERVED}.parquet").to_pylist()}


@pytest.fixture(scope="module", params=list(TASKS))
def service(
    request: pytest.FixtureRequest, ingested_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The champion of one task, served."""
    folder = tmp_path_factory.mktemp(request.param)
    data = copy_deployment(ingested_template, to=folder / "data")
    use_case = labelled(TASKS[request.param], label=LABELS[request.param], folder=folder)
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        _use_folder(patch, data)
        deployment = trained(Deployment(data=data, instance=instance), use_case)
        tag = package(deployment, checkout=make_checkout(folder / "checkout", use_case))
        version = tag.partition(":")[2]
        with served(tag, data_dir=data) as running:
            client = Client(running.url)
            status, told = client.post({"rows": toy.requests(SERVED)})
            assert status == 200, told
            ids = [toy.ParcelRequest(**row).id for row in toy.requests(SERVED)]
            yield Service(
                client=client,
                use_case=use_case,
                version=version,
                data_commit=load_record(deployment.lake.at(), use_case="parcels", version=version).data_commit,
                answers=dict(zip(ids, told["predictions"], strict=True)),
                offline=scored_offline(deployment),
            )
        let_go(data)


def test_answers_are_those_of_batch_scoring_to_the_last_bit(service: Service) -> None:
    assert len(service.answers) == 2 * toy.PARCELS_A_DAY
    for name, answer in service.answers.items():
        assert answer["score"] == service.offline[name]["score"]
        assert answer["predicted"] == service.offline[name].get("predicted")
        assert answer["predicted_positive"] is None


def test_a_class_comes_with_the_probability_of_every_class_and_a_number_without(service: Service) -> None:
    for answer in service.answers.values():
        told = answer["probabilities"]
        if not isinstance(service.use_case.task, Multiclass):
            assert told is None
            continue
        assert tuple(told) == service.use_case.task.classes
        assert sum(told.values()) == pytest.approx(1, abs=1e-6)
        assert told[answer["predicted"]] == answer["score"] == max(told.values())


def test_the_answers_differ_as_the_parcels_do(service: Service) -> None:
    if isinstance(service.use_case.task, Multiclass):
        assert {answer["predicted"] for answer in service.answers.values()} == set(service.use_case.task.classes)
    else:
        assert np.ptp([answer["score"] for answer in service.answers.values()]) > 30


def test_an_answer_names_its_model_and_its_data(service: Service) -> None:
    status, told = service.client.get("/describe")
    answers = service.answers.values()

    assert status == 200
    assert {answer["model_version"] for answer in answers} == {service.version}
    assert {answer["history_as_of"] for answer in answers} == {SERVED}
    assert all(len(answer["history_commit"]) == 64 for answer in answers)
    assert len({answer["prediction_id"] for answer in answers}) == len(answers)
    assert told["record"]["data_commit"] == service.data_commit
    assert (told["threshold"], told["positive_means"]) == (None, None)


def test_a_bad_row_is_told_by_the_name_of_its_field_and_the_good_one_answered(service: Service) -> None:
    status, told = service.client.post({"rows": [PARCEL, {**PARCEL, "weight": 99}]})
    good, bad = told["predictions"]

    assert status == 200
    assert good["score"]
    assert [(fault["row"], fault["field"]) for fault in bad["faults"]] == [(1, "weight")]


def test_an_explanation_adds_up_by_class_or_for_the_number(service: Service) -> None:
    status, told = service.client.post({"rows": [PARCEL]}, path="/explain")
    (row,) = told["explanations"]
    task = service.use_case.task
    classes: tuple[str | None, ...] = task.classes if isinstance(task, Multiclass) else (None,)

    assert status == 200
    for name in classes:
        margin, base, *moved = (
            value if name is None else value[name]
            for value in (row["margin"], row["base"], *row["contributions"].values())
        )
        assert base + sum(moved) == pytest.approx(margin, abs=1e-4)


def test_the_service_documents_what_it_answers(service: Service) -> None:
    _, docs = service.client.get("/docs.json")

    assert {"score", "predicted", "probabilities"} <= set(docs["components"]["schemas"]["Answer"]["properties"])
