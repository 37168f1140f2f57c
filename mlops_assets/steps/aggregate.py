"""Aggregate: what each batch made known about every entity, as mergeable sums. A new day costs a day."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import history_path
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.history import daily_aggregates, identity, split_by_batch
from mlops_assets.lake.batches import Wanted
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, parquet_bytes, read_parquet
from mlops_assets.steps.step import Step
from mlops_assets.stores.features.source_tables import create_source_views
from mlops_assets.stores.landing.progress import history_inputs

ONE_ROW, EVERY_VIEW = "one_row_per_entity_and_day", "every_view_has_rows"


def aggregate(head: Snapshot, *, use_case: UseCase, batches: Sequence[str], connect: Connect) -> Step[pa.Table]:
    """The history of each of ``batches`` on its own; the outcome is their aggregates together."""
    wanted = Wanted.these(batches)
    inputs = history_inputs(head, use_case=use_case, wanted=wanted)
    with connect() as connection:
        create_source_views(connection, head, use_case=use_case, wanted=wanted)
        aggregates = daily_aggregates(connection, views=use_case.history, relations=use_case.relations)
    tables = split_by_batch(aggregates, batches=batches)
    return Step(
        files={
            history_path(use_case.name, batch=batch): parquet_bytes(table, made_from=inputs[batch])
            for batch, table in tables.items()
        },
        audit=lambda staged: [check for batch in tables for check in _audit(staged, use_case=use_case, batch=batch)],
        outcome=aggregates,
    )


def _audit(staged: Snapshot, *, use_case: UseCase, batch: str) -> tuple[CheckResult, ...]:
    table = read_parquet(staged.local(history_path(use_case.name, batch=batch)))
    named = identity(table.column_names)
    repeated = table.num_rows - table.group_by(named).aggregate([]).num_rows
    found = set(pc.unique(table.column("view")).to_pylist()) if table.num_rows else set()
    missing = sorted({view.name for view in use_case.history} - found)
    return (
        CheckResult(
            name=ONE_ROW,
            passed=not repeated,
            batch=batch,
            figures={"rows": table.num_rows, "repeated": repeated},
            reasons=(f"{repeated} rows repeat an entity and day of {batch}.",) if repeated else (),
        ),
        CheckResult(
            name=EVERY_VIEW,
            passed=not missing,
            severity=Severity.WARN,  # a day may hold nothing that is known yet, or rows without a key
            batch=batch,
            figures={"views": len(found)},
            reasons=(
                f"No aggregates of {batch} for {', '.join(missing)}: nothing is known yet, or a key is always missing.",
            )
            if missing
            else (),
        ),
    )
