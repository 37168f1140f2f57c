"""History views as declared: the past of an entity, and the figures made of it over windows of days or hours.

A window of days ends with the day before the prediction, one of hours with the minute before it: on day D one of w days
holds what became known on [D - w, D - 1], in minute M one of h hours what became known in [M - 60 h, M - 1]. So nothing
of the present day, or minute, is counted: what is known at the moment itself may be the outcome that is asked for.
Moments are cut to their minute on both sides, never rounded up. From when on something is known is said by the data
(``known_on``, ``known_at``) and by ``delay``, the time that publication takes.

Online, figures over days are those of the store's day, whatever the moment of a request; figures over hours are those
of its moment. They change only when a row comes into a window or leaves it, so the store holds a value for each such
minute from the day before its own on, no more, and a look-up takes the latest that was true then.

Each figure says how it is made of the sums over a window. Aggregating batches and adding rows up over a window is in
``features/history.py`` and ``features/roll_up.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mlops_assets.contract.declared_numbers import ONE_OR_MORE, refuse_numbers
from mlops_assets.contract.features import Feature
from mlops_assets.contract.window import Window

Merge = Literal["sum", "min", "max", "or"]


BITS = 62
"""Bits that one measure of a ``Distinct`` holds: a BIGINT's, without its sign and the one beside it."""


@dataclass(frozen=True, kw_only=True)
class HistoryFeature:
    """One figure over a window of an entity's past. ``windows`` (days) and ``hours`` override those of the view.

    ``merge`` is how the measures that it reads add up over rows and days.
    """

    merge: ClassVar[Merge] = "sum"
    name: str
    description: str
    windows: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        refuse_numbers(self, windows=ONE_OR_MORE, hours=ONE_OR_MORE)

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that it reads: its fields ``of``, ``per`` and ``squares``."""
        return tuple(name for role in ("of", "per", "squares") if (name := getattr(self, role, None)))

    def over(self, window: Window) -> NDArray[np.float64]:
        """The figure for every row of ``window``; NaN where nothing is known."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Count(HistoryFeature):
    """The sum of a measure that counts."""

    of: str

    def over(self, window: Window) -> NDArray[np.float64]:
        """The window's sum of ``of``."""
        return window.total(self.of)


@dataclass(frozen=True, kw_only=True)
class Mean(HistoryFeature):
    """``of`` divided by ``per``, both summed over the window; with a 0/1 measure this is a rate."""

    of: str
    per: str

    def over(self, window: Window) -> NDArray[np.float64]:
        """One division of two exact sums, hence independent of the order of arrival."""
        return window.total(self.of) / _positive(window.total(self.per))


@dataclass(frozen=True, kw_only=True)
class Deviation(HistoryFeature):
    """Standard deviation (of the population) from the sums of values and squares and the count."""

    of: str
    squares: str
    per: str

    def over(self, window: Window) -> NDArray[np.float64]:
        """sqrt(E[x²] - E[x]²), never below 0."""
        count = _positive(window.total(self.per))
        mean = window.total(self.of) / count
        return np.sqrt(np.maximum(window.total(self.squares) / count - mean * mean, 0.0))


@dataclass(frozen=True, kw_only=True)
class Recency(HistoryFeature):
    """Days from the last day on which the entity was seen to the day of prediction (1 = yesterday). It has no hours."""

    def over(self, window: Window) -> NDArray[np.float64]:
        """At least 1, at most the window's length."""
        return window.days_since_last()


@dataclass(frozen=True, kw_only=True)
class Lowest(HistoryFeature):
    """The smallest daily value of a measure that is a minimum."""

    of: str
    merge: ClassVar[Merge] = "min"

    def over(self, window: Window) -> NDArray[np.float64]:
        """The window's minimum of ``of``."""
        return window.extreme(self.of, self.merge)


@dataclass(frozen=True, kw_only=True)
class Highest(HistoryFeature):
    """The largest daily value of a measure that is a maximum."""

    of: str
    merge: ClassVar[Merge] = "max"

    def over(self, window: Window) -> NDArray[np.float64]:
        """The window's maximum of ``of``."""
        return window.extreme(self.of, self.merge)


@dataclass(frozen=True, kw_only=True)
class Distinct(HistoryFeature):
    """About how many different values there were, by linear counting (Whang et al. 1990): the same in any order.

    Every value sets one of ``words * BITS`` bits, in the measures ``<of>_0``, ``<of>_1`` … that the view's SQL makes by
    ``distinct_bits(value, 0, words) AS <of>_0`` and so on. With n bits, the standard error is about 3 % for n / 2
    values and 248 bits, 7 % for 2n; when every bit is set, the figure is the highest that can be told.
    """

    of: str
    words: int = 4
    merge: ClassVar[Merge] = "or"

    @property
    def measures(self) -> tuple[str, ...]:
        """One measure per word."""
        return tuple(f"{self.of}_{word}" for word in range(self.words))

    def over(self, window: Window) -> NDArray[np.float64]:
        """-n ln(share of bits not set)."""
        bits = self.words * BITS
        counted = [bits * math.log(bits / max(bits - count, 1)) for count in range(bits + 1)]
        words = [np.bitwise_count(window.merged(name, self.merge)) for name in self.measures]
        return np.where(window.seen, np.array(counted)[np.sum(words, axis=0, dtype=np.int64)], np.nan)


@dataclass(frozen=True, kw_only=True)
class HistoryView:
    """The past of one kind of entity; without ``keys`` that of all rows together, as a series has it.

    ``sql`` reads the validated sources (each with a column ``batch``) and declared relations, and yields
    ``batch``, the ``keys``, ``known_on`` (DATE, the day on which the outcome became known) and integer
    measures (BIGINT). A view with ``hours`` yields ``known_at`` (TIMESTAMP, on the clock of ``event_time``) in its
    place; ``delay`` after that it may be used. ``windows`` are days.
    """

    name: str
    keys: tuple[str, ...]
    sql: Path
    features: tuple[HistoryFeature, ...]
    windows: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    delay: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        refuse_numbers(self, windows=ONE_OR_MORE, hours=ONE_OR_MORE)

    def columns(self) -> Iterator[tuple[str, HistoryFeature, int]]:
        """Name, feature and window of every column that this view gives: over days, then over hours."""
        yield from self.day_columns()
        yield from self.hour_columns()

    def day_columns(self) -> Iterator[tuple[str, HistoryFeature, int]]:
        """Those over windows of days, e.g. ``carrier__late_rate_28d``."""
        for feature in self.features:
            for window in feature.windows or (() if feature.hours else self.windows):
                yield f"{self.name}__{feature.name}_{window}d", feature, window

    def hour_columns(self) -> Iterator[tuple[str, HistoryFeature, int]]:
        """Those over windows of hours, e.g. ``carrier__late_rate_3h``."""
        for feature in self.features:
            for window in feature.hours or (() if feature.windows else self.hours):
                yield f"{self.name}__{feature.name}_{window}h", feature, window

    @property
    def by_minute(self) -> bool:
        """Whether it has windows of hours, and so knows of every row the minute in which it became known."""
        return any(self.hour_columns())

    @property
    def known(self) -> str:
        """The column of its SQL that says from when on a row is known."""
        return "known_at" if self.by_minute else "known_on"

    @property
    def longest(self) -> int:
        """How many days before the day of prediction the longest window begins."""
        days = (window for _, _, window in self.day_columns())
        hours = (math.ceil(window / 24) for _, _, window in self.hour_columns())
        return max((*days, *hours))


def history_features(views: Sequence[HistoryView], *, owner: str = "") -> tuple[Feature, ...]:
    """Every column of ``views`` declared as a numeric feature of the model."""
    return tuple(
        Feature(
            name=name,
            kind="numeric",
            owner=owner,
            description=f"{feature.description}, {_grouped(view)}, over {before(window)}.",
        )
        for view in views
        for columns, before in ((view.day_columns(), _days_before), (view.hour_columns(), _hours_before))
        for name, feature, window in columns
    )


def _grouped(view: HistoryView) -> str:
    return f"per {' and '.join(view.keys)}" if view.keys else "over all rows"


def _days_before(days: int) -> str:
    return "the day before" if days == 1 else f"the {days} days before"


def _hours_before(hours: int) -> str:
    return "the hour before" if hours == 1 else f"the {hours} hours before"


def _positive(count: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(count > 0, count, np.nan)
