"""Is what the service was asked distributed as what its model learnt from? Skew of training and serving, by feature.

The same rule as between batches (``profiles/drift.py``): an effect over its bound, and significance, on enough rows.
The bounds are learnt from ``PARTS`` parts of the latest known examples, compared with the same training rows. Whether
each single answer was computed rightly is told by parity (``stores/predictions/parity.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.drift import DriftPlan
from mlops_assets.contract.features import Feature
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.profiling import profile_batches
from mlops_assets.watch.validation.shift_anomalies import judge_shifts

SERVED_AS_TRAINED = "served_features_are_as_trained"
PARTS = 28
"""Days (or parts of rows without a time) that the bounds are learnt from."""
MOST_ROWS = 20_000
"""How many training rows, evenly spaced, are compared with."""
_TRAINED, _SERVED = "0 training rows", "2 served"


def judge_skew(
    served: pa.Table,
    *,
    trained: pa.Table,
    recent: pa.Table,
    features: Sequence[Feature],
    batch: str,
    connection: DuckDBPyConnection,
) -> CheckResult:
    """``SERVED_AS_TRAINED`` of one day; all three tables have the ``features``, ``recent`` may have ``event_time``."""
    names = [each.name for each in features]
    tables = {_TRAINED: _thinned(trained), **_parts(recent), _SERVED: served}
    typed = {name: as_features(table, features=features) for name, table in tables.items()}
    profiles = profile_batches(typed, columns=names, connection=connection)
    plan = DriftPlan(window=PARTS, bounds={(name, "outside_share"): 1.0 for name in names})
    report = compare(profiles, batches=[_SERVED], plan=plan, training=[_TRAINED])[_SERVED]
    told = judge_shifts(report, profile=profiles[_SERVED], profiles=profiles, alike=False)
    return replace(told, name=SERVED_AS_TRAINED, batch=batch, figures={"rows": served.num_rows, **told.figures})


def as_features(table: pa.Table, *, features: Sequence[Feature]) -> pa.Table:
    """Only the features, numbers as doubles and categories as texts, whatever they were kept as."""
    types = {each.name: pa.float64() if each.kind == "numeric" else pa.string() for each in features}
    return pa.table({name: table[name].cast(kind) for name, kind in types.items()})


def _thinned(table: pa.Table) -> pa.Table:
    if table.num_rows <= MOST_ROWS:
        return table
    return table.take(np.linspace(0, table.num_rows - 1, MOST_ROWS).astype(np.int64))


def _parts(recent: pa.Table) -> dict[str, pa.Table]:
    """The last days by themselves; without a time, the rows dealt out in ``PARTS`` parts."""
    if "event_time" not in recent.column_names:
        return {f"1 {part:02d}": recent.take(np.arange(part, recent.num_rows, PARTS)) for part in range(PARTS)}
    day = pc.strftime(recent["event_time"], "%Y-%m-%d")
    days = sorted(pc.unique(day).to_pylist())[-PARTS:]
    return {f"1 {each}": recent.filter(pc.equal(day, each)) for each in days}
