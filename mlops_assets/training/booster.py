"""From a matrix and labels to a booster's bytes, and from those bytes back to scores.

The same matrix, labels, hyperparameters, seed and threads give the same bytes on the same kind of machine.
Nothing here reads a store or a clock; what else belongs to a version (vocabulary, record) is put together by
its callers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from mlops_assets.contract.errors import TrainingError

if TYPE_CHECKING:
    from mlops_assets.features.matrix import Matrix

DEFAULTS: Mapping[str, float | int | str] = {"objective": "binary:logistic", "eval_metric": "logloss"}
_STAND_INS = str.maketrans("[]<", "⟦⟧‹")
_OWN = {there: here for here, there in _STAND_INS.items()}
FIXED: Mapping[str, float | int | str] = {"tree_method": "hist", "device": "cpu", "verbosity": 0}


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A finished model: ``booster`` in XGBoost's own UBJSON, cut after its best round; ``best_round`` counts
    from 0.

    ``learning_curve`` has the evaluation metric of each round that was tried, for ``train`` and
    ``validation``.
    """

    booster: bytes
    best_round: int
    learning_curve: Mapping[str, tuple[float, ...]]


def train(
    matrix: Matrix,
    labels: NDArray[np.float64],
    *,
    validation: tuple[Matrix, NDArray[np.float64]],
    hyperparameters: Mapping[str, float | int | str],
    rounds: int,
    early_stopping_rounds: int,
    seed: int,
    threads: int,
    weights: NDArray[np.float64] | None = None,
    validation_weights: NDArray[np.float64] | None = None,
) -> TrainedModel:
    """Trains on ``matrix`` and stops when ``validation`` has not improved for ``early_stopping_rounds``
    rounds.

    ``hyperparameters`` are XGBoost's own names; what fixes determinism (tree method, device, seed, threads)
    may not be set there. ``weights`` and ``validation_weights`` say how much each row counts.
    Raises TrainingError for bad hyperparameters or matrices.
    """
    taken = sorted(set(hyperparameters) & {*FIXED, "seed", "nthread", "random_state", "n_jobs"})
    if taken:
        raise TrainingError(f"Hyperparameters set by the platform itself: {', '.join(taken)}. Leave them out.")
    if validation[0].names != matrix.names or validation[0].types != matrix.types:
        raise TrainingError("Training and validation matrices have different columns.")
    parameters = {**DEFAULTS, **hyperparameters, **FIXED, "seed": seed, "nthread": threads}
    curve: dict[str, dict[str, list[float]]] = {}
    try:
        rows = _quantised(matrix, labels=labels, weights=weights, threads=threads, hyperparameters=parameters)
        watched = _quantised(
            validation[0],
            labels=validation[1],
            weights=validation_weights,
            threads=threads,
            hyperparameters=parameters,
            reference=rows,
        )
        booster = xgb.train(
            parameters,
            rows,
            num_boost_round=rounds,
            evals=[(rows, "train"), (watched, "validation")],
            early_stopping_rounds=early_stopping_rounds,
            evals_result=curve,
            verbose_eval=False,
        )
    except (xgb.core.XGBoostError, ValueError) as error:
        raise TrainingError(f"XGBoost refused to train: {_first_line(error)}") from error
    best = int(booster.best_iteration)
    return TrainedModel(
        booster=bytes(booster[: best + 1].save_raw(raw_format="ubj")),
        best_round=best,
        learning_curve={part: tuple(next(reversed(metrics.values()))) for part, metrics in curve.items()},
    )


def _quantised(
    matrix: Matrix,
    *,
    labels: NDArray[np.float64],
    threads: int,
    hyperparameters: Mapping[str, float | int | str],
    weights: NDArray[np.float64] | None = None,
    reference: xgb.QuantileDMatrix | None = None,
) -> xgb.QuantileDMatrix:
    return xgb.QuantileDMatrix(
        matrix.values,
        label=labels,
        weight=weights,
        feature_names=told_names(matrix.names),
        feature_types=list(matrix.types),
        enable_categorical=True,
        nthread=threads,
        ref=reference,
        max_bin=int(hyperparameters.get("max_bin", 256)),
    )


def told_names(names: Sequence[str]) -> list[str]:
    """The names as XGBoost takes them, which knows no ``[``, ``]`` and ``<`` in them."""
    return [name.translate(_STAND_INS) for name in names]


def names_of(booster: xgb.Booster) -> tuple[str, ...]:
    """The features that it was trained on, under their own names."""
    return tuple(name.translate(_OWN) for name in booster.feature_names or ())


def load(booster: bytes, *, threads: int = 1) -> xgb.Booster:
    """The booster those bytes hold. Raises TrainingError when they are not one."""
    loaded = xgb.Booster()
    try:
        loaded.load_model(bytearray(booster))
    except xgb.core.XGBoostError as error:
        raise TrainingError(f"These {len(booster)} bytes are no XGBoost model: {_first_line(error)}") from error
    loaded.set_param({"nthread": threads})
    return loaded


def score(booster: xgb.Booster, matrix: Matrix) -> NDArray[np.float64]:
    """The model's answer per row: float64 of shape (rows,), or (rows, classes) for several classes.

    A row's score does not depend on the rows beside it: alone or in a batch, it is the same to the bit.
    Raises TrainingError when the matrix has other columns than the model was trained on.
    """
    known = names_of(booster)
    if known != matrix.names or booster.feature_types != list(matrix.types):
        raise TrainingError(
            f"The matrix has other columns than the model was trained on: {', '.join(matrix.names)} "
            f"instead of {', '.join(known)}."
        )
    if len(matrix.values) == 0:
        return np.zeros(0, dtype=np.float64)
    answers = booster.inplace_predict(np.ascontiguousarray(matrix.values), validate_features=False)
    return cast("NDArray[np.float64]", np.asarray(answers, dtype=np.float64))


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Stack trace")]
    return lines[0].split("] ")[-1] if lines else type(error).__name__
