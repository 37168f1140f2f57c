"""``predictions``: a batch scored by the champion, each row as of its own moment."""

from datetime import date, timedelta

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
from dagster_duckdb import DuckDBResource
from duckdb import DuckDBPyConnection

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.paths import predictions_path
from mlops_assets.contract.tasks import Regression, answers
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.features.training_view import labelled_examples, training_view
from mlops_assets.lake.batches import Wanted
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import parquet_bytes, read_parquet
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import table_metadata
from mlops_assets.orchestration.partitions import batch_partitions
from mlops_assets.orchestration.resources import LakeResource
from mlops_assets.stores.features.online_refresh import LATE_OUTCOMES
from mlops_assets.stores.features.source_tables import create_history_view, create_source_views
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.eligibility import why_not_answered
from mlops_assets.stores.models.registry import load_version
from mlops_assets.training.scoring import Scorer

CHECKS = (
    Check(
        name="every_example_is_scored",
        description="Each example of the batch has one score: a finite number, from 0 to 1 where it is a probability.",
    ),
)


def build_predictions(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that scores batches."""

    @platform_asset(
        use_case,
        name="predictions",
        deps=[
            "champion",
            *(f"validated_{source.name}" for source in use_case.sources),
            *(["history"] * bool(use_case.history)),
        ],
        kinds={"lakefs", "xgboost", "parquet"},
        checks=CHECKS,
        partitions_def=batch_partitions(use_case),
        description="Every example of a batch, scored by the champion from what was known at the example's own moment.",
    )
    def predictions(context: dg.AssetExecutionContext, lake: LakeResource, duckdb: DuckDBResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        serving = champion(head, use_case=use_case.name)
        if serving is None:
            raise dg.Failure(f"{use_case.name} has no champion yet: materialise {use_case.name}/champion.")
        with duckdb.get_connection() as connection:
            scored = {b: _score(connection, head, use_case, batch=b, version=serving.version) for b in run.batches}
        yield from run.publish(
            files={predictions_path(use_case.name, batch=b): parquet_bytes(table) for b, table in scored.items()},
            audit=lambda staged: [_audit(staged, use_case, batch) for batch in scored],
            metadata={**table_metadata(pa.concat_tables(scored.values())), "version": serving.version},
        )

    return predictions


def _score(connection: DuckDBPyConnection, head: Snapshot, use_case: UseCase, *, batch: str, version: str) -> pa.Table:
    """id, event_time (if any), slice columns, score, what it decides and model_version of every example."""
    create_source_views(connection, head, use_case=use_case, wanted=_recent(use_case, batch, history=False))
    create_history_view(connection, head, use_case=use_case, wanted=_recent(use_case, batch, history=True))
    examples = labelled_examples(connection, examples_sql=use_case.examples_sql, relations=use_case.relations)
    view = training_view(
        connection,
        _of_batch(examples, use_case, batch),
        history=use_case.history,
        asof=use_case.asof,
        features_sql=use_case.features_sql,
        features=use_case.features,
        beside=use_case.columns_beside,
    )
    model = load_version(head, use_case=use_case.name, version=version)
    scorer = Scorer.open(model.files, threads=use_case.recipe.threads)
    if lacking := why_not_answered(model.record, scorer, columns=view.column_names):
        raise RegistryError(f"Champion {lacking}.")
    scores = scorer.scores(view)
    watched = use_case.monitoring.slices if use_case.monitoring else ()
    kept = dict.fromkeys(("id", "event_time", *use_case.columns_beside, *watched))
    rows = view.select([name for name in kept if name in view.column_names])
    for name, column in answers(scores, task=use_case.task, threshold=model.record.threshold).items():
        rows = rows.append_column(name, column)
    return rows.append_column("model_version", pa.array([version] * view.num_rows, pa.string()))


def _recent(use_case: UseCase, batch: str, *, history: bool) -> Wanted:
    """The batch itself, and as far back as side data or the longest window ask."""
    if not isinstance(use_case.batches, DailyBatches):
        return Wanted.these([batch])
    longest = max((view.longest for view in use_case.history), default=0) if history else 0
    first = date.fromisoformat(batch) - timedelta(days=longest) - LATE_OUTCOMES
    return Wanted(first=first.isoformat(), last=batch)


def _of_batch(examples: pa.Table, use_case: UseCase, batch: str) -> pa.Table:
    if not isinstance(use_case.batches, DailyBatches):
        return examples
    return examples.filter(pc.equal(pc.strftime(examples.column("event_time"), "%Y-%m-%d"), batch))


def _audit(staged: Snapshot, use_case: UseCase, batch: str) -> CheckResult:
    table = read_parquet(staged.local(predictions_path(use_case.name, batch=batch)))
    scores = table.column("score")
    right = pc.is_finite(scores)
    if not isinstance(use_case.task, Regression):
        right = pc.and_(right, pc.and_(pc.greater_equal(scores, 0), pc.less_equal(scores, 1)))
    good = pc.sum(right).as_py() or 0
    passed = table.num_rows > 0 and good == table.num_rows
    return CheckResult(
        name=CHECKS[0].name,
        passed=passed,
        batch=batch,
        figures={"rows": table.num_rows, "scored": good},
        reasons=() if passed else (f"{good} of {table.num_rows} rows of {batch} have such a score.",),
    )
