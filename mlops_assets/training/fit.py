"""From a training view to everything a model version is made of: split, vocabulary, booster, calibration, threshold.

One pure call per version, the same for training, backtests and reproduction. What is learnt here is frozen with the
version and only applied afterwards; how good it is is judged in ``report.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.errors import TrainingError
from mlops_assets.contract.splits import HashSplit
from mlops_assets.contract.tasks import Binary
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.learnt import learn, out_of_fold
from mlops_assets.features.matrix import Matrix, Vocabulary, learn_vocabulary
from mlops_assets.training.booster import TrainedModel, load, score, train
from mlops_assets.training.calibration import Calibration, choose_calibration
from mlops_assets.training.splitting import Split, split_by_hash, split_by_time, windows
from mlops_assets.training.thresholds import choose_threshold


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """What was learnt. ``threshold`` makes (calibrated) scores decisions; ``metrics`` are those of training itself."""

    trained: TrainedModel
    vocabulary: Vocabulary
    calibration: Calibration | None
    split: Split
    threshold: float
    metrics: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Rows as XGBoost takes them, to learn from and to watch: whatever the hyperparameters, it is the same."""

    vocabulary: Vocabulary
    matrix: Matrix
    labels: NDArray[np.float64]
    weights: NDArray[np.float64] | None
    watched: Matrix
    watched_labels: NDArray[np.float64]
    watched_weights: NDArray[np.float64] | None


def fit(view: pa.Table, *, use_case: UseCase) -> FittedModel:
    """Learns from the training part of ``view`` (``label``, the features, and what the split reads), stops and chooses
    the threshold on the validation part; the test part is not looked at.

    Raises TrainingError when a part has no rows or one class only.
    """
    split = split_view(view, use_case=use_case)
    watched = view.take(split.validation.rows)
    ready = prepare(view.take(split.train.rows), watched, use_case=use_case)
    trained = train_prepared(ready, use_case=use_case)
    answered, weights = ready.watched_labels, ready.watched_weights
    scores = score(load(trained.booster, threads=use_case.recipe.threads), ready.watched)
    units = clusters_of(watched, use_case=use_case)
    asked = use_case.calibrated
    calibration = choose_calibration(answered, scores, weights=weights, units=units) if asked else None
    scores = calibration.apply(scores) if calibration else scores
    return FittedModel(
        trained=trained,
        vocabulary=ready.vocabulary,
        split=split,
        calibration=calibration,
        threshold=_threshold(answered, scores, use_case=use_case, weights=weights),
        metrics={f"{part}_loss": curve[trained.best_round] for part, curve in trained.learning_curve.items()},
    )


def prepare(learnt: pa.Table, watched: pa.Table, *, use_case: UseCase) -> Prepared:
    """Encodes both by what is learnt from ``learnt`` alone."""
    vocabulary, beside = _learn(learnt, use_case=use_case)
    return Prepared(
        vocabulary=vocabulary,
        matrix=vocabulary.encode(learnt, features=use_case.features, learnt=beside),
        labels=labels_of(learnt),
        weights=weights_of(learnt, use_case=use_case),
        watched=vocabulary.encode(watched, features=use_case.features),
        watched_labels=labels_of(watched),
        watched_weights=weights_of(watched, use_case=use_case),
    )


def train_prepared(ready: Prepared, *, use_case: UseCase) -> TrainedModel:
    """Trains the recipe of ``use_case`` until the watched rows improve no more."""
    recipe = use_case.recipe
    return train(
        ready.matrix,
        ready.labels,
        weights=ready.weights,
        validation=(ready.watched, ready.watched_labels),
        validation_weights=ready.watched_weights,
        hyperparameters={**use_case.task.objective, **recipe.hyperparameters},
        rounds=recipe.rounds,
        early_stopping_rounds=recipe.early_stopping_rounds,
        seed=recipe.seed,
        threads=recipe.threads,
    )


def _threshold(
    labels: NDArray[np.float64], scores: NDArray[np.float64], *, use_case: UseCase, weights: NDArray[np.float64] | None
) -> float:
    """Where a score becomes a decision; 0 for tasks that decide nothing."""
    if not isinstance(use_case.task, Binary):
        return 0.0
    return choose_threshold(labels, scores, rule=use_case.threshold, weights=weights)


def _learn(rows: pa.Table, *, use_case: UseCase) -> tuple[Vocabulary, pa.Table | None]:
    """What is learnt besides the model, and the learnt features of the training rows themselves, if there are any."""
    vocabulary, features = learn_vocabulary(rows, features=use_case.features), use_case.features
    if use_case.learning is None:
        return vocabulary, None
    labels, learning = labels_of(rows), use_case.learning
    learnt = learn(rows, labels=labels, learning=learning, features=features)
    beside = out_of_fold(rows, labels=labels, learning=learning, features=features)
    return replace(vocabulary, learnt=learnt), beside


def split_view(view: pa.Table, *, use_case: UseCase) -> Split:
    """The parts of ``view``, as the use case declares them; rows with a weight of 0 are in none."""
    counting = _counting(view, use_case=use_case)
    if counting is None:
        return _split(view, use_case=use_case)
    train, validation, test = (
        replace(part, rows=counting[part.rows]) for part in _split(view.take(counting), use_case=use_case).parts
    )
    return Split(train=train, validation=validation, test=test)


def counted(view: pa.Table, *, use_case: UseCase) -> pa.Table:
    """``view`` without the rows that have a weight of 0: they count for nothing, in learning and in every figure."""
    counting = _counting(view, use_case=use_case)
    return view if counting is None else view.take(counting)


def _split(view: pa.Table, *, use_case: UseCase) -> Split:
    declared, labels = use_case.split, labels_of(view) if isinstance(use_case.task, Binary) else None
    if isinstance(declared, HashSplit):
        return split_by_hash(view.column(declared.key), labels=labels, split=declared)
    times = view.column("event_time").to_numpy()
    return split_by_time(times, labels=labels, split=windows(times, split=declared))


def labels_of(view: pa.Table) -> NDArray[np.float64]:
    """The labels of ``view`` as numbers: 0.0 and 1.0, places in the classes, or the number itself."""
    return np.asarray(view.column("label").to_numpy(), dtype=np.float64)


def clusters_of(view: pa.Table, *, use_case: UseCase) -> NDArray[np.int64] | None:
    """Which rows of ``view`` depend on each other: a number per day or entity, or ``None`` where none do."""
    if use_case.clusters is None:
        return None
    if use_case.clusters != "day":
        coded = pc.dictionary_encode(view.column(use_case.clusters).combine_chunks(), null_encoding="encode")
        return np.asarray(coded.indices, dtype=np.int64)
    return np.asarray(view.column("event_time").to_numpy().astype("datetime64[D]"), dtype=np.int64)


def weights_of(view: pa.Table, *, use_case: UseCase) -> NDArray[np.float64] | None:
    """The declared weight of every row of ``view``, scaled to a mean of 1, or ``None`` where all rows count the same.

    Raises TrainingError naming the first row whose weight is missing, infinite or below 0, and where all are 0.
    """
    if use_case.weight is None:
        return None
    weights = _as_declared(view, column=use_case.weight)
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def _counting(view: pa.Table, *, use_case: UseCase) -> NDArray[np.int64] | None:
    """The rows that count; ``None`` where all do."""
    if use_case.weight is None:
        return None
    counts = _as_declared(view, column=use_case.weight) > 0
    return None if counts.all() else np.flatnonzero(counts)


def _as_declared(view: pa.Table, *, column: str) -> NDArray[np.float64]:
    weights = pc.cast(view.column(column), pa.float64()).to_numpy()
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        row = f"'{view.column('id')[wrong[0]]}'" if "id" in view.column_names else f"{wrong[0] + 1}"
        raise TrainingError(
            f"Weights must be numbers of 0 or more: '{column}' of row {row} is {view.column(column)[wrong[0]]}, "
            f"as in {len(wrong)} of {len(weights)} rows. Mend them at the source, or leave them out in examples_sql."
        )
    if len(weights) and not weights.any():
        raise TrainingError(f"Every weight in '{column}' is 0: no row counts.")
    return np.asarray(weights, dtype=np.float64)
