"""The arithmetic of profiles: many groups of counted values at once, each reduced to few cells and few hashes.

Arrays are flat: ``group`` says which group an entry belongs to, and entries lie in the order of group, then value. What
the groups mean is said in ``profile.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Hashes = NDArray[np.uint32]

FINEST = -60
"""The exponent at which every value has a cell of its own."""
COARSEST = 1023
_AT_ONCE = 500_000
HASHES = 256
"""Hashes kept to estimate how many distinct values there are."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Counted values of ``size`` groups.

    ``value`` is a number, or a position in the sorted ``texts``. By group, ``exponent`` says how coarse its values are
    already, ``overlooked`` by how much a count may be too low already. ``exact`` marks the entries that count one
    single value; ``hashed`` (group, hash) are hashes known besides those of exact entries.
    """

    size: int
    group: Ints
    value: Floats | Ints
    count: Ints
    exact: Flags
    exponent: Ints
    overlooked: Ints
    hashed: tuple[Ints, Hashes]
    texts: pa.Array | None = None


def reduce_cells(counted: Counted, *, limits: Ints, sketched: Flags) -> dict[str, pa.Array]:
    """The cell columns of a profile, a row per group: at most ``limits`` cells, hashes where wanted and needed."""
    exponent, overlooked = counted.exponent, counted.overlooked
    if counted.texts is None:
        group, low, count, exponent = _coarsen(counted, limits=limits)
        lows, values = pa.array(low, pa.float64()), pa.array([], pa.string())
    else:
        group, code, count, overlooked = _keep_most_frequent(counted, limits=limits)
        lows, values = pa.array([], pa.float64()), counted.texts.take(pa.array(code))
    inexact = (exponent > FINEST) | (overlooked > 0)
    hash_group, hashes = _smallest_hashes(counted, wanted=sketched & inexact)
    size = counted.size
    return {
        "exponent": pa.array(exponent),
        "lows": _lists(group, lows, size=size),
        "values": _lists(group, values, size=size),
        "counts": _lists(group, pa.array(count), size=size),
        "overlooked": pa.array(overlooked),
        "hashes": _lists(hash_group, pa.array(hashes), size=size),
    }


def flatten(lists: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """The row each element of a list column is in, and the elements."""
    whole = lists.combine_chunks()
    lengths = np.diff(whole.offsets.to_numpy())
    return np.repeat(np.arange(len(lengths)), lengths).astype(np.int64), whole.flatten()


def hash_values(value: Floats | Ints, *, texts: pa.Array | None) -> Hashes:
    """32 bits of pandas' hash, the same on every machine and in every version."""
    if texts is None:
        return np.asarray(pd.util.hash_array(value.astype(np.float64)) >> np.uint64(32), dtype=np.uint32)
    known = pd.util.hash_array(texts.to_numpy(zero_copy_only=False).astype(object), categorize=False)
    taken: Hashes = (known >> np.uint64(32)).astype(np.uint32)[value]
    return taken


def _lists(group: Ints, elements: pa.Array, *, size: int) -> pa.ListArray:
    """One list per group of ``elements``; all empty if there are no elements."""
    lengths = np.bincount(group, minlength=size) if len(elements) else np.zeros(size, np.int64)
    return pa.ListArray.from_arrays(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32), elements)


def _coarsen(counted: Counted, *, limits: Ints) -> tuple[Ints, Floats, Ints, Ints]:
    """Cells of every group at the smallest exponent that keeps within its limit; found by bisection, as grids nest."""
    group, value = counted.group, counted.value.astype(np.float64)
    low, high = counted.exponent.copy(), np.full(counted.size, COARSEST)
    high[_occupied(group, value, low, size=counted.size) <= limits] = FINEST
    high = np.maximum(low, high)
    while (open_ := low < high).any():
        chosen: Flags | slice = open_[group] if counted.size > 1 else slice(None)
        middle = (low + high) // 2
        fits = _occupied(group[chosen], value[chosen], middle, size=counted.size) <= limits
        high = np.where(open_ & fits, middle, high)
        low = np.where(open_ & ~fits, middle + 1, low)
    edges = cell_edges(value, low[group])
    first = _first_of_run(group, edges)
    return group[first], edges[first], _sum_runs(first, of=counted.count), low


def _occupied(group: Ints, value: Floats, exponent: Ints, *, size: int) -> Ints:
    return np.bincount(group[_first_of_run(group, cell_edges(value, exponent[group]))], minlength=size)


def cell_edges(value: Floats, exponent: Ints) -> Floats:
    """Where each value's cell begins at its exponent; from 53 bits above the exponent on, doubles lie on the grid."""
    if len(value) > _AT_ONCE:  # the steps of many values at once would take a multiple of their memory
        places = range(0, len(value), _AT_ONCE)
        return np.concatenate([cell_edges(value[at : at + _AT_ONCE], exponent[at : at + _AT_ONCE]) for at in places])
    inside = np.abs(value) < np.ldexp(1.0, np.minimum(exponent + 53, COARSEST))
    edges = np.ldexp(np.floor(np.ldexp(np.where(inside, value, 0.0), -exponent)), exponent)
    return np.where(inside, edges, value)


def _first_of_run(group: Ints, value: NDArray[np.generic]) -> Flags:
    """True where group or value differ from the entry before."""
    first = np.ones(len(group), dtype=np.bool_)
    first[1:] = (group[1:] != group[:-1]) | (value[1:] != value[:-1])
    return first


def _sum_runs(first: Flags, *, of: Ints) -> Ints:
    return np.add.reduceat(of, np.flatnonzero(first)) if len(of) else of


def _keep_most_frequent(counted: Counted, *, limits: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """The most frequent values of every group, ties by value; what is cut adds to what may be overlooked."""
    first = _first_of_run(counted.group, counted.value)
    group, value = counted.group[first], counted.value[first]
    count = _sum_runs(first, of=counted.count)
    order = np.lexsort((value, -count, group))
    starts = np.searchsorted(group, np.arange(counted.size))
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - starts[group]
    cut = rank == limits[group]
    overlooked = counted.overlooked.copy()
    overlooked[group[cut]] += count[cut]
    kept = rank < limits[group]
    return group[kept], value[kept].astype(np.int64), count[kept], overlooked


def _smallest_hashes(counted: Counted, *, wanted: Flags) -> tuple[Ints, Hashes]:
    """The ``HASHES`` smallest hashes of the distinct values of the wanted groups."""
    chosen = counted.exact & wanted[counted.group]
    of_cells = hash_values(counted.value[chosen], texts=counted.texts)
    listed = wanted[counted.hashed[0]]
    group = np.concatenate([counted.group[chosen], counted.hashed[0][listed]])
    both = np.unique((group.astype(np.uint64) << np.uint64(32)) | np.concatenate([of_cells, counted.hashed[1][listed]]))
    group = (both >> np.uint64(32)).astype(np.int64)
    rank = np.arange(len(group)) - np.searchsorted(group, np.arange(counted.size))[group]
    kept = rank < HASHES
    return group[kept], (both[kept] & np.uint64(2**32 - 1)).astype(np.uint32)
