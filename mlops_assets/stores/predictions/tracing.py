"""From a prediction id back to everything it came from: version, training data, landed files, code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.paths import batch_of, prediction_log_folder
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.models.record import ModelRecord
from mlops_assets.stores.models.registry import load_record
from mlops_assets.stores.predictions.collected_files import collected_files
from mlops_assets.stores.predictions.prediction_log import PredictionLog
from mlops_assets.stores.predictions.records import read_row

Prediction = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LandedOrigin:
    """One landed file a model was trained on: where it lies in the lake, and the SHA-256 of the bytes that landed."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Where one prediction came from. ``landed`` are the files behind the model, in the lake at its data's commit."""

    prediction: Prediction
    record: ModelRecord
    landed: tuple[LandedOrigin, ...]


def trace(prediction_id: str, *, use_case: UseCase, lake: Lake, log: PredictionLog) -> Trace:
    """Follows a prediction back. Raises RegistryError when nobody remembers that id."""
    prediction = log.find(prediction_id) or _collected(lake.at(), prediction_id, use_case=use_case, log=log)
    if prediction is None:
        raise RegistryError(
            f"No prediction '{prediction_id}' in {log.place}. Ids are in the service's answers; other "
            "use cases have logs of "
            "their own: name one with --use-case."
        )
    record = load_record(lake.at(), use_case=use_case.name, version=str(prediction["model_version"]))
    return Trace(prediction=prediction, record=record, landed=landed_files(lake, use_case=use_case, record=record))


def _collected(snapshot: Snapshot, prediction_id: str, *, use_case: UseCase, log: PredictionLog) -> Prediction | None:
    """A record that was pruned from the log, from the file in the lake that has its number."""
    seq = log.seq_of(prediction_id)
    files = collected_files(snapshot, folder=prediction_log_folder(use_case.name)) if seq else {}
    for path, file in files.items():
        if file.log_id == log.log_id and seq is not None and file.first <= seq <= file.last:
            (row,) = read_parquet(snapshot.local(path), rows=pc.field("seq") == seq).to_pylist()
            return read_row(row)
    return None


def landed_files(lake: Lake, *, use_case: UseCase, record: ModelRecord) -> tuple[LandedOrigin, ...]:
    """The landed files of the batches that a version was trained on, and the reference files of that moment."""
    found = []
    for source in use_case.sources:
        for info in lake.at(record.data_commit).paths(f"{use_case.name}/raw/{source.name}/"):
            inside = record.first_batch <= batch_of(info.path) <= record.last_batch
            if not source.arrives or inside:
                found.append(LandedOrigin(path=info.path, size=info.size, sha256=info.checksum))
    return tuple(found)
