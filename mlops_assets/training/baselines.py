"""What every model is shown beside: a constant and a simple linear model, learnt from the same training rows.

A figure means something only beside what nearly nothing reaches. Neither is ever served.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.tasks import Binary, Multiclass, Regression, Task
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.matrix import learn_vocabulary
from mlops_assets.training.fit import labels_of, weights_of
from mlops_assets.training.linear import fit_linear
from mlops_assets.training.splitting import Split
from mlops_assets.training.thresholds import choose_threshold

CONSTANT, LINEAR = "constant prior", "linear model"


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The ``scores`` of a baseline on the test rows, and the threshold that the use case's rule gives it."""

    name: str
    scores: Floats
    threshold: float


def baselines(view: pa.Table, *, split: Split, use_case: UseCase) -> tuple[Baseline, Baseline]:
    """The constant prior and the linear model, learnt from the training part of ``view`` only."""
    learnt, watched, test = (view.take(part.rows) for part in split.parts)
    prior = _prior(labels_of(learnt), weights=weights_of(learnt, use_case=use_case), task=use_case.task)
    on_watched, on_test = _linear(learnt, watched, test, use_case=use_case)
    threshold = 0.0
    if isinstance(use_case.task, Binary):
        weights = weights_of(watched, use_case=use_case)
        threshold = choose_threshold(labels_of(watched), on_watched, rule=use_case.threshold, weights=weights)
    constant = np.broadcast_to(prior, (test.num_rows, *prior.shape)).astype(np.float64)
    return (
        Baseline(name=CONSTANT, scores=constant, threshold=float(prior) if prior.ndim == 0 else 0.0),
        Baseline(name=LINEAR, scores=on_test, threshold=threshold),
    )


def _prior(labels: Floats, *, weights: Floats | None, task: Task) -> Floats:
    """The mean (or the quantile) of the labels, or the share of each class."""
    if isinstance(task, Multiclass):
        shares = [np.average(labels == place, weights=weights) for place in range(len(task.classes))]
        return np.array(shares, dtype=np.float64)
    if isinstance(task, Regression) and task.quantile is not None:
        return np.asarray(np.quantile(labels, task.quantile))
    return np.asarray(np.average(labels, weights=weights))


def _linear(learnt: pa.Table, *asked: pa.Table, use_case: UseCase) -> list[Floats]:
    """What a linear model of ``learnt`` scores each of the ``asked`` tables: one against the rest for each class."""
    labels, weights, task = labels_of(learnt), weights_of(learnt, use_case=use_case), use_case.task
    vocabulary = learn_vocabulary(learnt, features=use_case.features)
    matrix, *others = (vocabulary.encode(each, features=use_case.features) for each in (learnt, *asked))
    if isinstance(task, Regression):
        return [fit_linear(matrix, labels, kind="least squares", weights=weights).scores(each) for each in others]
    if isinstance(task, Binary):
        return [fit_linear(matrix, labels, kind="logistic", weights=weights).scores(each) for each in others]
    models = [
        fit_linear(matrix, (labels == place).astype(np.float64), kind="logistic", weights=weights)
        for place in range(len(task.classes))
    ]
    raw = [np.column_stack([model.scores(each) for model in models]) for each in others]
    return [each / each.sum(axis=1, keepdims=True) for each in raw]
