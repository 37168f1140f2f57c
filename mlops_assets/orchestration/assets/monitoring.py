"""``monitoring``: what the service was asked and answered on a day, against what is usual and against the outcomes."""

import dagster as dg
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.slices import OVERALL
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import page_links, table_of
from mlops_assets.orchestration.moments import moment_of
from mlops_assets.orchestration.partitions import served_days
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.steps.monitoring_page import refresh_page
from mlops_assets.steps.tell_alerts import looks_at
from mlops_assets.steps.watch import CHECKS, READABLE, Reports, watch
from mlops_assets.stores.alerts.book import AlertBook
from mlops_assets.stores.pages import monitor_page, page_url
from mlops_assets.stores.predictions import parity
from mlops_assets.watch.served.report import Cell

WATCHED = (
    Check(
        name=parity.NAME,
        description="A random sample of the day's answers, computed again from the lake as of their own moment, has "
        "the same features and scores, to the bit.",
        blocking=False,
    ),
    Check(
        name=CHECKS["exact"],
        description="The service answers what it is asked: traffic of each hour of the week, errors, latency, doubled "
        "answers, unknown entities and the age of its history are as usual.",
        blocking=False,
    ),
    Check(
        name=CHECKS["inputs"],
        description="The requests of the day, as they came in, pass the judge of landed files against those of the "
        "days before.",
        blocking=False,
    ),
    Check(
        name=CHECKS["predictions"],
        description="Scores and shares of the day, its hours and its slices are as usual beyond chance, or something "
        "else that is unusual explains it. Fails, too, if nothing could be judged.",
        blocking=False,
    ),
    Check(
        name=CHECKS["truth"],
        description="Where outcomes are known, the answers were as right as they usually are. What was promised of "
        "their model stands beside them in the report, and decides on retraining.",
        blocking=False,
    ),
    Check(name=READABLE, description="The published report reads back and names the day."),
)


def build_monitoring(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that watches a served day."""

    @platform_asset(
        use_case,
        name="monitoring",
        stage="watching",
        deps=["prediction_log"],
        kinds={"lakefs", "json"},
        checks=WATCHED,
        partitions_def=served_days(use_case),
        description=(
            "One served day, as far as it is over: what was asked and answered against the same hours of the weeks "
            "before, with the smallest shift that each comparison would find; how right the answers probably were, "
            "and, where outcomes are known, were. Each cause becomes one alert."
        ),
    )
    def monitoring(
        context: dg.AssetExecutionContext, lake: LakeResource, data: DataResource, duckdb: DuckDBResource
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        now = moment_of(run.context.run.tags)
        step = watch(
            run.lake.at(),
            use_case=use_case,
            days=run.batches,
            lake=run.lake,
            connect=duckdb.get_connection,
            now=now,
        )
        reports, page = step.outcome, monitor_page(data.environment, use_case=use_case.name)
        with AlertBook(data.environment) as book:  # before the report, so that a killed run leaves nothing untold
            told = {"time_zone": use_case.event_times.time_zone, "page": page_url(page, root=data.root)}
            book.record([look for report in reports.values() for look in looks_at(report, **told)], now=now)
        links = page_links("monitor", page, root=data.root)
        yield from run.publish(step, metadata={**_metadata(reports), **links})
        refresh_page(run.lake, use_case=use_case, folder=data.environment, now=now)

    return monitoring


def _metadata(reports: Reports) -> dict[str, object]:
    return {
        "headline": " ".join(told.headline for told in reports.values()),
        "answers": sum(told.answered for told in reports.values()),
        "outcomes": sum(told.labelled for told in reports.values()),
        "causes": table_of(
            ("day", "judged", "what", "usual"),
            [
                (told.day.isoformat(), each.order, each.what, each.normal)
                for told in reports.values()
                for each in told.causes
            ],
        ),
        "cells": table_of(
            ("day", "figure", "scope", "hour", "answers", "value", "usual", "found from", ""),
            [
                _cells(told.day.isoformat(), cell)
                for told in reports.values()
                for cell in (*told.unusual, *(each for each in told.cells if each.scope == OVERALL))
            ],
        ),
    }


def _cells(day: str, cell: Cell) -> tuple[object, ...]:
    return (
        day,
        cell.metric,
        cell.scope,
        cell.span if cell.hour is None else f"{cell.hour:02d}:00",
        cell.n,
        f"{cell.figure:.4g}",
        None if cell.usual is None else f"{cell.usual + cell.figure - cell.value:.4g}",
        None if cell.detectable is None else f"{cell.detectable:.2g}",
        cell.verdict,
    )
