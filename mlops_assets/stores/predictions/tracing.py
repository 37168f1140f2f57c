"""From a prediction id back to everything it came from: version, training data, landed files, code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.paths import batch_of
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.models.record import ModelRecord
from mlops_assets.stores.models.registry import load_record
from mlops_assets.stores.predictions.prediction_log import PredictionLog


@dataclass(frozen=True, kw_only=True)
class LandedOrigin:
    """One landed file a model was trained on: where it lies in the lake, and the SHA-256 of the bytes that landed."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Where one prediction came from. ``landed`` are the files behind the model, in the lake at its data's commit."""

    prediction: Mapping[str, Any]
    record: ModelRecord
    landed: tuple[LandedOrigin, ...]


def trace(prediction_id: str, *, use_case: UseCase, lake: Lake, log: PredictionLog) -> Trace:
    """Follows a prediction back. Raises RegistryError when nobody remembers that id."""
    prediction = log.find(prediction_id)
    if prediction is None:
        raise RegistryError(
            f"No prediction '{prediction_id}' in {log.path}. Ids are in the service's answers; other "
            "use cases have logs of "
            "their own: name one with --use-case."
        )
    record = load_record(lake.at(), use_case=use_case.name, version=str(prediction["model_version"]))
    return Trace(prediction=prediction, record=record, landed=landed_files(lake, use_case=use_case, record=record))


def landed_files(lake: Lake, *, use_case: UseCase, record: ModelRecord) -> tuple[LandedOrigin, ...]:
    """The landed files of the batches that a version was trained on, and the reference files of that moment."""
    found = []
    for source in use_case.sources:
        for info in lake.at(record.data_commit).paths(f"{use_case.name}/raw/{source.name}/"):
            inside = record.first_batch <= batch_of(info.path) <= record.last_batch
            if not source.arrives or inside:
                found.append(LandedOrigin(path=info.path, size=info.size, sha256=info.checksum))
    return tuple(found)
