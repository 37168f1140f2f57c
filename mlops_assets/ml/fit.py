"""From a training view to everything a model version is made of: split, vocabulary, booster, threshold.

One pure call per version, the same for training, backtests and reproduction. What is learnt here is frozen with the
version and only applied afterwards; how good it is is judged in ``evaluation.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.ml.matrix import Vocabulary, learn_vocabulary
from mlops_assets.ml.splitting import Split, split_by_time
from mlops_assets.ml.thresholds import choose_threshold
from mlops_assets.ml.training import TrainedModel, load, score, train
from mlops_assets.ml.use_case import UseCase


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """What was learnt. ``threshold`` makes scores decisions; ``metrics`` are those of training itself."""

    trained: TrainedModel
    vocabulary: Vocabulary
    split: Split
    threshold: float
    metrics: Mapping[str, float]


def fit(view: pa.Table, *, use_case: UseCase) -> FittedModel:
    """Learns from the training part of ``view`` (``label``, ``event_time`` and the features), stops and chooses the
    threshold on the validation part; the test part is not looked at.

    Raises TrainingError when a part has no rows or one class only.
    """
    labels = labels_of(view)
    split = split_view(view, use_case=use_case)
    vocabulary = learn_vocabulary(view.take(split.train.rows), features=use_case.features)
    matrix = vocabulary.encode(view.take(split.train.rows), features=use_case.features)
    watched = vocabulary.encode(view.take(split.validation.rows), features=use_case.features)
    recipe = use_case.recipe
    trained = train(
        matrix,
        labels[split.train.rows],
        validation=(watched, labels[split.validation.rows]),
        hyperparameters=recipe.hyperparameters,
        rounds=recipe.rounds,
        early_stopping_rounds=recipe.early_stopping_rounds,
        seed=recipe.seed,
        threads=recipe.threads,
    )
    scores = score(load(trained.booster, threads=recipe.threads), watched)
    return FittedModel(
        trained=trained,
        vocabulary=vocabulary,
        split=split,
        threshold=choose_threshold(labels[split.validation.rows], scores, rule=use_case.threshold),
        metrics={f"{part}_loss": curve[trained.best_round] for part, curve in trained.learning_curve.items()},
    )


def split_view(view: pa.Table, *, use_case: UseCase) -> Split:
    """The parts of ``view``, as the use case declares them."""
    times = view.column("event_time").to_numpy()
    return split_by_time(times, labels=labels_of(view), split=use_case.split)


def labels_of(view: pa.Table) -> NDArray[np.float64]:
    """The labels of ``view`` as 0.0 and 1.0."""
    return np.asarray(view.column("label").to_numpy(), dtype=np.float64)


def clusters_of(view: pa.Table, *, use_case: UseCase) -> NDArray[np.int64] | None:
    """Which rows of ``view`` depend on each other: the day's number of each, or ``None`` where rows are independent."""
    if use_case.clusters is None:
        return None
    return np.asarray(view.column("event_time").to_numpy().astype("datetime64[D]"), dtype=np.int64)


def predict(view: pa.Table, *, booster: bytes, vocabulary: Vocabulary, use_case: UseCase) -> NDArray[np.float64]:
    """The scores of every row of ``view`` (the features, as columns), float64 of shape (rows,)."""
    return score(load(booster, threads=use_case.recipe.threads), vocabulary.encode(view, features=use_case.features))
