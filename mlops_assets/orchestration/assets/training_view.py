"""``training_view``: history and side data joined point-in-time to labelled examples; the model's matrix."""

import json

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
from dagster_duckdb import DuckDBResource
from duckdb import DuckDBPyConnection
from pydantic import Field

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import training_view_path
from mlops_assets.contract.source import Cadence
from mlops_assets.contract.tasks import two_outcomes
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.features.catalogue import ViewProfile, profile_view
from mlops_assets.features.lineage import feature_lineage
from mlops_assets.features.training_view import labelled_examples, training_view
from mlops_assets.judge.leakage import NOT_TOO_GOOD, REQUEST_ONLY, audit_request_sql, audit_single_features
from mlops_assets.lake.batches import EVERY_BATCH, Wanted
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import parquet_bytes, read_parquet
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import column_lineage, page_links, table_metadata
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.reports.feature_catalogue import catalogue_page, strongest
from mlops_assets.stores.features.source_tables import create_history_view, create_source_views
from mlops_assets.stores.models.feature_catalogue import PROFILE, read_catalogue
from mlops_assets.training.fit import labels_of

OUTCOMES = (
    Check(name="has_both_outcomes", description="There are examples of both outcomes to learn from."),
    Check(name="one_row_per_example", description="Every example is there once."),
)
LEAKAGE = (
    Check(
        name=REQUEST_ONLY,
        description="Request SQL and features taken as they stand read nothing that a request does not have, such as "
        "the label: found by parsing.",
    ),
    Check(
        name=NOT_TOO_GOOD,
        description="No feature alone ranks the label better than the use case finds believable.",
    ),
)
AFTERWARDS = (
    Check(
        name="nothing_known_later_is_used",
        description="The features of one day, computed again with every later batch deleted, are identical to the bit.",
    ),
)


class TrainingViewConfig(dg.Config):
    """Which batches a training view is made of."""

    through: str | None = Field(default=None, description="The last batch to use; all there are by default.")


def build_training_view(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that makes the model's matrix."""

    @platform_asset(
        use_case,
        name="training_view",
        deps=[*(f"validated_{source.name}" for source in use_case.sources), *(["history"] if use_case.history else [])],
        kinds={"lakefs", "duckdb", "parquet"},
        checks=OUTCOMES + LEAKAGE + AFTERWARDS * isinstance(use_case.batches, DailyBatches),
        description=(
            f"Every example with a known outcome ({use_case.title.lower()}), with "
            f"{len(use_case.features)} features as they "
            "were known at the moment of prediction, read from one lakeFS commit."
        ),
    )
    def view(
        context: dg.AssetExecutionContext,
        config: TrainingViewConfig,
        lake: LakeResource,
        data: DataResource,
        duckdb: DuckDBResource,
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        with duckdb.get_connection() as connection:
            table, batches = compute_view(connection, head, use_case=use_case, wanted=_up_to(config.through))
        origins = feature_lineage(use_case)
        manifest = {"first": batches[0], "last": batches[-1], "batches": len(batches), "rows": table.num_rows}
        profile = profile_view(table, features=use_case.features, through=batches[-1])
        yield from run.publish(
            files={
                training_view_path(use_case.name): parquet_bytes(table),
                training_view_path(use_case.name, name="manifest.json"): json.dumps(manifest, indent=1).encode(),
                training_view_path(use_case.name, name=PROFILE): profile.model_dump_json(indent=1).encode(),
            },
            audit=lambda staged: _audit(staged, head, use_case=use_case, duckdb=duckdb),
            metadata={
                **table_metadata(table, meanings={each.name: each.description for each in use_case.features}),
                **column_lineage({each.name: origins[each.name] for each in use_case.features}, use_case=use_case),
                **manifest,
                **_catalogued(head, profile, use_case=use_case, data=data),
                "read_at_lakefs_commit": head.commit,
            },
        )

    return view


def compute_view(
    connection: DuckDBPyConnection, snapshot: Snapshot, *, use_case: UseCase, wanted: Wanted
) -> tuple[pa.Table, tuple[str, ...]]:
    """The training view over the wanted batches at one commit, labelled rows only, and the batches it was made of."""
    found = create_source_views(connection, snapshot, use_case=use_case, wanted=wanted)
    arriving = [source.name for source in use_case.sources if source.cadence is not Cadence.STATIC]
    batches = tuple(sorted({batch for name in arriving for batch in found[name]}))
    create_history_view(connection, snapshot, use_case=use_case, wanted=wanted)
    examples = labelled_examples(connection, examples_sql=use_case.examples_sql, relations=use_case.relations)
    table = training_view(
        connection,
        examples.filter(pc.is_valid(examples.column("label"))),
        history=use_case.history,
        asof=use_case.asof,
        features_sql=use_case.features_sql,
        features=use_case.features,
        beside=use_case.columns_beside,
    )
    return table, batches


def _catalogued(
    snapshot: Snapshot, profile: ViewProfile, *, use_case: UseCase, data: DataResource
) -> dict[str, object]:
    """Writes the page of all features and says where, with the most important of them."""
    found = read_catalogue(snapshot, use_case=use_case, profile=profile)
    page = data.reports(use_case) / "features.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(catalogue_page(found), encoding="utf-8")
    return {**page_links("feature_catalogue", page, root=data.root), "features": dg.MetadataValue.md(strongest(found))}


def _up_to(through: str | None) -> Wanted:
    return EVERY_BATCH if through is None else Wanted(last=through)


def _audit(
    staged: Snapshot, read_from: Snapshot, *, use_case: UseCase, duckdb: DuckDBResource
) -> tuple[CheckResult, ...]:
    table = read_parquet(staged.local(training_view_path(use_case.name)))
    outcomes = two_outcomes(labels_of(table), task=use_case.task)
    positives = int(outcomes.sum())
    repeated = table.num_rows - pc.count_distinct(table.column("id")).as_py()
    return (
        CheckResult(
            name="has_both_outcomes",
            passed=0 < positives < table.num_rows,
            figures={"rows": table.num_rows, "positives": positives},
            reasons=() if 0 < positives < table.num_rows else (f"{positives} of {table.num_rows} rows are positive.",),
        ),
        CheckResult(
            name="one_row_per_example",
            passed=not repeated,
            figures={"repeated": repeated},
            reasons=(f"{repeated} rows repeat an example.",) if repeated else (),
        ),
        audit_request_sql(use_case),
        audit_single_features(table, labels=outcomes, features=use_case.features, limit=use_case.suspicious_roc_auc),
        *_afterwards(table, read_from, use_case=use_case, duckdb=duckdb),
    )


def _afterwards(
    table: pa.Table, snapshot: Snapshot, *, use_case: UseCase, duckdb: DuckDBResource
) -> tuple[CheckResult, ...]:
    if not isinstance(use_case.batches, DailyBatches):
        return ()
    with duckdb.get_connection() as connection:
        return (_moved_by_the_future(connection, table, snapshot, use_case=use_case),)


def _moved_by_the_future(
    connection: DuckDBPyConnection, table: pa.Table, snapshot: Snapshot, *, use_case: UseCase
) -> CheckResult:
    """The middle day of the view once more, from a lake in which no later batch was ever landed."""
    days = sorted(pc.unique(_days(table)).to_pylist())
    day = days[len(days) // 2]
    kept = table.filter(pc.equal(_days(table), day))
    again, _ = compute_view(connection, snapshot, use_case=use_case, wanted=_up_to(day))
    again = again.filter(pc.equal(_days(again), day))
    moved = [name for name in kept.column_names if not kept[name].combine_chunks().equals(again[name].combine_chunks())]
    return CheckResult(
        name="nothing_known_later_is_used",
        passed=not moved,
        figures={"day": day, "rows": kept.num_rows, "columns": kept.num_columns},
        reasons=(f"On {day} these columns depend on later data: {', '.join(moved)}.",) if moved else (),
    )


def _days(table: pa.Table) -> pa.ChunkedArray:
    return pc.strftime(table.column("event_time"), "%Y-%m-%d")
