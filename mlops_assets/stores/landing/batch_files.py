"""Judging one file now, wherever it lies: still with its sender, in the landing zone, or in the lake."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb

from mlops_assets.contract.anomalies import AnomalyReport
from mlops_assets.contract.errors import LandingError
from mlops_assets.contract.paths import WHOLE, batch_of, folder_of, raw_path
from mlops_assets.contract.source import Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.landing.batch_surroundings import surroundings_of
from mlops_assets.stores.landing.landing import LandingZone, batch_named_by
from mlops_assets.watch.validation.batch_judgement import JudgedBatch, judge_batches
from mlops_assets.watch.validation.data_audits import judge_content


def find_file(use_case: UseCase, *, source: Source, batch: str, zone: LandingZone, head: Snapshot) -> Path:
    """The file of a batch as it landed last: in the landing zone, else in the lake; a LandingError if in neither."""
    if zone.files(use_case.name, source=source, batch=batch):
        return zone.find(use_case.name, source=source, batch=batch).path
    path = raw_path(use_case.name, source=source.name, batch=batch)
    if not head.exists(path):
        raise LandingError(
            f"Batch '{batch}' of {use_case.name}/{source.name} is neither in {zone.root} nor in the lake."
        )
    return head.local(path)


def batch_named(file: Path, *, source: Source, batch: str | None) -> str:
    """The batch that ``file`` is judged as: ``batch``, else what its name says; a LandingError if it says nothing."""
    if not source.arrives:
        return WHOLE
    name = batch or batch_named_by(file.name)
    if fault := source.batch_fault(name):
        raise LandingError(f"'{name}' is no batch of {source.name}: it {fault}. Say which one with --day.")
    return name


def judge_file(file: Path, *, use_case: UseCase, source: Source, batch: str, head: Snapshot) -> JudgedBatch:
    """Everything that would be said of ``file`` if it landed for ``batch`` now, and nothing is written."""
    folder = folder_of(raw_path(use_case.name, source=source.name, batch=""))
    checksums = {batch_of(info.path): info.checksum for info in head.paths(folder)}
    with file.open("rb") as stream:
        own = hashlib.file_digest(stream, "sha256").hexdigest()
    content = judge_content(own, batch=batch, others=checksums)
    with duckdb.connect() as connection:
        judged = judge_batches(
            {batch: file},
            use_case=use_case,
            source=source,
            surroundings=surroundings_of([batch], use_case=use_case, source=source, head=head),
            connection=connection,
        )[batch]
    found = judged.anomalies.model_copy(update={"anomalies": (*content.anomalies, *judged.anomalies.anomalies)})
    return JudgedBatch(
        report=judged.report,
        profile=judged.profile,
        unusual=(content, *judged.unusual),
        drift=judged.drift,
        anomalies=AnomalyReport.model_validate(found.model_dump()),
    )
