"""What `serving.py` asks: the requests of the day that the demo serves, in the words of each contender.

Belongs here: rows, their features made beforehand for those that take them ready, and files of bodies for `wrk`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving_bare_model import BareModel
from mlops_assets.use_cases import registry

DISTINCT = 100
"""Bodies of several rows that differ; of single rows there are as many as the day has flights."""


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Rows as a caller sends them, and the same rows as ``names`` of features, None for missing."""

    rows: Sequence[Mapping[str, Any]]
    names: Sequence[str]
    features: Sequence[Sequence[float | None]]


Wording = Callable[[Requests, Sequence[int]], object]
"""Makes a body of the rows with these numbers."""


def requests_of(bare: BareModel) -> Requests:
    """All requests of the day that the demo serves."""
    seed = registry.find("flights").seed
    rows = seed.requests(seed.served)
    features = [[_short(value) for value in row] for row in bare.features(rows)]
    return Requests(rows=rows, names=bare.names, features=features)


def as_rows(requests: Requests, numbers: Sequence[int]) -> object:
    """For the product and the bare service."""
    return {"rows": [requests.rows[number] for number in numbers]}


def as_features(requests: Requests, numbers: Sequence[int]) -> object:
    """For the bare service with features that are there already."""
    return {"rows": [requests.features[number] for number in numbers]}


def as_split_rows(requests: Requests, numbers: Sequence[int]) -> object:
    """For MLflow, whose most compact words for a frame these are."""
    names = list(requests.rows[0])
    return {"dataframe_split": {"columns": names, "data": [list(requests.rows[n].values()) for n in numbers]}}


def as_split_features(requests: Requests, numbers: Sequence[int]) -> object:
    """The same for features that are there already; NaN for missing, as null makes no column of floats there."""
    data = [[math.nan if value is None else value for value in requests.features[number]] for number in numbers]
    return {"dataframe_split": {"columns": requests.names, "data": data}}


def write_bodies(path: Path, *, requests: Requests, wording: Wording, rows: int) -> Path:
    """A file with one body of ``rows`` rows a line."""
    count = len(requests.rows)
    starts = range(count) if rows == 1 else range(0, count, max(count // DISTINCT, 1))
    bodies = (wording(requests, [(start + step) % count for step in range(rows)]) for start in starts)
    path.write_text("".join(json.dumps(body, separators=(",", ":")) + "\n" for body in bodies))
    return path


def _short(value: np.float32) -> float | None:
    """As few digits as make the same float32."""
    return None if np.isnan(value) else float(str(value))
