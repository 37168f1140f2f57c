"""What it costs to test many claims together: corrections by family-wise error and by the rate of false discoveries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values corrected for how many claims are tested together (Holm 1979), in the order given."""
    ascending = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [0.0] * len(p_values), 0.0
    for done, i in enumerate(ascending):
        highest = max(highest, min(1.0, (len(p_values) - done) * p_values[i]))
        corrected[i] = highest
    return tuple(corrected)


def discoveries(p_values: Floats, *, rate: float) -> NDArray[np.bool_]:
    """Which hypotheses are rejected at false discovery ``rate`` (Benjamini and Hochberg, JRSS B 57, 1995)."""
    count = len(p_values)
    if count == 0:
        return np.zeros(0, dtype=np.bool_)
    ordered = np.sort(p_values)
    passing = np.flatnonzero(ordered <= rate * np.arange(1, count + 1) / count)
    limit = ordered[passing[-1]] if len(passing) else -1.0
    return np.asarray(p_values <= limit, dtype=np.bool_)
