"""Outcomes that callers send: which can be one, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.contract.tasks import Binary, Multiclass, Regression, Task
from mlops_assets.serving.outcomes import Outcomes, why_no_label
from mlops_assets.serving.wire import Refused
from mlops_assets.stores.predictions.hiding import Hiding
from mlops_assets.stores.predictions.prediction_log import PredictionLog, prediction_log_of
from mlops_assets_tests.serving.factories import PARCELS


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PredictionLog]:
    made = prediction_log_of("parcels", folder=tmp_path)
    yield made
    made.close()


def outcomes_of(log: PredictionLog) -> Outcomes:
    return Outcomes(log, hiding=Hiding.of(PARCELS, folder=Path(log.place).parent), task=Binary())


def refused(outcomes: list[object], *, log: PredictionLog) -> list[tuple[int | None, str | None]]:
    with pytest.raises(Refused) as refusal:
        outcomes_of(log).record(json.dumps({"outcomes": outcomes}).encode())
    assert refusal.value.status == 400
    return [(fault.row, fault.field) for fault in refusal.value.refusal.faults]


def test_one_that_cannot_be_an_outcome_keeps_all_from_being_recorded(log: PredictionLog) -> None:
    good = {"prediction_id": "p1", "label": 1}

    assert refused([good, {"prediction_id": "p2", "label": 2}, {"label": 1}], log=log) == [(2, None)]
    assert refused([good, {"prediction_id": "p2", "label": 2}], log=log) == [(1, "label")]
    assert log.outcomes_after(0, limit=10).num_rows == 0


@pytest.mark.parametrize("known_at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1969-12-31T23:00:00Z"])
def test_it_is_known_at_a_moment_that_can_be(log: PredictionLog, known_at: str) -> None:
    assert refused([{"prediction_id": "p", "label": 1, "known_at": known_at}], log=log) == [(0, "known_at")]


def test_what_nothing_was_predicted_of_is_unknown(log: PredictionLog) -> None:
    body = json.dumps({"outcomes": [{"example_id": "E-1", "label": True, "known_at": "2013-07-02T00:00:00Z"}]}).encode()

    assert json.loads(outcomes_of(log).record(body)) == {"outcomes": [{"status": "unknown"}]}


@pytest.mark.parametrize(
    ("task", "label", "rule"),
    [
        (Binary(), 1, None),
        (Binary(), True, None),
        (Binary(), 0.5, "0 or 1"),
        (Binary(), "1", "a finite number"),
        (Regression(), -3.5, None),
        (Regression(), float("inf"), "a finite number"),
        (Regression(), float("nan"), "a finite number"),
        (Multiclass(classes=("bus", "car", "tram")), "bus", None),
        (Multiclass(classes=("bus", "car", "tram")), "bike", "one of bus, car, tram"),
        (Multiclass(classes=("bus", "car", "tram")), 1, "one of bus, car, tram"),
    ],
)
def test_a_label_is_one_of_the_tasks(task: Task, label: float | str, rule: str | None) -> None:
    assert why_no_label(label, task=task) == rule
