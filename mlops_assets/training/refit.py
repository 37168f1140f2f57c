"""The same recipe learnt once more from every labelled row: what held-out days would have taught is learnt as well.

Nothing is left to stop training by, to choose a threshold or to judge: the first two are those of the version that was
judged, and the last is not done here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from mlops_assets.contract.tasks import Binary
from mlops_assets.contract.use_case import UseCase
from mlops_assets.training.calibration import Calibration
from mlops_assets.training.fit import FittedModel, counted, labels_of, prepare, train_prepared
from mlops_assets.training.splitting import Part, Split


def refit(
    view: pa.Table, *, use_case: UseCase, rounds: int, threshold: float, calibration: Calibration | None
) -> FittedModel:
    """Learns from all of ``view`` for as many ``rounds`` as the judged version found best; fewer if the rows that are
    learnt from themselves improve no more. ``threshold`` and ``calibration`` are that version's. Rows with a weight of
    0 are left out.
    """
    view = counted(view, use_case=use_case)
    recipe = replace(use_case.recipe, rounds=rounds, early_stopping_rounds=rounds)
    ready = prepare(view, view, use_case=use_case)
    trained = train_prepared(ready, use_case=replace(use_case, recipe=recipe))
    return FittedModel(
        trained=trained,
        vocabulary=ready.vocabulary,
        calibration=calibration,
        split=_all_rows(view, use_case=use_case),
        threshold=threshold,
        metrics={"train_loss": trained.learning_curve["train"][trained.best_round]},
    )


def _all_rows(view: pa.Table, *, use_case: UseCase) -> Split:
    """A split that leaves no row to stop or judge by."""
    nothing = np.array([], dtype=np.int64)
    positives = int(labels_of(view).sum()) if isinstance(use_case.task, Binary) else 0
    days = {}
    if "event_time" in view.column_names:
        known = view.column("event_time").to_numpy().astype("datetime64[D]")
        days = {"first": known.min().item(), "last": known.max().item()}
    return Split(
        train=Part(name="train", rows=np.arange(view.num_rows), positives=positives, **days),
        validation=Part(name="validation", rows=nothing, positives=0),
        test=Part(name="test", rows=nothing, positives=0),
    )
