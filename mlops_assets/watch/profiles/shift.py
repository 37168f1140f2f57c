"""What comparing a batch with its reference answers: one shift for each measure of each column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.profiles.reaches import smallest_change

Verdict = Literal["normal", "moved", "cannot be judged", "insufficient data"]


@dataclass(frozen=True, kw_only=True)
class Shift:
    """One measure of one column in one scope, ``against`` the batches of its reference.

    ``bound`` and ``p_value`` are ``None`` where nothing could be judged, and ``why`` says so. ``reach`` is the farthest
    that a batch can be from this reference. ``detail`` tells what a plain fault is about (``plain_faults.py``),
    ``since`` the batch that a shift goes on from (``levels.py``), empty where it is new.
    """

    scope: str
    column: str
    measure: str
    found: float
    bound: float | None
    p_value: float | None
    rows: int
    reference_rows: int
    verdict: Verdict
    why: str = ""
    reach: float | None = None
    rarest: float = 0.0
    against: tuple[str, ...] = ()
    detail: str = ""
    since: str = ""

    @property
    def smallest_change(self) -> float | None:
        """The smallest change that would have been noticed; ``None`` where nothing could be judged."""
        if self.bound is None or self.verdict in ("cannot be judged", "insufficient data"):
            return None
        return smallest_change(self.measure, bound=self.bound, rarest=self.rarest)


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """One batch against its ``reference`` batches: every shift of the whole batch, and those of segments that moved.

    ``raw`` has further distances of the whole batch, by column and name. ``judged`` counts the comparisons with a
    verdict in all scopes, ``blind`` those whose past is too wild for one.
    """

    batch: str
    reference: tuple[str, ...]
    shifts: tuple[Shift, ...]
    raw: Mapping[str, Mapping[str, float]]
    judged: int
    blind: int = 0

    @property
    def moved(self) -> tuple[Shift, ...]:
        """The shifts over their bound, the whole batch first, then the farthest beyond it."""
        found = [shift for shift in self.shifts if shift.verdict == "moved"]
        return tuple(sorted(found, key=lambda s: (s.scope != OVERALL, -s.found / (s.bound or 1.0), s.scope, s.column)))

    @property
    def moved_columns(self) -> frozenset[str]:
        """The columns that moved in the batch or in a segment of it."""
        return frozenset(shift.column for shift in self.moved)
