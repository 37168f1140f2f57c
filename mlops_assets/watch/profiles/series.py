"""The profiles of many batches side by side: for each column and scope, counts by batch over the same cells.

Comparing the batches with each other is in ``drift.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.profiles.cells import FINEST, Floats, Ints, cell_edges, flatten
from mlops_assets.watch.profiles.profile import CATEGORY, Kind, Profile, named_groups, sorted_codes


@dataclass(frozen=True, kw_only=True)
class ColumnSeries:
    """One column in one scope over all batches. ``counts`` is (batches, cells); a batch without rows has zeros.

    ``values`` are where the cells of numbers begin, ascending; ``texts`` name the cells of a category. ``exact`` says
    that every cell is one single value.
    """

    scope: str
    column: str
    kind: Kind
    counts: Floats
    values: Floats
    texts: tuple[str, ...]
    rows: Floats
    missing: Floats
    mean: Floats
    squares: Floats
    overlooked: Floats
    exact: bool

    def only(self, batches: Ints) -> ColumnSeries:
        """The same of some of the batches."""
        by_batch = ("counts", "rows", "missing", "mean", "squares", "overlooked")
        return replace(self, **{name: getattr(self, name)[batches] for name in by_batch})


def column_series(
    profiles: Mapping[str, Profile], *, ignored: Collection[str] = (), minimum_rows: int = 0
) -> Iterator[ColumnSeries]:
    """Every column of every scope; segments that never have ``minimum_rows`` in a batch are left out."""
    parts = pa.concat_tables([profile.table for profile in profiles.values()])
    batch = np.repeat(np.arange(len(profiles)), [profile.table.num_rows for profile in profiles.values()])
    kept = pc.invert(pc.is_in(parts["column"], value_set=pa.array(sorted(ignored), pa.string())))
    overall = pc.equal(parts["scope"], OVERALL)
    kept = pc.and_(kept, pc.or_(overall, pc.is_in(parts["scope"], value_set=_large(parts, minimum_rows))))
    parts, batch = parts.filter(kept).combine_chunks(), batch[kept.to_numpy()]
    named, key = named_groups(parts)
    order = np.argsort(key, kind="stable")
    starts = np.searchsorted(key[order], np.arange(named.num_rows + 1))
    for number, name in enumerate(named.to_pylist()):
        mine = order[starts[number] : starts[number + 1]]
        yield _series(parts.take(pa.array(mine)), batch=batch[mine], size=len(profiles), **name)


def _large(parts: pa.Table, minimum_rows: int) -> pa.Array:
    """Scopes that have at least so many rows in some batch."""
    return pc.unique(parts.filter(pc.greater_equal(parts["rows"], minimum_rows))["scope"])


def _series(parts: pa.Table, *, batch: Ints, size: int, scope: str, column: str) -> ColumnSeries:
    kind: Kind = parts["kind"][0].as_py()
    owner, elements = flatten(parts["values" if kind == CATEGORY else "lows"])
    coarsest = int(parts["exponent"].to_numpy().max(initial=FINEST))
    if kind == CATEGORY:
        code, texts = sorted_codes(elements)
        values, names = np.zeros(0), tuple(texts.to_pylist())
    else:
        lows = cell_edges(elements.to_numpy(), np.full(len(elements), coarsest, dtype=np.int64))
        values, code = np.unique(lows, return_inverse=True)
        names = ()
    cells = max(len(names), len(values))
    counted, place = flatten(parts["counts"])[1].to_numpy(), batch[owner] * cells + code
    counts = np.bincount(place, weights=counted, minlength=size * cells).reshape(size, cells).astype(np.float64)
    figures = {}
    for name in ("rows", "missing", "mean", "squares", "overlooked"):
        figures[name] = np.zeros(size)
        figures[name][batch] = parts[name].fill_null(0).to_numpy()
    return ColumnSeries(
        scope=scope,
        column=column,
        kind=kind,
        counts=counts,
        values=values,
        texts=names,
        exact=coarsest == FINEST and not figures["overlooked"].any(),
        **figures,
    )
