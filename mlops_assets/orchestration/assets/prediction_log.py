"""``prediction_log``: what the service answered, collected into the lake exactly once."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.steps.collect import COLLECTED_ONCE, collect
from mlops_assets.stores.predictions.prediction_log import kept_in_log
from mlops_assets.stores.predictions.service_figures import Services

CHECKS = (
    Check(
        name=COLLECTED_ONCE,
        description="What was staged holds the records that the names of the files say, no record is in two files, and "
        "the figures of each file are of all its answers.",
    ),
)


def build_prediction_log(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that collects the service's log."""

    @platform_asset(
        use_case,
        name="prediction_log",
        stage="serving",
        deps=["champion", *(["online_store"] if use_case.history or use_case.asof else [])],
        kinds={"lakefs", "parquet"},
        checks=CHECKS,
        description=(
            "Every answer the service gave: id, time, inputs, features, score and model version; and the outcomes it "
            "was told. Where collecting goes on is read off the lake itself, so that a killed run neither loses nor "
            "doubles a record. The files of a day that is over become one, and what the lake has held for a week is "
            "dropped from the log. Beside every file lie its hourly figures, and those of the service itself where it "
            "answers (MLOPS_SERVICE_URL)."
        ),
    )
    def prediction_log(
        context: dg.AssetExecutionContext, lake: LakeResource, data: DataResource, duckdb: DuckDBResource
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        with (
            closing(data.prediction_log(use_case)) as log,
            log.collecting(),
            TemporaryDirectory(prefix="mlops-collect-") as folder,
        ):
            step = collect(
                run.lake.at(),
                use_case=use_case,
                log=log,
                now=datetime.now(UTC),
                into=Path(folder),
                kept=kept_in_log(),
                services=Services.from_environment(),
            )
            done = step.outcome
            yield from run.publish(
                step,
                metadata={
                    "dagster/row_count": done.rows,
                    "outcomes": done.outcomes,
                    "event_days": done.event_days,
                    "files_before": done.files_before,
                    "files_joined": done.joined,
                    "pruned": done.pruned,
                    "files_caught_up": done.caught_up,
                    **({"service": done.service} if done.service else {}),
                },
            )
            log.mark_collected(upto=done.upto)

    return prediction_log
