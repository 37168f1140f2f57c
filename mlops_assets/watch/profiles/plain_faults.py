"""What is wrong whatever is usual: a column that became constant or wholly missing, a value that vanished, the same
rows as another batch or another segment.

None of these needs a scale to be learnt, so that they are seen in columns that are too wild to be judged by distance.
Each is beyond chance, as the past has it, or it is not told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np
from scipy.special import bdtrc, stdtr

from mlops_assets.contract.slices import MISSING, OVERALL
from mlops_assets.watch.profiles.cells import Flags, Floats, Ints
from mlops_assets.watch.profiles.profile import CATEGORY
from mlops_assets.watch.profiles.series import ColumnSeries
from mlops_assets.watch.profiles.shift import Shift

BECAME_CONSTANT, ALL_MISSING, VANISHED = "became_constant", "all_missing", "vanished"
SAME_ROWS, COPIED_SEGMENT = "same_rows", "copied_segment"
FEWEST_ROWS = 20
"""Of fewer rows nothing is told: a few may all be alike."""
_TELLING_COLUMNS, _TELLING_VALUES = 3, 30
"""Rows are the same if at least so many columns with several values, and so many values, are the same in every count.
"""
_GONE = 0.2
"""A value has vanished if no more than this part of its usual rows is left."""
_NEARLY_ALL, _CLEARLY = 0.85, 0.25
"""A column is as good as constant or missing in the first part of the rows, if the past always had less by the second.
"""
_FLAT = 1e-12
"""Squares below this part of the squared mean are rounding."""

Counted = Callable[[str], Flags]
"""By column, which batches count as the past of the one judged."""


@dataclass(frozen=True, kw_only=True)
class SeriesFacts:
    """A series with what is asked of it for every batch."""

    series: ColumnSeries

    @cached_property
    def present(self) -> Floats:
        return self.series.rows - self.series.missing

    @cached_property
    def constant(self) -> Flags:
        """The batches with one value in every row that has any."""
        series = self.series
        flat = series.squares <= _FLAT * np.maximum(self.present * series.mean**2, 1e-300)
        one: Flags = ((series.counts > 0).sum(axis=1) == 1) & (series.overlooked == 0)
        return one & (flat if series.kind != CATEGORY else True)

    @cached_property
    def commonest(self) -> Floats:
        """The share of the commonest value of a batch."""
        share: Floats = self.series.counts.max(axis=1, initial=0.0) / np.maximum(self.present, 1.0)
        return share

    def value(self, batch: int) -> str:
        """The commonest value of a batch, or where its cell begins."""
        cell = int(np.argmax(self.series.counts[batch]))
        return self.series.texts[cell] if self.series.kind == CATEGORY else f"{self.series.values[cell]:g}"

    def print_of(self, batch: int) -> bytes | None:
        """All counts of a batch; ``None`` of a column that says nothing there."""
        if self.constant[batch] or not self.present[batch]:
            return None
        counts = self.series.counts[batch]
        there = np.flatnonzero(counts)
        words = "\n".join(self.series.texts[at] for at in there).encode() if self.series.kind == CATEGORY else b""
        numbers = b"" if self.series.kind == CATEGORY else self.series.values[there].tobytes()
        return b"".join([words, numbers, counts[there].tobytes(), f"{self.series.missing[batch]}".encode()])


@dataclass(frozen=True, kw_only=True)
class PlainFaults:
    """Looks for plain faults among ``facts``, the series of all batches; ``names`` are these batches, in order.

    ``rate`` is that of false alarms in a batch, ``minimum_batches`` and ``minimum_past`` how many batches must have
    been otherwise, and always had a value that vanished.
    """

    facts: Sequence[SeriesFacts]
    names: Sequence[str]
    rate: float
    minimum_batches: int
    minimum_past: int
    _prints: dict[tuple[str, int], tuple[tuple[str, bytes], ...] | None] = field(default_factory=dict)

    def of(self, batch: int, *, chosen: Flags, counted: Counted) -> Iterator[Shift]:
        """The faults of one batch beside its past: the ``chosen`` batches of it that are ``counted``."""
        whole: set[tuple[str, str]] = set()
        for facts in sorted(self.facts, key=lambda each: each.series.scope != OVERALL):
            past = np.flatnonzero(chosen & counted(facts.series.column))
            for shift in self._of_series(facts, batch=batch, past=past):
                if (shift.column, shift.measure) not in whole:
                    yield shift
                if shift.scope == OVERALL:
                    whole.add((shift.column, shift.measure))
        yield from self._same_rows(batch, past=np.flatnonzero(chosen))
        yield from self._copied(batch, past=np.flatnonzero(chosen))

    @cached_property
    def _level(self) -> float:
        return self.rate / max(len(self.facts), 1)

    def _of_series(self, facts: SeriesFacts, *, batch: int, past: Ints) -> Iterator[Shift]:
        series = facts.series
        past = past[series.rows[past] >= FEWEST_ROWS]
        if series.rows[batch] < FEWEST_ROWS or len(past) < self.minimum_batches:
            return
        tell = _Teller(facts=facts, batch=batch, against=tuple(self.names[at] for at in past))
        before = facts.present[past] > 0
        if series.missing[batch] >= _NEARLY_ALL * series.rows[batch]:
            most = float((series.missing[past] / series.rows[past]).max())
            chance = _chance(series.missing[batch], of=series.rows[batch], usually=most)
            if chance < self._level:
                yield tell(ALL_MISSING, chance, _of(series.missing[batch], series.rows[batch]))
        elif facts.commonest[batch] >= _NEARLY_ALL and facts.present[batch] >= FEWEST_ROWS and before.all():
            most, many = float(facts.commonest[past].max()), facts.commonest[batch] * facts.present[batch]
            chance = _chance(many, of=facts.present[batch], usually=most)
            exact = facts.constant[batch] or (series.exact and series.overlooked[batch] == 0)
            if exact and not facts.constant[past].any() and chance < self._level:
                yield tell(BECAME_CONSTANT, chance, f"{facts.value(batch)}\n{_of(many, facts.present[batch])}")
        elif series.scope == OVERALL and series.kind == CATEGORY and len(past) >= self.minimum_past:
            yield from self._vanished(facts, batch=batch, past=past, tell=tell)

    def _vanished(self, facts: SeriesFacts, *, batch: int, past: Ints, tell: _Teller) -> Iterator[Shift]:
        series = facts.series
        if series.overlooked[batch] or series.overlooked[past].any():
            return
        expected = series.counts[past] * (series.rows[batch] / series.rows[past])[:, None]
        few = series.counts[batch] <= _GONE * np.median(expected, axis=0)
        lacking = np.flatnonzero((series.counts[past] > 0).all(axis=0) & few)
        for cell in lacking:
            before, left = expected[:, cell], int(series.counts[batch, cell])
            chance = _so_few(left, expected=before)
            if chance < self._level / len(lacking):
                usual = f"{np.median(before):.0f} ({before.min():.0f} to {before.max():.0f})"
                yield tell(VANISHED, chance, f"{series.texts[cell]}\n{left or 'no'}\n{usual}")

    def _same_rows(self, batch: int, *, past: Ints) -> Iterator[Shift]:
        """Every count of every column is that of the batch before, which no two in a row had in the past."""
        whole = self._scopes.get(OVERALL, ())
        if not whole or whole[0].series.rows[batch] < FEWEST_ROWS or len(past) < self.minimum_batches:
            return
        prints = [self._print(OVERALL, batch=int(at)) for at in (*past, batch)]
        alike = [one is not None and one == other for one, other in pairwise(prints)]
        if alike[-1] and not any(alike[:-1]):
            before = self.names[past[-1]]
            yield _Teller(facts=whole[0], batch=batch, against=(before,))(SAME_ROWS, 0.0, before)

    def _copied(self, batch: int, *, past: Ints) -> Iterator[Shift]:
        """Two segments with the same counts in every column, which they never had before."""
        if len(past) < self.minimum_batches:
            return
        large = [scope for scope, each in self._scopes.items() if each[0].series.rows[batch] >= FEWEST_ROWS]
        for one, other in combinations(sorted(scope for scope in large if "=" in scope), 2):
            if one.split("=")[0] != other.split("=")[0] or not self._alike(one, other, batch=batch):
                continue
            if not any(self._alike(one, other, batch=int(at)) for at in past):
                tell = _Teller(facts=self._scopes[other][0], batch=batch, against=tuple(self.names[at] for at in past))
                yield tell(COPIED_SEGMENT, 0.0, one)

    def _alike(self, one: str, other: str, *, batch: int) -> bool:
        rows = [self._scopes[scope][0].series.rows[batch] for scope in (one, other)]
        if rows[0] != rows[1]:
            return False
        first = self._print(one, batch=batch)
        return first is not None and first == self._print(other, batch=batch)

    @cached_property
    def _scopes(self) -> dict[str, list[SeriesFacts]]:
        """The facts by scope, without the segments of missing values."""
        grouped: dict[str, list[SeriesFacts]] = {}
        for facts in self.facts:
            if not facts.series.scope.endswith(f"={MISSING}"):
                grouped.setdefault(facts.series.scope, []).append(facts)
        return grouped

    def _print(self, scope: str, *, batch: int) -> tuple[tuple[str, bytes], ...] | None:
        """All counts of a batch in the columns of a scope that say something; ``None`` if too few do."""
        key = (scope, batch)
        if key not in self._prints:
            facts = self._scopes[scope]
            prints = [(each.series.column, each.print_of(batch)) for each in facts]
            told = tuple((column, counts) for column, counts in prints if counts is not None)
            values = sum(int((each.series.counts[batch] > 0).sum()) for each in facts)
            self._prints[key] = told if len(told) >= _TELLING_COLUMNS and values >= _TELLING_VALUES else None
        return self._prints[key]


@dataclass(frozen=True, kw_only=True)
class _Teller:
    facts: SeriesFacts
    batch: int
    against: tuple[str, ...]

    def __call__(self, measure: str, p_value: float, detail: str) -> Shift:
        series = self.facts.series
        of_rows = measure in (SAME_ROWS, COPIED_SEGMENT)
        return Shift(
            scope=series.scope,
            column=series.scope.split("=")[0] if measure == COPIED_SEGMENT else "" if of_rows else series.column,
            measure=measure,
            found=1.0,
            bound=None,
            p_value=p_value,
            rows=int(series.rows[self.batch]),
            reference_rows=0,
            verdict="moved",
            against=self.against,
            detail=detail,
        )


def _chance(count: float, *, of: float, usually: float) -> float:
    """The chance of ``count`` rows or more where the worst batch of the past had ``usually`` of them; 1 where that is
    not much less, for batches differ by more than chance.
    """
    if count < of and count / of - usually < _CLEARLY:
        return 1.0
    return float(bdtrc(round(count) - 1, round(of), usually)) if usually < 1 else 1.0


def _of(count: float, rows: float) -> str:
    return f"all {rows:.0f} rows" if count == rows else f"{count:.0f} of {rows:.0f} rows"


def _so_few(count: int, *, expected: Floats) -> float:
    """The chance of ``count`` rows or fewer where ``expected`` are those of the past: their square roots are taken as
    normal, and no less spread than counts are (F. J. Anscombe, "The transformation of Poisson, binomial and
    negative-binomial data", Biometrika 35, 1948).
    """
    roots = 2 * np.sqrt(expected + 3 / 8)
    spread = max(float(np.std(roots, ddof=1)), 1.0)
    below = (2 * math.sqrt(count + 3 / 8) - float(roots.mean())) / (spread * math.sqrt(1 + 1 / len(roots)))
    return float(stdtr(len(roots) - 1, below))
