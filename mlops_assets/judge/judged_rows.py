"""Rows as they are judged: checked, with the segments each is in, in an order that does not depend on how they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.slices import AnySlice, Membership, everything, memberships
from mlops_assets.judge.metrics import Grouped, Rows, checked_rows


@dataclass(frozen=True, kw_only=True)
class JudgedRows:
    """``rows`` in ascending order of score; ``members[0]`` holds them all, then one for each slice, in the order given.

    ``order`` is where each of ``rows`` stood.
    """

    rows: Rows
    members: tuple[Membership, ...]
    order: NDArray[np.int64]

    def family(self, member: Membership) -> Grouped:
        """The rows by their segment of one slice."""
        return Grouped(self.rows, codes=member.codes[self.order], segments=len(member.segments))


def judged_rows(
    labels: NDArray[np.generic],
    scores: NDArray[np.generic],
    *,
    slice_columns: pa.Table,
    slices: Sequence[AnySlice],
    clusters: NDArray[np.generic] | None = None,
    weights: NDArray[np.generic] | None = None,
) -> JudgedRows:
    """Raises EvaluationError when there is nothing to judge, or when the arrays do not belong together."""
    y, s, w = checked_rows(labels, scores, weights=weights)
    if slice_columns.num_rows != len(y):
        raise EvaluationError(f"{len(y)} labels but {slice_columns.num_rows} rows of slice columns.")
    units = np.arange(len(y)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    members = (everything(len(y)), *memberships(slices, table=slice_columns))
    keys = () if clusters is None else (units,)
    order = np.lexsort((*keys, w, *(each.codes for each in members[:0:-1]), y, s))
    rows = Rows(
        labels=y[order],
        scores=s[order],
        weights=w[order],
        units=units if clusters is None else units[order],
        clustered=clusters is not None,
    )
    return JudgedRows(rows=rows, members=members, order=order)
