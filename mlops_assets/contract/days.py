"""Days as batches are named by them: stretches without a gap, the gaps between, and how many of them are said."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise

SAID = 5


def stretches(days: Iterable[str]) -> list[list[str]]:
    """``days`` in order, cut where one is missing."""
    cut: list[list[str]] = []
    for day in sorted(set(days)):
        if cut and _between(cut[-1][-1], day) == 1:
            cut[-1].append(day)
        else:
            cut.append([day])
    return cut


def missing_days(days: Iterable[str]) -> tuple[str, ...]:
    """The days between the first and the last of ``days`` that are none of them, in order."""
    return tuple(
        (date.fromisoformat(one) + timedelta(days=after)).isoformat()
        for one, other in pairwise(sorted(set(days)))
        for after in range(1, _between(one, other))
    )


def said_days(days: Iterable[str]) -> str:
    """``2013-07-06, 2013-07-08 to 2013-07-10``: the first few stretches, and how many more days there are."""
    cut = stretches(days)
    said = [each[0] if len(each) == 1 else f"{each[0]} to {each[-1]}" for each in cut[:SAID]]
    left = sum(map(len, cut[SAID:]))
    return ", ".join(said) + (f" and {left} more" if left else "")


def _between(one: str, other: str) -> int:
    return (date.fromisoformat(other) - date.fromisoformat(one)).days
