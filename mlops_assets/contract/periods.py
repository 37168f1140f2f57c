"""Periods of time as batches are named by them: days, weeks and months, the gaps between, and how many are said.

A name sorts as its time does: ``2013-02-01``, ``2013-W05`` (ISO 8601, from Monday on), ``2013-02``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise

SAID = 5
LEARNT_WEEKS = 3
"""A weekday on which in so many weeks nothing has come is one on which nothing comes: no day of it is missing."""
_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_SHAPES = {10: "day", 8: "week", 7: "month"}


class Period(StrEnum):
    """How long a batch lasts that is named for its time."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def form(self) -> str:
        """How a moment is written as the name of its period, for ``strftime``."""
        return {Period.DAY: "%Y-%m-%d", Period.WEEK: "%G-W%V", Period.MONTH: "%Y-%m"}[self]

    @property
    def example(self) -> str:
        """A name."""
        return self.name_of(date(2013, 1, 31))

    def name_of(self, day: date) -> str:
        """The period that a day lies in."""
        if self is Period.WEEK:
            year, week, _ = day.isocalendar()
            return f"{year:04}-W{week:02}"
        return day.isoformat()[: 7 if self is Period.MONTH else 10]

    def first_day(self, name: str) -> date:
        """The day on which a period begins; a ValueError if there is none of that name."""
        if not self.is_name(name):
            raise ValueError(f"'{name}' is no {self}, such as {self.example}.")
        return _first_day(self, name)

    def last_day(self, name: str) -> date:
        """The day on which a period ends."""
        number = self._number(name)
        return _day_of(self, number + 1) - timedelta(days=1)

    def is_name(self, text: str) -> bool:
        """Whether a period has that very name."""
        try:
            return self.name_of(_first_day(self, text)) == text
        except ValueError:
            return False

    def _number(self, name: str) -> int:
        """Counts periods, so that the next one has the next number."""
        day = self.first_day(name)
        if self is Period.MONTH:
            return day.year * 12 + day.month - 1
        return day.toordinal() if self is Period.DAY else day.toordinal() // 7

    def between(self, one: str, other: str) -> int:
        """How many periods ``other`` is after ``one``."""
        return self._number(other) - self._number(one)

    def after(self, name: str, *, number: int) -> str:
        """The period so many later."""
        return self.name_of(_day_of(self, self._number(name) + number))


def stretches(names: Iterable[str]) -> list[list[str]]:
    """``names`` of periods of one kind in order, cut where one is missing."""
    cut: list[list[str]] = []
    for name in sorted(set(names)):
        if cut and _kind(name).between(cut[-1][-1], name) == 1:
            cut[-1].append(name)
        else:
            cut.append([name])
    return cut


def missing_periods(names: Iterable[str]) -> tuple[str, ...]:
    """The periods between the first and the last of ``names`` that are none of them, in order; of days not those of a
    weekday that has never come.
    """
    there = sorted(set(names))
    missing = [
        _kind(one).after(one, number=number)
        for one, other in pairwise(there)
        for number in range(1, _kind(one).between(one, other))
    ]
    if not missing or _kind(there[0]) is not Period.DAY or Period.DAY.between(there[0], there[-1]) < 7 * LEARNT_WEEKS:
        return tuple(missing)
    coming = {_weekday(day) for day in there}
    return tuple(day for day in missing if _weekday(day) in coming)


def said_periods(names: Iterable[str]) -> str:
    """``2013-07-06, 2013-07-08 to 2013-07-10``: the first few stretches, and how many more there are."""
    cut = stretches(names)
    said = [each[0] if len(each) == 1 else f"{each[0]} to {each[-1]}" for each in cut[:SAID]]
    left = sum(map(len, cut[SAID:]))
    return ", ".join(said) + (f" and {left} more" if left else "")


def _kind(name: str) -> Period:
    return Period(_SHAPES[len(name)])


def _weekday(day: str) -> int:
    return date.fromisoformat(day).weekday()


def _first_day(period: Period, name: str) -> date:
    if period is Period.WEEK:
        if not (parts := _WEEK.fullmatch(name)):
            raise ValueError(name)
        return date.fromisocalendar(int(parts[1]), int(parts[2]), 1)
    return date.fromisoformat(f"{name}-01" if period is Period.MONTH else name)


def _day_of(period: Period, number: int) -> date:
    """The first day of the period with that number."""
    if period is Period.MONTH:
        return date(number // 12, number % 12 + 1, 1)
    return date.fromordinal(number if period is Period.DAY else number * 7 + 1)
