"""What every model is shown beside: a constant and a simple linear model, learnt from the same training rows.

A figure means something only beside what nearly nothing reaches. Neither is ever served.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mlops_assets.ml.fit import labels_of, weights_of
from mlops_assets.ml.linear import fit_linear
from mlops_assets.ml.matrix import learn_vocabulary
from mlops_assets.ml.metrics import Floats
from mlops_assets.ml.splitting import Split
from mlops_assets.ml.thresholds import choose_threshold
from mlops_assets.ml.use_case import UseCase

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
    labels, weights = labels_of(learnt), weights_of(learnt, use_case=use_case)
    prior = float(np.average(labels, weights=weights))
    vocabulary = learn_vocabulary(learnt, features=use_case.features)
    linear = fit_linear(vocabulary.encode(learnt, features=use_case.features), labels, kind="logistic", weights=weights)
    threshold = choose_threshold(
        labels_of(watched),
        linear.scores(vocabulary.encode(watched, features=use_case.features)),
        rule=use_case.threshold,
        weights=weights_of(watched, use_case=use_case),
    )
    return (
        Baseline(name=CONSTANT, scores=np.full(test.num_rows, prior), threshold=prior),
        Baseline(
            name=LINEAR,
            scores=linear.scores(vocabulary.encode(test, features=use_case.features)),
            threshold=threshold,
        ),
    )
