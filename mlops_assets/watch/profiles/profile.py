"""What one batch looked like, small enough to keep for ever and to add up: the profile of any window is a merge.

A profile has one row per scope (the whole batch, or one segment such as ``carrier=UA``) and column, with counts,
moments and the distribution as cells. Making profiles from rows is in ``profiling.py``, comparing them in ``drift.py``.

How close the figures are:

- Counts, missing values, minimum and maximum are exact; mean and deviation to double precision (T. F. Chan,
  G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1982).
- Numbers lie in cells of width ``2**exponent``, aligned at zero; the exponent is the smallest at which no more than
  ``CELLS`` cells are occupied. Grids of powers of two nest, so the cells of a merge are exactly those of the whole, in
  any order of merging, and every quantile is off by less than one cell's width. One far value costs one cell.
- Texts are counted exactly while there are at most ``TEXTS`` of them; after that the most frequent are kept, and
  ``overlooked`` bounds by how much a kept count can be too low (P. Agarwal et al., "Mergeable summaries", PODS 2012).
- Distinct values are exact while each has a cell, then estimated from the ``HASHES`` smallest 32-bit hashes with a
  standard error of ``1 / sqrt(HASHES - 2)``, 6.3 % (K. Beyer et al., "On synopses for distinct-value estimation under
  multiset operations", SIGMOD 2007).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.errors import ValidationError
from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.profiles.cells import (
    FINEST,
    HASHES,
    Counted,
    Flags,
    Floats,
    Hashes,
    Ints,
    flatten,
    reduce_cells,
)

CELLS = 256
"""Most cells kept of a column over a whole batch."""
TEXTS = 1000
"""Most texts kept of a column over a whole batch."""
SLICE_CELLS = 64
"""Most cells or texts kept of a column within one segment."""

CATEGORY = "category"
Kind = Literal["number", "category", "time"]
"""``time`` columns are profiled by their hour of the day."""

PROFILE_SCHEMA = pa.schema(
    [
        ("scope", pa.string()),
        ("column", pa.string()),
        ("kind", pa.string()),
        ("rows", pa.int64()),
        ("missing", pa.int64()),
        ("mean", pa.float64()),
        ("squares", pa.float64()),  # sum of squared deviations from the mean
        ("minimum", pa.float64()),
        ("maximum", pa.float64()),
        ("exponent", pa.int64()),
        ("lows", pa.list_(pa.float64())),  # where each cell begins
        ("values", pa.list_(pa.string())),
        ("counts", pa.list_(pa.int64())),
        ("overlooked", pa.int64()),
        ("hashes", pa.list_(pa.uint32())),
    ]
)


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """One column in one scope. Figures of nothing are ``None``; numbers have ``lows``, categories ``values``."""

    scope: str
    column: str
    kind: Kind
    rows: int
    missing: int
    mean: float | None
    squares: float
    minimum: float | None
    maximum: float | None
    exponent: int
    lows: Floats
    values: tuple[str, ...]
    counts: Ints
    overlooked: int
    hashes: Hashes

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    @property
    def missing_share(self) -> float | None:
        return self.missing / self.rows if self.rows else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the sample."""
        if self.present < 2 or self.kind == CATEGORY or not math.isfinite(self.squares):
            return None
        return math.sqrt(self.squares / (self.present - 1))

    @property
    def width(self) -> float:
        """The width of a cell: how far a quantile can be off; 0 where every value has its own."""
        return 0.0 if self.exponent == FINEST else math.ldexp(1.0, self.exponent)

    @property
    def distinct(self) -> float | None:
        """Distinct values, exact or estimated; ``None`` in a segment that has more than ``SLICE_CELLS``."""
        if self.exponent == FINEST and not self.overlooked:
            return float(len(self.counts))
        if not len(self.hashes):
            return None
        if len(self.hashes) < HASHES:
            return float(len(self.hashes))
        return (HASHES - 1) / ((float(self.hashes[-1]) + 1) / 2**32)

    def quantile(self, share: float) -> float | None:
        """A value that ``share`` of the present values don't exceed, to within ``width``."""
        found = self.quantiles(np.array([share]))
        return None if found is None else float(found[0])

    def quantiles(self, shares: Floats) -> Floats | None:
        """The same of many shares."""
        if not self.present or self.kind == CATEGORY or self.minimum is None or self.maximum is None:
            return None
        ranks = np.maximum(np.ceil(shares * self.present), 1)
        middle = self.lows[np.searchsorted(np.cumsum(self.counts), ranks)] + self.width / 2
        return np.minimum(np.maximum(middle, self.minimum), self.maximum)

    def top(self, count: int) -> tuple[tuple[str, int], ...]:
        """The most frequent categories with their counts."""
        order = np.argsort(-self.counts, kind="stable")[:count]
        return tuple((self.values[at], int(self.counts[at])) for at in order) if self.values else ()

    def histogram(self, bins: int) -> tuple[Floats, Ints]:
        """Edges and counts of ``bins`` equally wide bins from minimum to maximum."""
        if self.minimum is None or self.maximum is None:
            return np.zeros(0), np.zeros(0, dtype=np.int64)
        high = self.maximum if self.maximum > self.minimum else self.minimum + 1.0
        middle = np.clip(self.lows + self.width / 2, self.minimum, self.maximum)
        counts, edges = np.histogram(middle, bins=bins, range=(self.minimum, high), weights=self.counts)
        return edges, counts.astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The profile of one batch or of a window: ``table`` as ``PROFILE_SCHEMA``, in the order of scope and column."""

    table: pa.Table

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(self.table["scope"].unique().to_pylist())

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.table["column"].unique().to_pylist())

    @property
    def rows(self) -> int:
        """Rows of the whole batch."""
        return int(pc.max(self.table["rows"]).as_py() or 0)

    def column(self, name: str, *, scope: str = OVERALL) -> ColumnProfile:
        """One column's figures; a ValidationError that lists the columns if there is no such one."""
        wanted = pc.and_(pc.equal(self.table["column"], name), pc.equal(self.table["scope"], scope))
        found = pc.indices_nonzero(wanted).to_pylist()
        if not found:
            raise ValidationError(
                f"No column '{name}' of '{scope}' in this profile. Columns: {', '.join(self.columns)}. "
                f"Scopes: {', '.join(self.scopes)}."
            )
        return self.at(found[0])

    def at(self, place: int) -> ColumnProfile:
        """The figures in one row of ``table``."""
        row = self.table.slice(place, 1).to_pylist()[0]
        row["lows"] = np.array(row["lows"], dtype=np.float64)
        row["counts"] = np.array(row["counts"], dtype=np.int64)
        row["hashes"] = np.array(row["hashes"], dtype=np.uint32)
        return ColumnProfile(**{**row, "values": tuple(row["values"])})


def cell_limit(*, text: bool) -> int:
    """Most cells of a column over a whole batch."""
    return TEXTS if text else CELLS


def merge(profiles: Sequence[Profile], *, scopes: Collection[str] | None = None) -> Profile:
    """The profile of all rows together; of the named ``scopes`` only, if given.

    Raises ValidationError when there is none, or when a column changed its kind.
    """
    if not profiles:
        raise ValidationError("No profiles to merge: a window needs at least one batch.")
    parts = pa.concat_tables(profile.table for profile in profiles)
    if scopes is not None:
        parts = parts.filter(pc.is_in(parts["scope"], value_set=pa.array(sorted(scopes))))
    parts = parts.combine_chunks()
    named, key = named_groups(parts)
    is_text = pc.equal(parts["kind"], CATEGORY).to_numpy()
    merged = [_merge(parts, named, key=key, chosen=is_text == text, text=text) for text in (False, True)]
    table = pa.concat_tables(merged)
    if table.num_rows != named.num_rows:
        raise ValidationError("A column is a category in one profile and a number in another: they don't add up.")
    return Profile(table=table.take(pc.sort_indices(table["place"])).drop_columns("place"))


def named_groups(parts: pa.Table) -> tuple[pa.Table, Ints]:
    """The distinct (scope, column) in order, and for each row which of them it is."""
    scope, column = (sorted_codes(parts[name]) for name in ("scope", "column"))
    width = max(len(column[1]), 1)
    known, key = np.unique(scope[0] * width + column[0], return_inverse=True)
    texts = {"scope": scope[1].take(pa.array(known // width)), "column": column[1].take(pa.array(known % width))}
    return pa.table(texts), key.astype(np.int64)


def sorted_codes(column: pa.ChunkedArray | pa.Array) -> tuple[Ints, pa.Array]:
    """Positions of the values in the sorted array of distinct values."""
    encoded = column.dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[encoded.indices.to_numpy()], encoded.dictionary.take(pa.array(order))


def _merge(parts: pa.Table, named: pa.Table, *, key: Ints, chosen: Flags, text: bool) -> pa.Table:
    """The merged rows of all texts, or of all numbers and times."""
    parts = parts.filter(pa.array(chosen))
    known, group, first = _grouped(key[chosen])
    overall = pc.equal(named["scope"], OVERALL).to_numpy()[known]
    cells = reduce_cells(
        _counted(parts, group=group, size=len(known), text=text),
        limits=np.where(overall, cell_limit(text=text), SLICE_CELLS).astype(np.int64),
        sketched=overall,
    )
    columns = {
        **{name: named[name].take(pa.array(known)) for name in ("scope", "column")},
        "kind": parts["kind"].take(pa.array(first)),
        **_moments(parts, group=group, size=len(known)),
        **cells,
    }
    return pa.table(columns).cast(PROFILE_SCHEMA).append_column("place", pa.array(known))


def _grouped(key: Ints) -> tuple[Ints, Ints, Ints]:
    known, first, group = np.unique(key, return_index=True, return_inverse=True)
    return known.astype(np.int64), group.astype(np.int64), first.astype(np.int64)


def _counted(parts: pa.Table, *, group: Ints, size: int, text: bool) -> Counted:
    """The cells of all ``parts`` in the order of group and value."""
    owner, elements = flatten(parts["values" if text else "lows"])
    value, texts = sorted_codes(elements) if text else (elements.to_numpy(), None)
    exponent, overlooked = (parts[name].to_numpy() for name in ("exponent", "overlooked"))
    exact = (exponent == FINEST) & (overlooked == 0)
    cells = {"group": group[owner], "value": value, "exact": exact[owner], "count": flatten(parts["counts"])[1]}
    summed = pa.table(cells).group_by(["group", "value", "exact"], use_threads=False).aggregate([("count", "sum")])
    found = {name: summed[name].to_numpy() for name in summed.column_names}
    order = np.lexsort((found["value"], found["group"]))
    hash_owner, hashes = flatten(parts["hashes"])
    coarsest = np.full(size, FINEST, dtype=np.int64)
    np.maximum.at(coarsest, group, exponent)
    return Counted(
        size=size,
        group=found["group"][order],
        value=found["value"][order],
        count=found["count_sum"][order],
        exact=found["exact"][order],
        exponent=coarsest,
        overlooked=np.bincount(group, weights=overlooked, minlength=size).astype(np.int64),
        hashed=(group[hash_owner], hashes.to_numpy()),
        texts=texts,
    )


def _moments(parts: pa.Table, *, group: Ints, size: int) -> dict[str, pa.Array]:
    """Counts, means, squares, minima and maxima of the parts as those of their groups."""
    rows, missing = (parts[name].to_numpy() for name in ("rows", "missing"))
    present = (rows - missing).astype(np.float64)
    part_mean, part_squares, minimum, maximum = (
        parts[name].fill_null(fill).to_numpy()
        for name, fill in (("mean", 0.0), ("squares", 0.0), ("minimum", np.inf), ("maximum", -np.inf))
    )
    total = np.bincount(group, weights=present, minlength=size)
    some = np.maximum(total, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.bincount(group, weights=present * part_mean, minlength=size) / some
        squares = np.bincount(group, weights=part_squares + present * (part_mean - mean[group]) ** 2, minlength=size)
    least, most = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(least, group, minimum)
    np.maximum.at(most, group, maximum)
    unknown = ~np.isfinite(least)
    return {
        "rows": pa.array(np.bincount(group, weights=rows, minlength=size).astype(np.int64)),
        "missing": pa.array(np.bincount(group, weights=missing, minlength=size).astype(np.int64)),
        "mean": pa.array(mean, mask=unknown),
        "squares": pa.array(squares),
        "minimum": pa.array(least, mask=unknown),
        "maximum": pa.array(most, mask=unknown),
    }
