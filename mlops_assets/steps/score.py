"""Score: every example of a batch by the champion, each as of its own moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.paths import predictions_path
from mlops_assets.contract.tasks import Regression, answers
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, parquet_bytes, read_parquet
from mlops_assets.steps.step import Step
from mlops_assets.stores.features.offline import compute_features, reach_of_batch
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.models.eligibility import why_not_answered
from mlops_assets.stores.models.record import ModelRecord
from mlops_assets.stores.models.registry import load_version
from mlops_assets.training.scoring import Scorer

EVERY_EXAMPLE = "every_example_is_scored"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The scored rows of every batch, and the version that scored them."""

    version: str
    batches: Mapping[str, pa.Table]


def score(head: Snapshot, *, use_case: UseCase, batches: Sequence[str], connect: Connect) -> Step[Scored]:
    """id, event_time (if any), slice columns, score, what it decides and model_version of every example."""
    version = require_champion(head, use_case=use_case.name).version
    model = load_version(head, use_case=use_case.name, version=version)
    scorer = Scorer.open(model.files, threads=use_case.recipe.threads)
    with connect() as connection:
        scored = {
            batch: _scored(
                rows_of_batch(connection, head, use_case, batch=batch), use_case, record=model.record, by=scorer
            )
            for batch in batches
        }
    return Step(
        files={predictions_path(use_case.name, batch=batch): parquet_bytes(rows) for batch, rows in scored.items()},
        audit=lambda staged: [_audit(staged, use_case, batch) for batch in scored],
        outcome=Scored(version=version, batches=scored),
    )


def rows_of_batch(connection: DuckDBPyConnection, head: Snapshot, use_case: UseCase, *, batch: str) -> pa.Table:
    """The features of every example of the batch, with its label as far as it is known, and what is kept beside."""
    return compute_features(
        connection,
        head,
        use_case=use_case,
        reach=reach_of_batch(use_case, batch=batch),
        rows=lambda examples: _of_batch(examples, use_case, batch),
        beside=use_case.columns_beside,
    ).table


def _of_batch(examples: pa.Table, use_case: UseCase, batch: str) -> pa.Table:
    period = use_case.batches.period
    if period is None:
        return examples
    return examples.filter(pc.equal(pc.strftime(examples.column("event_time"), period.form), batch))


def _scored(view: pa.Table, use_case: UseCase, *, record: ModelRecord, by: Scorer) -> pa.Table:
    if lacking := why_not_answered(record, by, columns=view.column_names):
        raise RegistryError(f"Champion {lacking}.")
    kept = dict.fromkeys(("id", "event_time", *use_case.columns_beside, *use_case.watched_slices))
    rows = view.select([name for name in kept if name in view.column_names])
    for name, column in answers(by.scores(view), task=use_case.task, threshold=record.threshold).items():
        rows = rows.append_column(name, column)
    return rows.append_column("model_version", pa.array([record.version] * view.num_rows, pa.string()))


def _audit(staged: Snapshot, use_case: UseCase, batch: str) -> CheckResult:
    table = read_parquet(staged.local(predictions_path(use_case.name, batch=batch)))
    scores = table.column("score")
    right = pc.is_finite(scores)
    if not isinstance(use_case.task, Regression):
        right = pc.and_(right, pc.and_(pc.greater_equal(scores, 0), pc.less_equal(scores, 1)))
    good = pc.sum(right).as_py() or 0
    passed = table.num_rows > 0 and good == table.num_rows
    return CheckResult(
        name=EVERY_EXAMPLE,
        passed=passed,
        batch=batch,
        figures={"rows": table.num_rows, "scored": good},
        reasons=() if passed else (f"{good} of {table.num_rows} rows of {batch} have such a score.",),
    )
