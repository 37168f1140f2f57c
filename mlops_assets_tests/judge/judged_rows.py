"""Labels, scores and slice columns of a made-up model, small enough to see through."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.slices import Slice
from mlops_assets.contract.tasks import BINARY
from mlops_assets.judge.families import judged_rows
from mlops_assets.judge.metrics import metric_named

CARRIER = Slice(name="carrier", columns=("carrier",))
ORIGIN = Slice(name="origin", columns=("origin",))
CROSS = Slice(name="carrier_x_origin", columns=("carrier", "origin"))


def make_rows(
    rows: int = 600, *, seed: int = 0, skill: float = 1.0, decimals: int = 2
) -> tuple[NDArray[np.float64], NDArray[np.float64], pa.Table]:
    """A calibrated model's labels and scores (with ties, by rounding), and the columns carrier and origin.

    ``skill`` is how far scores spread; with 0 every row has the same one.
    """
    generator = np.random.default_rng(seed)
    scores = np.round(1 / (1 + np.exp(1 - skill * generator.normal(size=rows))), decimals)
    labels = (generator.random(rows) < scores).astype(np.float64)
    columns = {
        "carrier": generator.choice(["AA", "B6", "OO", "UA"], rows, p=[0.4, 0.3, 0.05, 0.25]),
        "origin": generator.choice(["EWR", "JFK", "LGA"], rows),
    }
    return labels, scores, pa.table(columns)


def value_of(
    metric: str, labels: NDArray[np.generic], scores: NDArray[np.generic], *, weights: NDArray[np.float64] | None = None
) -> float:
    """The metric of two outcomes on one set of rows, however few they are."""
    nothing = pa.table({"row": np.arange(len(labels))})
    (judged,) = judged_rows(labels, scores, slice_columns=nothing, slices=(), weights=weights)
    return float(metric_named(metric, task=BINARY).figure(judged.family(judged.members[0])).value[0])
