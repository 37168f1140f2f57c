"""Weak segments that nobody declared: found by a tree on the model's errors, confirmed on rows the tree never saw.

The test rows are halved, whole clusters together. On one half a regression tree of small depth is grown on the loss
of each row (Chung et al. 2019, "Slice Finder"); each of its leaves is a rule that people can read. On the other half
a leaf is weak if its rows surely lose more than the rest: one-sided, corrected for the number of leaves (Holm 1979).
Leaves under 2 % of the rows are not looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import stdtr

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.slices import Rule
from mlops_assets.judge.corrections import holm

SMALLEST_SHARE = 0.02
FEWEST_ROWS = 50
DEPTH = 3
WORTH = 12.0
"""What a cut must explain, in units of the variance of one row, not to be taken for noise."""
BINS = 16
SURE = 0.05


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a row must have in one column: a number from ``at_least`` to under ``below``, or one of the texts ``among``.

    ``missing`` says whether a row without a value has it too.
    """

    column: str
    at_least: float | None = None
    below: float | None = None
    among: tuple[str, ...] | None = None
    missing: bool = False

    def holds(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Whether it does, for every row."""
        column = rows.column(self.column)
        if self.among is not None:
            found = pc.is_in(pc.cast(column, pa.string()), value_set=pa.array(self.among, pa.string()))
        else:
            numbers = pc.cast(column, pa.float64())
            found = pc.is_valid(numbers)
            for bound, compare in ((self.at_least, pc.greater_equal), (self.below, pc.less)):
                if bound is not None:
                    found = pc.and_(found, pc.fill_null(compare(numbers, bound), False))
        unknown = column.is_null(nan_is_null=True)
        return np.asarray(pc.or_(found, unknown) if self.missing else pc.and_(found, pc.invert(unknown)), dtype=bool)

    def __str__(self) -> str:
        if self.among is not None:
            told = f"{self.column} in {{{', '.join(self.among)}}}"
        else:
            low = "" if self.at_least is None else f"{self.at_least:g} <= "
            told = f"{low}{self.column}" + ("" if self.below is None else f" < {self.below:g}")
        return f"({told} or missing)" if self.missing else told


@dataclass(frozen=True, kw_only=True)
class WeakSegment:
    """A rule whose rows the model does surely worse on. ``loss`` and ``rest_loss`` are means over the confirming half,
    ``p_value`` is corrected; ``share`` is of all test rows.
    """

    conditions: tuple[Condition, ...]
    rows: int
    share: float
    loss: float
    rest_loss: float
    p_value: float

    def holds(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Which rows it speaks of."""
        return np.asarray(np.logical_and.reduce([each.holds(rows) for each in self.conditions]), dtype=np.bool_)

    @property
    def as_slice(self) -> Rule:
        """The rule as a slice that can be evaluated on any rows."""
        return Rule(name=str(self), columns=tuple(each.column for each in self.conditions), holds=self.holds)

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions))


def discover(
    rows: pa.Table,
    *,
    losses: Floats,
    halves: NDArray[np.bool_],
    columns: Sequence[str],
    clusters: NDArray[np.generic] | None = None,
    weights: Floats | None = None,
) -> tuple[WeakSegment, ...]:
    """The weak segments of ``rows`` by their ``losses``, the surest first; none is the usual answer for noise.

    A tree over ``columns`` is grown where ``halves`` is true and confirmed where it is not; rows of one cluster must be
    in one half.
    """
    weight = np.ones(len(losses)) if weights is None else weights
    units = np.arange(len(losses)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    found = []
    for conditions in _leaves(rows.filter(pa.array(halves)), losses[halves], weight[halves], columns=columns):
        segment = WeakSegment(conditions=conditions, rows=0, share=0.0, loss=0.0, rest_loss=0.0, p_value=1.0)
        inside = segment.holds(rows)
        told = _confirmed(segment, inside=inside, losses=losses, weight=weight, units=units, other=~halves)
        if told is not None:
            found.append(told)
    corrected = holm([segment.p_value for segment in found])
    weak = [replace(segment, p_value=p) for segment, p in zip(found, corrected, strict=True) if p <= SURE]
    return tuple(sorted(weak, key=lambda segment: (segment.p_value, -segment.loss)))


def _confirmed(
    segment: WeakSegment,
    *,
    inside: NDArray[np.bool_],
    losses: Floats,
    weight: Floats,
    units: Ints,
    other: NDArray[np.bool_],
) -> WeakSegment | None:
    """The figures of a leaf on the other half; ``None`` where it has too few rows there."""
    mine, rest = inside & other, ~inside & other
    if mine.sum() < max(SMALLEST_SHARE * other.sum(), FEWEST_ROWS) or rest.sum() < FEWEST_ROWS:
        return None
    influence = np.zeros(len(losses))
    means = []
    for chosen, sign in ((mine, 1), (rest, -1)):
        mean = float(np.average(losses[chosen], weights=weight[chosen]))
        influence[chosen] = sign * weight[chosen] * (losses[chosen] - mean) / weight[chosen].sum()
        means.append(mean)
    per_unit = np.bincount(units[other], weights=influence[other])
    count = len(np.unique(units[mine]))
    error = float(np.sqrt(np.square(per_unit).sum() * count / max(count - 1, 1)))
    gap = means[0] - means[1]
    return replace(
        segment,
        rows=int(mine.sum()),
        share=float(np.average(inside, weights=weight)),
        loss=means[0],
        rest_loss=means[1],
        p_value=float(stdtr(count - 1, -gap / error)) if error > 0 and count > 1 else 1.0,
    )


@dataclass(frozen=True, kw_only=True)
class _Column:
    """One column in a few ordered bins: ``edges`` between those of a number, ``texts`` of those of a text; missing is
    the last code.
    """

    name: str
    codes: Ints
    edges: tuple[float, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def bins(self) -> int:
        return len(self.texts) if self.texts else len(self.edges) + 1

    def conditions(self, order: Ints, *, cut: int, missing_left: bool) -> tuple[Condition, Condition]:
        """What the rows left and right of a cut have."""
        if self.texts:
            left, right = (tuple(sorted(self.texts[i] for i in part)) for part in (order[:cut], order[cut:]))
            return (
                Condition(column=self.name, among=left, missing=missing_left),
                Condition(column=self.name, among=right, missing=not missing_left),
            )
        edge = self.edges[cut - 1]
        return (
            Condition(column=self.name, below=edge, missing=missing_left),
            Condition(column=self.name, at_least=edge, missing=not missing_left),
        )


def _leaves(
    rows: pa.Table, losses: Floats, weight: Floats, *, columns: Sequence[str]
) -> Iterator[tuple[Condition, ...]]:
    binned = [found for name in columns if (found := _binned(rows.column(name), name=name)).bins > 1]
    least = max(SMALLEST_SHARE * len(losses), FEWEST_ROWS)
    yield from _grow(binned, losses, weight, at=np.arange(len(losses)), least=least, above=())


def _grow(
    columns: Sequence[_Column],
    losses: Floats,
    weight: Floats,
    *,
    at: Ints,
    least: float,
    above: tuple[Condition, ...],
) -> Iterator[tuple[Condition, ...]]:
    """The rules of the leaves below one node, which holds the rows ``at``."""
    found = [_best_cut(column, losses[at], weight[at], codes=column.codes[at], least=least) for column in columns]
    best = max((cut for cut in found if cut is not None), key=lambda cut: cut[0], default=None)
    if best is None or len(above) == DEPTH:
        if above:
            yield above
        return
    _, left, (one, other) = best
    for inside, condition in ((left, one), (~left, other)):
        yield from _grow(columns, losses, weight, at=at[inside], least=least, above=(*above, condition))


def _best_cut(
    column: _Column, losses: Floats, weight: Floats, *, codes: Ints, least: float
) -> tuple[float, NDArray[np.bool_], tuple[Condition, Condition]] | None:
    """Where cutting the column explains most of the losses' variance, with at least ``least`` rows on both sides."""
    size = column.bins + 1
    count = np.bincount(codes, minlength=size).astype(np.float64)
    mass = np.bincount(codes, weights=weight, minlength=size)
    total = np.bincount(codes, weights=weight * losses, minlength=size)
    mean = np.divide(total, mass, out=np.zeros(size), where=mass > 0)
    order = np.argsort(mean[:-1], kind="stable") if column.texts else np.arange(column.bins)
    best: tuple[float, NDArray[np.bool_], tuple[Condition, Condition]] | None = None
    noise = WORTH * float(np.average(np.square(losses - np.average(losses, weights=weight)), weights=weight))
    for missing_left in (True, False):
        rows, m, s = (
            np.cumsum(each[order])[:-1] + (each[-1] if missing_left else 0.0) for each in (count, mass, total)
        )
        allowed = (rows >= least) & (len(codes) - rows >= least)
        with np.errstate(invalid="ignore", divide="ignore"):
            gain = np.where(allowed, s**2 / m + (total.sum() - s) ** 2 / (mass.sum() - m), -np.inf)
        if not len(gain) or not allowed.any():
            continue
        cut = int(np.argmax(gain)) + 1
        gained = float(gain[cut - 1] - total.sum() ** 2 / mass.sum())
        if gained > max(noise, 1e-12) and (best is None or gained > best[0]):
            side = np.zeros(size, dtype=bool)
            side[order[:cut]], side[-1] = True, missing_left
            best = gained, side[codes], column.conditions(order, cut=cut, missing_left=missing_left)
    return best


def _binned(column: pa.ChunkedArray, *, name: str) -> _Column:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_dictionary(kind) or pa.types.is_large_string(kind):
        texts = tuple(sorted(pc.cast(column, pa.string()).drop_null().unique().to_pylist()))
        codes = pc.index_in(pc.cast(column, pa.string()), value_set=pa.array(texts, pa.string()))
        return _Column(name=name, texts=texts, codes=np.asarray(pc.fill_null(codes, len(texts)), dtype=np.int64))
    values = np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64)
    known = values[~np.isnan(values)]
    inner = np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1], method="higher") if len(known) else np.zeros(0)
    edges = np.unique(inner[inner > known.min()]) if len(known) else inner
    codes = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
    return _Column(name=name, edges=tuple(edges.tolist()), codes=codes.astype(np.int64))
