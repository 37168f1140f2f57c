"""A model version as it answers: booster, vocabulary and calibration as they were frozen, from files to scores.

The one way from rows to scores for evaluation, batch scoring, parity checks and the service.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import xgboost as xgb
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.features import Feature
from mlops_assets.features.matrix import Matrix, Vocabulary
from mlops_assets.training.booster import load, names_of, score
from mlops_assets.training.calibration import Calibration

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

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return names_of(self.booster)  # the booster makes the list anew each time: half a millisecond

    def _predicted(self, values: NDArray[np.float32]) -> Floats:
        return np.asarray(self.booster.inplace_predict(values, validate_features=False), dtype=np.float64)

    @property
    def features(self) -> tuple[Feature, ...]:
        """What it reads of a row: the features it was trained on, whatever the use case declares today."""
        learnt = self.vocabulary.learnt.features if self.vocabulary.learnt else ()
        made = {feature.name for feature in learnt}
        names, types = self._names, self.booster.feature_types or ()
        return tuple(
            Feature(name=name, kind="categorical" if kind == "c" else "numeric", description="", owner="")
            for name, kind in zip(names, types, strict=True)
            if name not in made
        )

    def lacking(self, columns: Collection[str]) -> tuple[str, ...]:
        """The features that are not among ``columns``: rows without them cannot be scored."""
        return tuple(feature.name for feature in self.features if feature.name not in columns)

    def scores(self, rows: pa.Table) -> Floats:
        """The score of every row of ``rows`` (its ``features``, as columns), float64 of shape (rows,).

        Raises FeatureError naming a feature that is not there.
        """
        return self.of_matrix(self.vocabulary.encode(rows, features=self.features))

    def of_matrix(self, matrix: Matrix) -> Floats:
        """The same for rows that are encoded already."""
        asked = self._names == matrix.names and len(matrix.values) > 0
        scores = self._predicted(matrix.values) if asked else score(self.booster, matrix)
        return self.calibration.apply(scores) if self.calibration else scores
