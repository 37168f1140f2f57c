"""A cell before it is known how many others there are: what was seen and what is usual. ``judged`` says the rest.

The chance that a cell may alarm by itself follows from how many cells share it, so bounds, the smallest detectable
shift and the verdict come last. Which cells there are is in ``cells.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from scipy.special import ndtri

from mlops_assets.watch.served.report import Cell, Order, Span
from mlops_assets.watch.served.series import Scale, from_scale
from mlops_assets.watch.served.slow import LOOKED_BACK, Run, days_between, threshold
from mlops_assets.watch.served.usual import chance_of, count_bounds, reach

WORTH_OF_ERRORS, WORTH_OF_FLAGS = 0.01, 0.1
"""Shares of answers that failed, and of those with a flag or asked again: what is that near to usual is nothing to
tell. Days on which many flights are cancelled have 8 % without a known aircraft.
"""
WORTH_OF_TRAFFIC = 0.25
"""Of the usual count: who is woken for less would learn not to wake up."""
_FOUND = float(ndtri(0.8))
"""Deviations beyond a bound where four of five are found."""
_NEITHER = "neither the lowest nor the highest possible figure would be an alarm"
_NO_FALL, _NO_RISE = "no fall would be an alarm, only a rise", "no rise would be an alarm, only a fall"


@dataclass(frozen=True, kw_only=True)
class Draft(ABC):
    """What a cell is of; ``lacking`` says why it cannot be judged, if so."""

    order: Order
    family: str
    metric: str
    scope: str
    span: Span
    n: int
    value: float
    figure: float
    hour: int | None = None
    gap: Literal["", "rest", "day"] = ""
    lacking: str = ""

    def judged(self, *, chance: float) -> Cell:
        """The cell, if it may alarm by chance that often a day."""
        bounds = None if self.lacking else self._bounds(chance=chance)
        if bounds is None:
            return self._cell(verdict="cannot be judged", why=self.lacking)
        if bounds.low is None and bounds.high is None:
            return self._cell(usual=bounds.usual, verdict="cannot be judged", why=_NEITHER)
        return self._cell(
            usual=bounds.usual,
            low=bounds.low,
            high=bounds.high,
            detectable=bounds.detectable,
            p_value=bounds.p_value,
            since=bounds.since,
            verdict="unusual" if bounds.outside else "usual",
            why=_NO_FALL * (bounds.low is None) + _NO_RISE * (bounds.high is None),
        )

    def _cell(self, **judged: object) -> Cell:
        names = ("order", "metric", "scope", "span", "hour", "gap", "n", "value", "figure")
        return Cell.model_validate({name: getattr(self, name) for name in names} | judged)

    @abstractmethod
    def _bounds(self, *, chance: float) -> Bounds: ...


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What is usual of a value; no bound (``None``) where nothing could be beyond it."""

    usual: float
    low: float | None
    high: float | None
    detectable: float
    p_value: float
    outside: bool
    since: date | None = None


@dataclass(frozen=True, kw_only=True)
class Smooth(Draft):
    """A mean or share. ``seen`` and ``level`` are what was and what is usual on its ``scale``, less ``base``: that of
    the other rows, if it has a gap. ``deviation`` is the standard deviation of seen less level, ``alarms`` the sides
    (-1: too low) that are a reason for one.
    """

    scale: Scale
    seen: float
    level: float
    deviation: float
    freedom: float
    base: float = 0.0
    alarms: tuple[int, ...] = (-1, 1)

    def _bounds(self, *, chance: float) -> Bounds:
        far = float(reach(self.freedom, chance=chance * 2 / len(self.alarms)))
        least, most = self.possible
        sides = {side: self.level + side * far * self.deviation for side in self.alarms}
        can = {side: end for side, end in sides.items() if (end > least if side < 0 else end < most)}
        usual = self.value_of(self.level)
        found = [np.clip(end + side * _FOUND * self.deviation, least, most) for side, end in can.items()]
        return Bounds(
            usual=usual,
            low=self.value_of(can[-1]) if -1 in can else None,
            high=self.value_of(can[1]) if 1 in can else None,
            detectable=min((abs(self.value_of(float(level)) - usual) for level in found), default=0.0),
            p_value=float(chance_of((self.seen - self.level) / self.deviation, freedom=self.freedom)),
            outside=any(self.seen < end if side < 0 else self.seen > end for side, end in can.items()),
        )

    @property
    def possible(self) -> tuple[float, float]:
        """The lowest and the highest that can be seen."""
        low, high = (0.0, np.pi / 2) if self.scale == "share" else (-np.inf, np.inf)
        return low - self.base, high - self.base

    def value_of(self, level: float) -> float:
        """What is told for that level."""
        figure = from_scale(self.base + level, scale=self.scale)
        return figure - from_scale(self.base, scale=self.scale) if self.gap else figure


@dataclass(frozen=True, kw_only=True)
class Slow(Smooth):
    """Small shifts added up: ``run`` in whitened deviations, of which one is ``deviation`` on the scale when it stays.

    ``seen`` is the mean of the run's days, ``unsure`` by how much the sum varies more because what is usual is itself
    only estimated. It is unusual if so high a sum comes more seldom than ``chance``.
    """

    run: Run
    began: date
    allowance: float
    unsure: float

    def _bounds(self, *, chance: float) -> Bounds:
        limit = threshold(1 / chance, allowance=self.allowance) * self.unsure
        far = self.allowance + limit / max(self.run.days, 1)
        least = self.allowance + (limit + _FOUND * np.sqrt(LOOKED_BACK)) / LOOKED_BACK
        usual, outside = self.value_of(self.level), self.run.high > limit and self.run.side in self.alarms
        height = days_between(self.run.high / self.unsure, allowance=self.allowance)
        return Bounds(
            usual=usual,
            low=self.value_of(self.level - far * self.deviation) if -1 in self.alarms else None,
            high=self.value_of(self.level + far * self.deviation) if 1 in self.alarms else None,
            detectable=abs(self.value_of(self.level + max(self.alarms) * least * self.deviation) - usual),
            p_value=1 / max(height, 1.0),
            outside=outside,
            since=self.began if outside else None,
        )


@dataclass(frozen=True, kw_only=True)
class Rare(Draft):
    """A count, or ``of`` rows the share for which something holds. ``rate`` is what is usual, ``between`` its relative
    variance from time to time and ``error`` that of the rate itself. What is within ``worth`` of the rate is nothing to
    tell.
    """

    count: float
    of: float | None
    rate: float
    between: float
    error: float
    worth: float = 0.0

    def _bounds(self, *, chance: float) -> Bounds:
        rows = self.of or 1.0
        turned = self.of is not None and self.rate > 0.5
        count, rate = (rows - self.count, 1 - self.rate) if turned else (self.count, self.rate)
        mean = max(rate * rows, 1e-6)
        made = count_bounds(count, mean=mean, between=self.between, error=self.error * mean**2, chance=chance)
        low, high = made.low, made.high
        low, high = min(low, mean - self.worth * rows), max(high, mean + self.worth * rows)
        can_fall, can_rise = low > 0, self.of is None or high < self.of
        shifts = [high - mean + _FOUND * self._spread(high)] if can_rise else []
        shifts += [min(mean - low + _FOUND * self._spread(low), mean)] if can_fall else []
        ends = [low / rows if can_fall else None, high / rows if can_rise else None]
        if turned:
            ends = [None if end is None else 1 - end for end in reversed(ends)]
        return Bounds(
            usual=self.rate,
            low=ends[0],
            high=ends[1],
            detectable=min(shifts, default=0.0) / rows,
            p_value=made.p_value,
            outside=bool((can_fall and count < low) or (can_rise and count > high)),
        )

    def _spread(self, mean: float) -> float:
        return float(np.sqrt(mean + self.between * mean**2))
