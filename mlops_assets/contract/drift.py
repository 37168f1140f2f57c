"""What a batch's distributions are compared with, as declared. Comparing is in ``watch/profiles/drift.py``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlops_assets.contract.declared_numbers import (
    BETWEEN_ZERO_AND_ONE,
    MORE_THAN_ONE,
    ONE_OR_MORE,
    ZERO_OR_MORE,
    refuse_numbers,
)
from mlops_assets.contract.errors import DeclarationError

Reference = Literal["trailing", "same weekday", "previous"]

LEAST_EFFECTS: Mapping[str, float] = {
    "jensen_shannon": 0.1,
    "wasserstein": 0.1,
    "missing_share": 0.02,
    "unseen_share": 0.02,
    "outside_share": 0.98,
    "off_grid_share": 0.9,
    "segment_gap": 2.0,
}
"""The measures that are judged, and what is too small to matter however normal it is to be smaller.

``unseen_share`` is that of texts the reference lacks. ``outside_share`` is that of numbers beyond its least or
greatest: nearly all of them, whatever is usual, for a cold front brings some, another unit all. ``off_grid_share`` is
that of numbers which a reference of few values lacks, nearly all again: whole degrees of wind have none, radians
nothing else.
``wasserstein`` and ``segment_gap`` (how far a segment is from the other rows of its batch, beside how far it usually
is) are in standard deviations of the reference; ``missing_share`` is a difference of shares.
"""
PLAIN = frozenset({"became_constant", "all_missing", "vanished", "same_rows", "copied_segment"})
"""Faults that are there or not, which is 1 or 0; what is usual of them is never learnt."""
BOUNDED = frozenset({"jensen_shannon", "missing_share", "unseen_share", "outside_share", "off_grid_share"})
"""Measures that are never above 1, so that no bound of theirs may be."""
REFUSED_EFFECTS: Mapping[str, float] = {
    "jensen_shannon": 0.9,
    "wasserstein": 20.0,
    "missing_share": 0.9,
    "unseen_share": 0.9,
    "off_grid_share": 1.0,
    "segment_gap": 20.0,
    "same_rows": 1.0,
}
"""A whole batch that is as far as this in a column (or a segment that is so far from the others), and beyond what is
usual, is not published. The others happen in good batches too (a clean day of 2013 has all of its air pressure beyond
that of the four weeks before), and only refuse where a plan says so.
"""


@dataclass(frozen=True, kw_only=True)
class DriftPlan:
    """How batches are compared. ``window`` counts days (or batches with names): so far back the trailing reference and
    the past that calibrates reach; same weekdays are those of twice as many days, previous is the one before alone.

    ``bounds`` are declared by (column, measure) and then hold in every segment; beyond them a batch is unusual.
    ``refused`` are those from which on a batch is not published, by measure, of ``PLAIN`` ones 1; a measure that is not
    named never refuses.
    A reference needs ``minimum_batches``, unless it is the batch before alone, and the past ``minimum_past`` of them to
    be learnt from.
    """

    reference: Reference = "trailing"
    window: int = 28
    minimum_batches: int = 4
    minimum_past: int = 14
    minimum_rows: int = 40
    false_alarm_rate: float = 0.01
    bounds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    refused: Mapping[str, float] = field(default_factory=lambda: dict(REFUSED_EFFECTS))

    def __post_init__(self) -> None:
        refuse_numbers(
            self,
            window=ONE_OR_MORE,
            minimum_batches=ONE_OR_MORE,
            minimum_past=MORE_THAN_ONE,
            minimum_rows=ONE_OR_MORE,
            false_alarm_rate=BETWEEN_ZERO_AND_ONE,
            bounds=ZERO_OR_MORE,
            refused=ZERO_OR_MORE,
        )
        self._refuse_unreachable()
        _refuse_unknown({measure for _, measure in self.bounds}, known=LEAST_EFFECTS)
        _refuse_unknown(set(self.refused), known=(*LEAST_EFFECTS, *sorted(PLAIN)))

    def _refuse_unreachable(self) -> None:
        """What a window never holds and a share never reaches would judge nothing."""
        batches = 2 * self.window // 7 if self.reference == "same weekday" else self.window
        for name, needed, most in (
            ("minimum_batches", 1 if self.reference == "previous" else self.minimum_batches, batches),
            ("minimum_past", self.minimum_past, self.window),
        ):
            if needed > most:
                raise DeclarationError(
                    f"{name} of DriftPlan is {needed}, and a window of {self.window} has at most {most}: nothing would "
                    f"be judged. Declare a smaller {name} or a larger window."
                )
        of_bounds = [(f"bounds[{key!r}]", key[1], value) for key, value in self.bounds.items()]
        of_refused = [(f"refused[{measure!r}]", measure, value) for measure, value in self.refused.items()]
        for name, measure, value in (*of_bounds, *of_refused):
            if measure in BOUNDED | PLAIN and value > 1:
                raise DeclarationError(f"{name} of DriftPlan is {value}: {measure} is never above 1.")


def _refuse_unknown(measures: set[str], *, known: Collection[str]) -> None:
    if unknown := sorted(measures - set(known)):
        raise DeclarationError(f"Unknown measures {unknown} in bounds. Measures: {', '.join(known)}.")
