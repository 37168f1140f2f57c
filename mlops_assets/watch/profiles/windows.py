"""A window of days as one batch: the merge of its days, judged beside the windows of its length before it.

How one batch is judged among others is in ``drift.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from mlops_assets.contract.drift import DriftPlan
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.profile import Profile, merge
from mlops_assets.watch.profiles.shift import DriftReport

WINDOWS = 28
"""How many windows before say what is normal from one to the next."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Days from ``first`` to ``last``, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"

    @property
    def days(self) -> tuple[str, ...]:
        """Its batches, in order."""
        return tuple(
            (self.first + timedelta(days=back)).isoformat() for back in range((self.last - self.first).days + 1)
        )

    @property
    def before(self) -> Window:
        """The window of the same length that ends the day before."""
        length = self.last - self.first + timedelta(days=1)
        return Window(first=self.first - length, last=self.last - length)


def windows_until(window: Window) -> list[Window]:
    """``window`` and the ``WINDOWS`` before it, latest first."""
    found = [window]
    while len(found) <= WINDOWS:
        found.append(found[-1].before)
    return found


def merged_windows(days: Mapping[str, Profile], *, until: Window) -> dict[str, Profile]:
    """The profiles of ``until`` and of the windows before it by their names, oldest first, as far back as ``days`` has
    each of their days; of ``until`` itself one is enough.
    """
    merged: dict[str, Profile] = {}
    for window in windows_until(until):
        known = [days[day] for day in window.days if day in days]
        if len(known) < (1 if window == until else len(window.days)):
            break
        merged[str(window)] = merge(known)
    return dict(reversed(merged.items()))


def compare_windows(merged: Mapping[str, Profile], *, plan: DriftPlan, ignored: Collection[str] = ()) -> DriftReport:
    """Judge the last of ``merged`` windows against the one before it, by how far each was from the one before."""
    last = max(merged)
    as_windows = replace(plan, reference="previous", window=WINDOWS)
    return compare(merged, batches=[last], plan=as_windows, ignored=ignored)[last]
