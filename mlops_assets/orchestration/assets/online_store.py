"""``online_store``: what serving looks up, refreshed as a whole from one lake commit."""

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
from dagster_duckdb import DuckDBResource
from duckdb import DuckDBPyConnection

from mlops_assets.ml.checks import CheckResult
from mlops_assets.ml.errors import ServingError
from mlops_assets.ml.features import compute_relations
from mlops_assets.ml.online_view import OnlineView, online_view
from mlops_assets.ml.paths import batch_of, history_path
from mlops_assets.ml.training_view import attach, labelled_examples
from mlops_assets.ml.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.stores.online import OnlineStore
from mlops_assets.stores.snapshot import Snapshot
from mlops_assets.stores.source_tables import create_history_view, create_source_views

SAMPLE = 500
LATE_OUTCOMES = timedelta(days=3)
"""How long after its batch's day an outcome may become known: batches this much older than a window still count."""

NOTHING = 0
"""Generations are numbered from 1."""

CHECKS = (
    Check(name="every_view_has_entities", description="Each history and side view holds at least one entity."),
    Check(
        name="online_equals_offline",
        description="For a sample of real rows, what serving looks up equals the point-in-time join, to the bit.",
    ),
)


def build_online_store(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that refreshes the online store of a use case."""

    @platform_asset(
        use_case,
        name="online_store",
        deps=[*(f"validated_{source.name}" for source in use_case.sources), *(["history"] if use_case.history else [])],
        kinds={"sqlite", "duckdb"},
        checks=CHECKS,
        description=(
            "History rolled up to the day after the last batch, and recent side data, for every entity: what "
            "`bentoml serve` looks up. It is replaced as a whole, so that a reader sees one lake commit's values or "
            "the next one's. If it differs from the offline features it goes back to what it held before."
        ),
    )
    def store(
        context: dg.AssetExecutionContext, lake: LakeResource, data: DataResource, duckdb: DuckDBResource
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        as_of = next_day(head, use_case=use_case)
        with duckdb.get_connection() as connection, data.online_store(use_case) as online:
            create_recent_views(connection, head, use_case=use_case, as_of=as_of)
            view = online_view(connection, as_of=as_of, history=use_case.history, asof=use_case.asof)
            changed = online.refresh(view, commit=head.commit)
            audits = (_every_view(view), _equality(connection, online, use_case=use_case, as_of=as_of))
            if changed and any(audit.blocks for audit in audits):
                _take_back(online)
        yield from run.record(
            audits=audits,
            metadata={
                "as_of": as_of.isoformat(),
                "lakefs_commit": head.commit,
                "changed": changed,
                "entities": json.dumps({each.name: len(each.entities) for each in (*view.history, *view.side)}),
            },
        )

    return store


def next_day(snapshot: Snapshot, *, use_case: UseCase) -> date:
    """The first day about which the lake holds no history yet: what is known now serves that day."""
    batches = [
        batch_of(info.path) for info in snapshot.paths(history_path(use_case.name, batch="").removesuffix(".parquet"))
    ]
    if not batches:
        raise dg.Failure(f"No history of {use_case.name} in the lake yet: materialise {use_case.name}/history first.")
    return date.fromisoformat(max(batches)) + timedelta(days=1)


def create_recent_views(connection: DuckDBPyConnection, snapshot: Snapshot, *, use_case: UseCase, as_of: date) -> None:
    """Sources and history as views, reaching back as far as the longest window asks."""
    longest = max((view.longest for view in use_case.history), default=0)
    create_history_view(
        connection, snapshot, use_case=use_case, wanted=_since(as_of - timedelta(days=longest) - LATE_OUTCOMES)
    )
    create_source_views(connection, snapshot, use_case=use_case, wanted=_since(as_of - LATE_OUTCOMES))
    compute_relations(connection, use_case.relations)


def _take_back(online: OnlineStore) -> None:
    """What was in use before the refresh is in use again; after a first one nothing is, which the service says."""
    try:
        online.go_back()
    except ServingError:
        online.backend.use(NOTHING)


def _since(first: date) -> Callable[[str], bool]:
    return lambda batch: batch >= first.isoformat()


def _every_view(view: OnlineView) -> CheckResult:
    counts = {each.name: len(each.entities) for each in (*view.history, *view.side)}
    empty = sorted(name for name, count in counts.items() if not count)
    return CheckResult(
        name="every_view_has_entities",
        passed=not empty,
        figures=counts,
        reasons=(f"No entities in {', '.join(empty)}.",) if empty else (),
    )


def _equality(connection: DuckDBPyConnection, online: OnlineStore, *, use_case: UseCase, as_of: date) -> CheckResult:
    """Yesterday's rows asked again at noon of ``as_of``: online look-up against the offline join."""
    examples = labelled_examples(connection, examples_sql=use_case.examples_sql, relations=use_case.relations)
    noon = pa.scalar(datetime.combine(as_of, time(12)), pa.timestamp("us"))
    examples = examples.slice(max(examples.num_rows - SAMPLE, 0))
    examples = examples.set_column(
        examples.column_names.index("event_time"), "event_time", pa.array([noon.as_py()] * examples.num_rows, noon.type)
    )
    offline = attach(connection, examples, history=use_case.history, asof=use_case.asof, as_of=as_of)
    served = online.look_up(examples).examples
    differing = [
        name
        for name in offline.column_names
        if name not in examples.column_names and not _equal(offline.column(name), served.column(name))
    ]
    return CheckResult(
        name="online_equals_offline",
        passed=not differing,
        figures={"rows": examples.num_rows, "columns": offline.num_columns - examples.num_columns},
        reasons=(f"These columns differ: {', '.join(differing)}.",) if differing else (),
    )


def _equal(offline: pa.ChunkedArray, served: pa.ChunkedArray) -> bool:
    return offline.combine_chunks().equals(pc.cast(served, offline.type).combine_chunks())
