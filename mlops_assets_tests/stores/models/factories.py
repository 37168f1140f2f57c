"""A tiny real model, its record and its decision, published as the assets do it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pyarrow as pa

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.features import Feature
from mlops_assets.contract.gates import MetricBound
from mlops_assets.contract.paths import model_path
from mlops_assets.features.matrix import Matrix
from mlops_assets.judge.gate_decision import GateDecision
from mlops_assets.judge.report import EvaluationReport, evaluate
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.models.champion import promote
from mlops_assets.stores.models.record import ModelRecord, PartRecord
from mlops_assets.stores.models.registry import evaluation_files, version_files
from mlops_assets.training.booster import train
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets_tests.lake.factories import make_write, passing

THEN = datetime(2013, 7, 1, tzinfo=UTC)
NOON = datetime(2013, 7, 1, 12, tzinfo=UTC)
TINY = replace(
    USE_CASE,
    features=tuple(Feature(name=name, kind="numeric", description="Any.", owner="team:any") for name in ("a", "b")),
    gates=(MetricBound(metric="roc_auc_score", at_least=0.5),),
)
"""Flights as ``tiny_model`` and ``tiny_report`` see it."""


@cache
def tiny_model() -> bytes:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(200, 2)).astype(np.float32)
    matrix = Matrix(values=values, names=("a", "b"), types=("q", "q"))
    labels = (values[:, 0] > 0).astype(np.float64)
    return train(
        matrix,
        labels,
        validation=(matrix, labels),
        hyperparameters={"max_depth": 2},
        rounds=3,
        early_stopping_rounds=2,
        seed=0,
        threads=1,
    ).booster


@cache
def tiny_report() -> EvaluationReport:
    generator = np.random.default_rng(0)
    scores = generator.random(400)
    labels = (generator.random(400) < scores).astype(np.float64)
    nothing = pa.table({"row": np.arange(400)})
    return evaluate(labels, scores, slice_columns=nothing, slices=(), threshold=0.5)


def make_record(version: str, *, data_commit: str) -> ModelRecord:
    return ModelRecord(
        use_case="flights",
        version=version,
        created_at=THEN,
        git_commit="abc1234",
        git_dirty=False,
        code_version="1",
        data_commit=data_commit,
        first_batch="2013-01-01",
        last_batch="2013-06-30",
        hyperparameters={"max_depth": 2, "eta": 0.3},
        rounds=3,
        early_stopping_rounds=2,
        best_round=2,
        seed=0,
        threads=1,
        libraries={"xgboost": "3.2.0"},
        split={"train": PartRecord(rows=200, positives=100)},
        threshold=0.5,
        metrics={"validation_log_loss": 0.3},
        started_by="test",
        seconds=0.1,
    )


def publish_version(lake: Lake, version: str) -> ModelRecord:
    record = make_record(version, data_commit=lake.head())
    files = version_files(record, files={"model.ubj": tiny_model(), "vocabulary.json": b"{}"})
    lake.publish(make_write(asset="model"), files=files, audit=passing)
    return record


def publish_evaluation(
    lake: Lake, version: str, *, champion: str | None = None, passed: bool = True, predictions: bytes = b"PAR1"
) -> None:
    path = model_path("flights", version=version, name="record.json")
    record = lake.at().read(path) if lake.at().exists(path) else None
    reasons = () if passed else ("roc_auc_score is too low",)
    verdict = CheckResult(name="roc_auc_score_within_bounds", passed=passed, reasons=reasons)
    files = evaluation_files(
        GateDecision(passed=passed, verdicts=(verdict,), reasons=reasons),
        use_case="flights",
        version=version,
        champion=champion,
        decided_at=THEN,
        report=tiny_report(),
        predictions=predictions,
        comparison=None,
        record=record,
        gates=TINY.gates,
    )
    lake.publish(make_write(asset="evaluation"), files=files, audit=passing)


def promoted(lake: Lake, version: str, *, override: bool = False) -> None:
    promote(lake, use_case=TINY, version=version, by="ada", why="it is good", at=NOON, override=override)


def overwrite(lake: Lake, path: str, content: bytes) -> None:
    """Publishes what no asset would."""
    lake.publish(make_write(asset="champion"), files={path: content}, audit=passing)
