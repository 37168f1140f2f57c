"""What a figure of the past is given: the sums of an entity's measures over a window of days or hours, for many
rows at once."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Window(Protocol):
    """One window for each row asked for; arrays are of shape (rows,)."""

    def total(self, measure: str) -> NDArray[np.float64]:
        """The sum of ``measure``; NaN where the entity was not seen."""
        ...

    def days_since_last(self) -> NDArray[np.float64]:
        """Days from the last day it was seen to the day asked for; NaN where it was not. FeatureError for hours."""
        ...

    def extreme(self, measure: str, merge: str) -> NDArray[np.float64]:
        """The smallest (``min``) or largest (``max``) of ``measure``; NaN where it has none."""
        ...

    def merged(self, measure: str, merge: str) -> NDArray[np.int64]:
        """``measure`` merged over the window; the merge's neutral element where it was not seen."""
        ...

    @property
    def seen(self) -> NDArray[np.bool_]:
        """True where anything became known in the window."""
        ...
