"""``raw_<source>``: the landed files as they came, byte for byte, in the lake."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import dagster as dg

from mlops_assets.contract.anomalies import AnomalyReport
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import anomalies_path, batch_of, raw_path
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check, log_anomalies
from mlops_assets.orchestration.partitions import source_partitions
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.stores.landing.batch_surroundings import earlier_files
from mlops_assets.stores.landing.landing import LandedFile, read_landed
from mlops_assets.watch.validation.batch_sizes import FILE_SIZE_IS_USUAL, EarlierFile, judge_file_size
from mlops_assets.watch.validation.data_audits import NEW_CONTENT, RAW_CHECKS, audit_raw, judge_content

DESCRIPTIONS = {
    "file_is_whole": "The file is complete CSV text: UTF-8, no junk, no cut or uneven line.",
    "has_expected_header": "The header names exactly the columns of the schema, in their order.",
    "has_rows": "There is at least one row below the header.",
    NEW_CONTENT: "No other batch of the source has the same bytes.",
    FILE_SIZE_IS_USUAL: "The file has as many bytes as the same weekday's past leads to expect.",
}


def build_raw(use_case: UseCase, source: Source) -> dg.AssetsDefinition:
    """The asset that takes one source's landed files into the lake."""

    @platform_asset(
        use_case,
        name=f"raw_{source.name}",
        kinds={"lakefs", "csv"},
        checks=[
            *(Check(name=name, description=DESCRIPTIONS[name]) for name in (*RAW_CHECKS, NEW_CONTENT)),
            *(Check(name=name, description=DESCRIPTIONS[name], blocking=False) for name in _unusual_checks(source)),
        ],
        partitions_def=source_partitions(use_case, source=source),
        description=(
            f"{source.description}\n\nThe landed files as they came, byte for byte. A file that is "
            "not a whole CSV with "
            "the expected header is refused: it stays in the landing zone and on its lakeFS branch, with what is wrong "
            f"in `{use_case.name}/anomalies/{source.name}/`."
        ),
    )
    def raw(context: dg.AssetExecutionContext, lake: LakeResource, data: DataResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        landed = {batch: data.landing.find(use_case.name, source=source, batch=batch) for batch in run.batches}
        paths = {batch: raw_path(use_case.name, source=source.name, batch=batch) for batch in landed}
        judged = _judged(landed, use_case=use_case, source=source, head=run.lake.at())
        refused = _refused(judged, use_case=use_case, source=source)
        unusual = [check for checks in judged.values() for check in checks if check.name in _unusual_checks(source)]
        log_anomalies(context, refused.values())
        yield from run.publish(
            files={
                **{paths[batch]: read_landed(file) for batch, file in landed.items()},
                **{
                    anomalies_path(use_case.name, source=source.name, batch=batch): report.to_bytes()
                    for batch, report in refused.items()
                },
            },
            audit=lambda staged: [*_audit(staged, source, paths), *unusual],
            metadata={
                "landed_bytes": sum(file.size for file in landed.values()),
                "landed_files": len(landed),
                "landed_from": str(next(iter(landed.values())).path.parent),
            },
        )

    return raw


def _unusual_checks(source: Source) -> tuple[str, ...]:
    """The names of the checks that compare a file with earlier ones; they warn."""
    return (FILE_SIZE_IS_USUAL,) if source.cadence is Cadence.DAILY else ()


def _judged(
    landed: Mapping[str, LandedFile], *, use_case: UseCase, source: Source, head: Snapshot
) -> dict[str, list[CheckResult]]:
    """Everything said of each landed file: by itself, and beside those of other batches."""
    folder = raw_path(use_case.name, source=source.name, batch="").rsplit("/", 1)[0] + "/"
    known = {batch_of(info.path): info.checksum for info in head.paths(folder)}
    known |= {batch: file.sha256 for batch, file in landed.items()}
    judged, rows = {}, {}
    for batch, file in landed.items():
        own = audit_raw(file.path, source=source, batch=batch)
        rows[batch] = int(own[0].figures["rows"]) if all(check.passed for check in own) else 0
        judged[batch] = [judge_content(file.sha256, batch=batch, others=known), *own]
    if _unusual_checks(source):
        past = earlier_files(landed, use_case=use_case, source=source, head=head)
        past |= {
            batch: EarlierFile(size=file.size, count_rows=partial(rows.get, batch, 0)) for batch, file in landed.items()
        }
        for batch, file in landed.items():
            judged[batch].append(judge_file_size(file.size, rows=rows[batch], batch=batch, past=past))
    return judged


def _refused(
    judged: Mapping[str, Sequence[CheckResult]], *, use_case: UseCase, source: Source
) -> dict[str, AnomalyReport]:
    """What is wrong with the files that will be refused: it is staged beside them and stays on their branch."""
    reports = {
        batch: AnomalyReport(
            use_case=use_case.name,
            source=source.name,
            batch=batch,
            schema_version=source.columns.version,
            rows_read=0,
            rows_quarantined=0,
            anomalies=tuple(found for check in checks for found in check.anomalies),
        )
        for batch, checks in judged.items()
    }
    return {batch: report for batch, report in reports.items() if report.refused}


def _audit(staged: Snapshot, source: Source, paths: Mapping[str, str]) -> Iterator[CheckResult]:
    """Every staged file by itself, and whether its bytes have landed under another name."""
    folder = next(iter(paths.values())).rsplit("/", 1)[0] + "/"
    checksums = {batch_of(info.path): info.checksum for info in staged.paths(folder)}
    for batch, path in paths.items():
        yield from audit_raw(staged.local(path), source=source, batch=batch)
        yield judge_content(checksums[batch], batch=batch, others=checksums)
