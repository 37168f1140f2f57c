"""Does what is unusual go on from the batches before it? A level that stays is told as new once, where it begins.

What alarmed says nothing of what is usual until a person accepts it (``drift.py``), so a level that stays, such as a
new timetable, is unusual in every batch after it. Time series analysis calls it a level shift, one event, and tells it
apart from outliers, each an event of its own (R. S. Tsay, "Outliers, level shifts, and variance changes in time
series", Journal of Forecasting 7, 1988). So a shift goes on if its column has been unusual in every batch since some
batch, and this one is no farther from the merge of those than batches usually are, or chance explains it: the rule
that every verdict follows. Whatever is farther from them is new, however long the column has been unusual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlops_assets.watch.profiles.cells import Flags, Ints
from mlops_assets.watch.profiles.measures import Compared, Referred, measure_scopes
from mlops_assets.watch.profiles.series import ColumnSeries
from mlops_assets.watch.profiles.shift import DriftReport, Shift

Unusual = Mapping[str, frozenset[str]]
"""By batch, the columns that were unusual in it and that nobody accepted."""


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The batches ``names`` in order with their ``series`` by column and scope. ``chosen`` says which batches are in
    the reference of which, so far back a level is followed; ``rate`` is that of chance.
    """

    names: Sequence[str]
    series: Mapping[str, Mapping[str, ColumnSeries]]
    chosen: Flags
    rate: float

    def continued(self, report: DriftReport, *, unusual: Unusual) -> DriftReport:
        """The same, where every shift that goes on says since when."""
        number = self.names.index(report.batch)
        compared: dict[tuple[str, str, str], tuple[Compared, Ints]] = {}
        for column in report.moved_columns & self.series.keys():
            starts = self._starts(number, column=column, unusual=unusual)
            measured = self._compared(number, column=column, starts=starts) if len(starts) else {}
            compared |= {(scope, column, measure): (each, starts) for (scope, measure), each in measured.items()}
        return replace(report, shifts=tuple(self._dated(shift, compared) for shift in report.shifts))

    def _starts(self, number: int, *, column: str, unusual: Unusual) -> Ints:
        """The batches since each of which the column has been unusual, ascending."""
        start = number
        while start and self.chosen[number, start - 1] and column in unusual.get(self.names[start - 1], ()):
            start -= 1
        return np.arange(start, number, dtype=np.int64)

    def _compared(self, number: int, *, column: str, starts: Ints) -> dict[tuple[str, str], Compared]:
        """The batch in every scope of a column, against the batches since each of ``starts``."""
        place = np.arange(len(self.names))[None, :]
        referred = Referred.of(
            np.asarray((place >= starts[:, None]) & (place < number)),
            rows=np.full(len(starts), number),
            enough=np.ones(len(starts), dtype=np.bool_),
        )
        return measure_scopes(self.series[column], referred=referred)

    def _dated(self, shift: Shift, compared: Mapping[tuple[str, str, str], tuple[Compared, Ints]]) -> Shift:
        key = (shift.scope, shift.column, shift.measure)
        if shift.verdict != "moved" or shift.bound is None or key not in compared:
            return shift
        measured, starts = compared[key]
        since = _begun(measured, bound=shift.bound, rate=self.rate)
        return shift if since is None else replace(shift, since=self.names[starts[since]])


def _begun(measured: Compared, *, bound: float, rate: float) -> int | None:
    """The first start from which the batch is within its bound, else the nearest that chance allows; NaN is neither."""
    within = measured.found <= bound
    by_chance = measured.p_value >= rate
    if within.any():
        return int(np.argmax(within))
    return int(np.argmin(np.where(by_chance, measured.found, np.inf))) if by_chance.any() else None
