"""``validated_<source>``: the rows that hold, typed, with what breaks a rule set aside in quarantine and counted."""

from collections.abc import Mapping

import dagster as dg
import pyarrow as pa
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.slices import OVERALL
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check, log_anomalies
from mlops_assets.orchestration.metadata import page_links, table_metadata
from mlops_assets.orchestration.partitions import source_partitions
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.reports.profile_page import profile_page
from mlops_assets.steps.validate import validate
from mlops_assets.watch.profiles.profile import CATEGORY, Profile
from mlops_assets.watch.validation.batch_judgement import JudgedBatch, Surroundings, unusual_checks
from mlops_assets.watch.validation.batch_sizes import ROW_COUNT_IS_USUAL
from mlops_assets.watch.validation.cross_table import REFERENCES_EXIST
from mlops_assets.watch.validation.data_audits import validated_checks
from mlops_assets.watch.validation.known_keys import KEYS_ARE_NEW
from mlops_assets.watch.validation.shift_anomalies import DISTRIBUTIONS_ARE_USUAL

DESCRIPTIONS = {
    "matches_schema": "Columns, types and every rule of the schema hold for the published rows.",
    "has_rows": "At least one row is left to publish.",
    "rows_belong_to_batch": "Every row says that it is of the day its file is named for.",
    "quarantine_within_limit": "No more rows are set aside than the use case allows.",
    "every_row_accounted_for": "Every row of the landed file is published or in quarantine, exactly once.",
    ROW_COUNT_IS_USUAL: "The batch is as long as the same weekday's past, or the drops before, lead to expect.",
    REFERENCES_EXIST: "What the rows refer to is there in the other sources, but for the declared share.",
    KEYS_ARE_NEW: "No row has a key that another batch has published, and none was sent several times under new keys.",
    DISTRIBUTIONS_ARE_USUAL: "No column is distributed otherwise than what is usual between a batch and its past.",
}


def build_validated(use_case: UseCase, source: Source) -> dg.AssetsDefinition:
    """The asset that types and judges one source's rows."""

    @platform_asset(
        use_case,
        name=f"validated_{source.name}",
        stage="data",
        deps=[f"raw_{source.name}", *(f"validated_{each.source}" for each in source.references)],
        kinds={"lakefs", "pandera", "parquet"},
        checks=[
            *(Check(name=name, description=DESCRIPTIONS[name]) for name in validated_checks(source)),
            *(Check(name=name, description=DESCRIPTIONS[name], blocking=False) for name in unusual_checks(source)),
        ],
        partitions_def=source_partitions(use_case, source=source),
        description=(
            f"{source.description}\n\nThe rows that hold to the schema, typed, each with the row number it had in its "
            f"file. Rows that break a rule go to `{use_case.name}/quarantine/{source.name}/` with the "
            "rule, the value and "
            f"the reason; more than {source.max_quarantined_share:.1%} of a batch refuses it."
        ),
    )
    def validated(
        context: dg.AssetExecutionContext, lake: LakeResource, data: DataResource, duckdb: DuckDBResource
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        step = validate(
            run.lake.at(), use_case=use_case, source=source, batches=run.batches, connect=duckdb.get_connection
        )
        judged = step.outcome.batches
        log_anomalies(context, [each.anomalies for each in judged.values()])
        yield from run.publish(
            step,
            metadata={
                **_metadata(source, judged),
                **_figures({batch: each.profile for batch, each in judged.items()}),
                **_page(judged, source=source, surroundings=step.outcome.surroundings, data=data),
            },
        )

    return validated


def _metadata(source: Source, judged: Mapping[str, JudgedBatch]) -> dict[str, object]:
    valid = [each.report.valid for each in judged.values()]
    read = sum(each.report.rows_read for each in judged.values())
    kept = sum(table.num_rows for table in valid)
    found = [anomaly for each in judged.values() for anomaly in each.anomalies.anomalies]
    return {
        **table_metadata(
            pa.concat_tables(valid), meanings={each.name: each.description for each in source.columns.columns}
        ),
        "rows_read": read,
        "rows_quarantined": read - kept,
        "quarantined_share": (read - kept) / read if read else None,
        "schema_version": source.columns.version,
        "anomalies": len(found),
    }


def _figures(profiles: Mapping[str, Profile]) -> dict[str, float]:
    """Mean and missing share of every column, to be plotted over time; only of a run over one batch."""
    if len(profiles) != 1:
        return {}
    found = {}
    for row in next(iter(profiles.values())).table.to_pylist():
        if row["scope"] == OVERALL and row["rows"]:
            found[f"missing_share/{row['column']}"] = row["missing"] / row["rows"]
            if row["kind"] != CATEGORY and row["mean"] is not None:
                found[f"mean/{row['column']}"] = row["mean"]
    return found


def _page(
    judged: Mapping[str, JudgedBatch], *, source: Source, surroundings: Surroundings, data: DataResource
) -> dict[str, object]:
    """The profile page of a run over one batch, as a link and as a file; `mlops profile` makes those of others."""
    if len(judged) != 1:
        return {}
    ((batch, each),) = judged.items()
    path = data.environment / "pages" / each.anomalies.use_case / each.anomalies.source / f"{batch}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    page = profile_page(
        each.profile,
        title=f"{each.anomalies.use_case} · {each.anomalies.source} {batch}",
        profiles={name: profile for name, profile in surroundings.profiles.items() if name != batch},
        report=each.anomalies,
        drift=each.drift,
        days=(batch, *surroundings.profiles) if source.cadence is Cadence.DAILY else (),
    )
    path.write_text(page, encoding="utf-8")
    return {**page_links("profile_page", path, root=data.root)}
