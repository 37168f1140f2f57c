"""Validate: the rows that hold, typed; what breaks a rule is set aside in quarantine and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import anomalies_path, profile_path, quarantine_path, raw_path, validated_path
from mlops_assets.contract.source import Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, parquet_bytes
from mlops_assets.steps.step import Step
from mlops_assets.stores.landing.batch_surroundings import surroundings_of
from mlops_assets.watch.validation.batch_judgement import JudgedBatch, Surroundings, judge_batches
from mlops_assets.watch.validation.data_audits import StagedBatch, audit_validated, with_explanations


@dataclass(frozen=True, kw_only=True)
class Validated:
    """Everything said of each batch, and what it was judged against."""

    batches: Mapping[str, JudgedBatch]
    surroundings: Surroundings


def validate(
    head: Snapshot, *, use_case: UseCase, source: Source, batches: Sequence[str], connect: Connect
) -> Step[Validated]:
    """The landed files of ``batches``, row by row."""
    paths = {batch: raw_path(use_case.name, source=source.name, batch=batch) for batch in batches}
    surroundings = surroundings_of(batches, use_case=use_case, source=source, head=head)
    with connect() as connection:
        judged = judge_batches(
            {batch: head.local(path) for batch, path in paths.items()},
            use_case=use_case,
            source=source,
            surroundings=surroundings,
            connection=connection,
        )
    unusual = [verdict for each in judged.values() for verdict in each.unusual]
    checksums = {batch: head.info(path).checksum for batch, path in paths.items()}
    return Step(
        files=_files(judged, use_case=use_case, source=source, made_from=checksums),
        deletes=_emptied(judged, use_case=use_case, source=source),
        audit=lambda staged: [
            *_audit(staged, judged, use_case=use_case, source=source),
            *(verdict for verdict in unusual if verdict.blocks),
        ],
        checks=[verdict for verdict in unusual if not verdict.blocks],
        outcome=Validated(batches=judged, surroundings=surroundings),
    )


def _files(
    judged: Mapping[str, JudgedBatch], *, use_case: UseCase, source: Source, made_from: Mapping[str, str]
) -> dict[str, bytes]:
    """Of every batch: the rows that hold, those that don't, the profile and the anomalies."""
    files = {}
    for batch, each in judged.items():
        of = {"source": source.name, "batch": batch}
        rows = parquet_bytes(each.report.valid, made_from=made_from[batch])
        files[validated_path(use_case.name, **of)] = rows
        if each.report.quarantined.num_rows:
            files[quarantine_path(use_case.name, **of)] = parquet_bytes(each.report.quarantined)
        files[profile_path(use_case.name, **of)] = parquet_bytes(each.profile.table)
        files[anomalies_path(use_case.name, **of)] = each.anomalies.to_bytes()
    return files


def _emptied(judged: Mapping[str, JudgedBatch], *, use_case: UseCase, source: Source) -> list[str]:
    """Quarantine files of an earlier version of a batch that has none any more."""
    return [
        quarantine_path(use_case.name, source=source.name, batch=batch)
        for batch, each in judged.items()
        if not each.report.quarantined.num_rows
    ]


def _audit(
    staged: Snapshot, judged: Mapping[str, JudgedBatch], *, use_case: UseCase, source: Source
) -> list[CheckResult]:
    name = use_case.name
    files = {
        batch: StagedBatch(
            valid=staged.local(validated_path(name, source=source.name, batch=batch)),
            quarantined=_local_if_there(staged, quarantine_path(name, source=source.name, batch=batch)),
            rows_read=each.report.rows_read,
        )
        for batch, each in judged.items()
    }
    return [
        check
        for batch, checks in audit_validated(files, source=source).items()
        for check in with_explanations(checks, anomalies=judged[batch].anomalies.anomalies)
    ]


def _local_if_there(staged: Snapshot, path: str) -> Path | None:
    return staged.local(path) if staged.exists(path) else None
