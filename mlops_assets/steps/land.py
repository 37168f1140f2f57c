"""Land: the files that outside systems dropped, byte for byte; one that is no whole table is refused.

The lake keeps a batch under one path, whatever the name of its file ends in: what it is its first bytes say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from mlops_assets.contract.anomalies import AnomalyReport
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import anomalies_path, batch_of, folder_of, raw_path
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.steps.step import Step
from mlops_assets.stores.landing.batch_surroundings import earlier_files
from mlops_assets.stores.landing.landing import LandedFile, LandingZone, read_landed
from mlops_assets.watch.validation.batch_sizes import FILE_SIZE_IS_USUAL, EarlierFile, judge_file_size
from mlops_assets.watch.validation.data_audits import audit_raw, judge_content
from mlops_assets.watch.validation.landed_bytes import packing_of


@dataclass(frozen=True, kw_only=True)
class Landed:
    """The landed file of every batch, and what is wrong with those that will be refused."""

    files: Mapping[str, LandedFile]
    refused: Mapping[str, AnomalyReport]


def land(
    head: Snapshot, *, use_case: UseCase, source: Source, batches: Sequence[str], zone: LandingZone
) -> Step[Landed]:
    """The files of ``batches`` from the landing zone, each judged by itself and beside those of other batches."""
    landed = {batch: zone.find(use_case.name, source=source, batch=batch) for batch in batches}
    paths = {batch: raw_path(use_case.name, source=source.name, batch=batch) for batch in landed}
    judged = _judged(landed, use_case=use_case, source=source, head=head)
    refused = _refused(judged, use_case=use_case, source=source)
    unusual = [check for checks in judged.values() for check in checks if check.name in unusual_file_checks(source)]
    return Step(
        files={
            **{paths[batch]: read_landed(file) for batch, file in landed.items()},
            **{
                anomalies_path(use_case.name, source=source.name, batch=batch): report.to_bytes()
                for batch, report in refused.items()
            },
        },
        audit=lambda staged: [*_audit(staged, source=source, paths=paths, landed=landed), *unusual],
        outcome=Landed(files=landed, refused=refused),
    )


def unusual_file_checks(source: Source) -> tuple[str, ...]:
    """The names of the checks that compare a file with earlier ones; they warn, or refuse what is far beyond."""
    return (FILE_SIZE_IS_USUAL,) if source.cadence is Cadence.DAILY else ()


def _judged(
    landed: Mapping[str, LandedFile], *, use_case: UseCase, source: Source, head: Snapshot
) -> dict[str, list[CheckResult]]:
    """Everything said of each landed file: by itself, and beside those of other batches."""
    folder = folder_of(raw_path(use_case.name, source=source.name, batch=""))
    known = {batch_of(info.path): info.checksum for info in head.paths(folder)}
    known |= {batch: file.sha256 for batch, file in landed.items()}
    judged: dict[str, list[CheckResult]] = {}
    rows: dict[str, int] = {}
    for batch, file in landed.items():
        own = audit_raw(file.path, source=source, batch=batch)
        rows[batch] = int(own[0].figures["rows"]) if all(check.passed for check in own) else 0
        judged[batch] = [judge_content(file.sha256, batch=batch, others=known), *own]
    if unusual_file_checks(source):
        past = earlier_files(landed, use_case=use_case, source=source, head=head)
        past |= {
            batch: EarlierFile(
                size=file.size,
                count_rows=partial(rows.__getitem__, batch),
                packing=partial(packing_of, file.path),
            )
            for batch, file in landed.items()
        }
        for batch, file in landed.items():
            judged[batch].append(
                judge_file_size(
                    file.size,
                    rows=rows[batch],
                    batch=batch,
                    past=past,
                    refused_times=source.refused_times,
                    packing=packing_of(file.path),
                )
            )
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


def _audit(
    staged: Snapshot, *, source: Source, paths: Mapping[str, str], landed: Mapping[str, LandedFile]
) -> Iterator[CheckResult]:
    """Every staged file by itself, and whether its bytes have landed under another name."""
    folder = folder_of(next(iter(paths.values())))
    checksums = {batch_of(info.path): info.checksum for info in staged.paths(folder)}
    for batch, path in paths.items():
        name = landed[batch].path.name
        yield from audit_raw(staged.local(path), source=source, batch=batch, landed_as=name)
        yield judge_content(checksums[batch], batch=batch, others=checksums)
