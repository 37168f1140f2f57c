"""A model version as it answers: booster, vocabulary and calibration as they were frozen, from files to scores.

The one way from rows to scores for evaluation, batch scoring, parity checks and the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import xgboost as xgb

from mlops_assets.ml.features.declarations import Feature
from mlops_assets.ml.features.matrix import Matrix, Vocabulary
from mlops_assets.ml.statistics.metrics import Floats
from mlops_assets.ml.training.booster import load, score
from mlops_assets.ml.training.calibration import Calibration

MODEL, VOCABULARY, CALIBRATION = "model.ubj", "vocabulary.json", "calibration.json"
"""The files of a version that decide its answers; only a calibrated one has the last."""


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """What answers."""

    booster: xgb.Booster
    vocabulary: Vocabulary
    calibration: Calibration | None = None

    @classmethod
    def open(cls, files: Mapping[str, bytes], *, threads: int = 1) -> Scorer:
        """The model in those files, by name. Raises TrainingError when the booster is none."""
        told = files.get(CALIBRATION)
        return cls(
            booster=load(files[MODEL], threads=threads),
            vocabulary=Vocabulary.from_json(files[VOCABULARY]),
            calibration=Calibration.from_json(told) if told else None,
        )

    def scores(self, rows: pa.Table, *, features: Sequence[Feature]) -> Floats:
        """The score of every row of ``rows`` (the features, as columns), float64 of shape (rows,)."""
        return self.of_matrix(self.vocabulary.encode(rows, features=features))

    def of_matrix(self, matrix: Matrix) -> Floats:
        """The same for rows that are encoded already."""
        scores = score(self.booster, matrix)
        return self.calibration.apply(scores) if self.calibration else scores
