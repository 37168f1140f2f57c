"""``monitoring``: what the service answered on a day against what is normal for that hour of the week."""

import dagster as dg
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.slices import OVERALL
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import table_of
from mlops_assets.orchestration.partitions import served_days
from mlops_assets.orchestration.resources import LakeResource
from mlops_assets.steps.watch import READABLE, Reports, watch
from mlops_assets.watch.monitoring import WatchedCell
from mlops_assets.watch.validation.skew import SERVED_AS_TRAINED

NORMAL = Check(
    name="served_share_is_normal",
    description=(
        "No hour's share of predicted positives (no day's, where examples have no time), overall or in a slice, "
        "deviates beyond chance from what is normal for that hour of the week, corrected for the number of them."
    ),
    blocking=False,
)
SKEW = Check(
    name=SERVED_AS_TRAINED,
    description=(
        "No feature of the served requests is distributed otherwise than in the rows that their model was trained on: "
        "an effect over what is usual between those rows and a day, beyond chance, on enough rows."
    ),
    blocking=False,
)
READS_BACK = Check(name=READABLE, description="The published report reads back and names the day.")


def build_monitoring(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that watches a served day."""

    @platform_asset(
        use_case,
        name="monitoring",
        stage="watching",
        deps=["prediction_log"],
        kinds={"lakefs", "json"},
        checks=[NORMAL, SKEW, READS_BACK],
        partitions_def=served_days(use_case),
        description=(
            "The answers of one day against the model's own held-out predictions, hour by hour against that hour of "
            "the week where examples have a time; and, where outcomes have landed, how right the answers were. A "
            "deviation is a warning."
        ),
    )
    def monitoring(context: dg.AssetExecutionContext, lake: LakeResource, duckdb: DuckDBResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        step = watch(run.lake.at(), use_case=use_case, days=run.batches, lake=run.lake, connect=duckdb.get_connection)
        yield from run.publish(step, metadata=_metadata(step.outcome))

    return monitoring


def _metadata(reports: Reports) -> dict[str, object]:
    return {
        "answers": sum(told.rows for told in reports.values()),
        "deviations": sum(len(told.deviations) for told in reports.values()),
        "outcomes_landed": sum(bool(told.realised) for told in reports.values()),
        "hours": table_of(
            ("day", "hour", "scope", "answers", "share", "normal", "range", ""),
            [
                _cells(told.day, cell)
                for told in reports.values()
                for cell in (*told.deviations, *(each for each in told.cells if each.scope == OVERALL))
            ],
        ),
    }


def _cells(day: str, cell: WatchedCell) -> tuple[object, ...]:
    return (
        day,
        "all day" if cell.hour is None else f"{cell.hour:02d}:00",
        cell.scope,
        cell.rows,
        f"{cell.share:.1%}",
        None if cell.normal is None else f"{cell.normal:.1%}",
        None if cell.low is None else f"{cell.low:.1%} – {cell.high:.1%}",
        cell.verdict,
    )
