"""What the lake knows around a batch: the files and profiles before it and the tables it refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path

import pyarrow as pa

from mlops_assets.contract.anomalies import AnomalyReport
from mlops_assets.contract.file_form import Packing
from mlops_assets.contract.paths import (
    WHOLE,
    anomalies_path,
    batch_of,
    in_order,
    profile_path,
    raw_path,
    validated_path,
)
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.landing.acceptances import acceptances
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.validation.batch_judgement import Surroundings
from mlops_assets.watch.validation.batch_sizes import EarlierFile, same_weekday
from mlops_assets.watch.validation.file_format import inspect_landed
from mlops_assets.watch.validation.landed_bytes import packing_of

DAYS = 84
"""How far back profiles are read: what calibrates a comparison of twelve weeks."""


def surroundings_of(batches: Sequence[str], *, use_case: UseCase, source: Source, head: Snapshot) -> Surroundings:
    """What ``batches`` of ``source`` are judged against."""
    referred = _referred(batches, use_case=use_case, source=source, head=head)
    if source.cadence is Cadence.STATIC:
        return Surroundings(referred=referred)
    daily = source.cadence is Cadence.DAILY
    order = () if daily else _order(use_case, source=source, head=head)
    before = _days_before(batches) if daily else _drops_before(batches, order=order)
    known = [each for each in acceptances(use_case.name, head=head) if source.name in each.sources]
    return Surroundings(
        files=earlier_files(batches, use_case=use_case, source=source, head=head) if daily else {},
        profiles=stored_profiles(before, use_case=use_case, source=source, head=head),
        referred=referred,
        unusual=recorded_unusual(before, use_case=use_case, source=source, head=head),
        accepted=frozenset(
            batch for batch in {*before, *batches} if any(each.covers(batch, source=source.name) for each in known)
        ),
        order=order,
        published=_published(use_case, source=source, head=head) if source.cadence is Cadence.NAMED else {},
    )


def landed_order(use_case: UseCase, *, source: Source, head: Snapshot) -> tuple[str, ...]:
    """The batches of a source in the order in which they landed last, those of one second by their names."""
    infos = head.paths(_folder(raw_path, use_case, source))
    return tuple(batch_of(info.path) for info in sorted(infos, key=lambda info: (info.modified, in_order(info.path))))


def _order(use_case: UseCase, *, source: Source, head: Snapshot) -> tuple[str, ...]:
    """Weeks and months as they follow each other, drops with names as they have landed."""
    landed = landed_order(use_case, source=source, head=head)
    return tuple(sorted(landed)) if source.period else landed


def recorded_unusual(
    batches: Iterable[str], *, use_case: UseCase, source: Source, head: Snapshot
) -> dict[str, frozenset[str]]:
    """The columns that were unusual in each of these batches, as its published report says."""
    paths = [anomalies_path(use_case.name, source=source.name, batch=batch) for batch in batches]
    kept = [path for path, info in head.find_many(paths).items() if info is not None]
    reports = {batch_of(path): AnomalyReport.model_validate_json(head.read(path)) for path in kept}
    return {batch: report.unusual_columns for batch, report in reports.items() if report.unusual_columns}


def stored_batches(use_case: UseCase, *, source: Source, head: Snapshot) -> tuple[str, ...]:
    """The batches that the lake has published of a source, by name."""
    return tuple(batch_of(info.path) for info in head.paths(_folder(anomalies_path, use_case, source)))


def _published(use_case: UseCase, *, source: Source, head: Snapshot) -> dict[str, Path]:
    """The validated files of every batch, to look their keys up."""
    if not source.columns.keys:
        return {}
    folder = _folder(validated_path, use_case, source)
    return {batch_of(path): local for path, local in head.local_many(folder).items()}


def _folder(path: Callable[..., str], use_case: UseCase, source: Source) -> str:
    return path(use_case.name, source=source.name, batch="").rsplit("/", 1)[0] + "/"


def earlier_files(
    batches: Iterable[str], *, use_case: UseCase, source: Source, head: Snapshot
) -> dict[str, EarlierFile]:
    """The landed files of the same weekdays before, as far as the lake has them; rows are counted only if asked for."""
    days = {day for batch in batches for day in same_weekday(batch)}
    paths = [raw_path(use_case.name, source=source.name, batch=day) for day in days]

    def rows(path: str) -> int:
        return inspect_landed(head.local(path), source=source).rows

    def packing(path: str) -> Packing:
        return packing_of(head.local(path))

    return {
        batch_of(path): EarlierFile(size=info.size, count_rows=partial(rows, path), packing=partial(packing, path))
        for path, info in head.find_many(paths).items()
        if info is not None
    }


def stored_profiles(batches: Iterable[str], *, use_case: UseCase, source: Source, head: Snapshot) -> dict[str, Profile]:
    """The profiles that the lake holds of these batches."""
    paths = [profile_path(use_case.name, source=source.name, batch=batch) for batch in batches]
    return {
        batch_of(path): Profile(table=read_parquet(head.local(path)))
        for path, info in head.find_many(paths).items()
        if info is not None
    }


def stored_anomalies(batches: Sequence[str], *, use_case: UseCase, source: Source, head: Snapshot) -> AnomalyReport:
    """What the lake holds of these batches as one report: every anomaly says of which batch it is."""
    paths = [anomalies_path(use_case.name, source=source.name, batch=batch) for batch in batches]
    kept = [path for path, info in head.find_many(paths).items() if info is not None]
    reports = [AnomalyReport.model_validate_json(head.read(path)) for path in kept]
    return AnomalyReport(
        use_case=use_case.name,
        source=source.name,
        batch=f"{min(batches)} to {max(batches)}",
        schema_version=", ".join(dict.fromkeys(report.schema_version for report in reports)),
        rows_read=sum(report.rows_read for report in reports),
        rows_quarantined=sum(report.rows_quarantined for report in reports),
        anomalies=tuple(
            found.model_copy(update={"message": f"{report.batch}: {found.message}"})
            for report in reports
            for found in report.anomalies
        ),
    )


def _drops_before(batches: Sequence[str], *, order: Sequence[str]) -> list[str]:
    """The drops before the last of ``batches``, as many as ``DAYS``; of those that have not landed, all."""
    places = [order.index(batch) for batch in batches if batch in order]
    last = max(places, default=len(order)) if len(places) == len(batches) else len(order)
    return list(order[max(last - DAYS - len(batches), 0) : last])


def _days_before(batches: Sequence[str]) -> list[str]:
    first, last = date.fromisoformat(min(batches)), date.fromisoformat(max(batches))
    days = (last - first).days + DAYS
    return [(last - timedelta(days=back)).isoformat() for back in range(1, days + 1)]


def _referred(
    batches: Sequence[str], *, use_case: UseCase, source: Source, head: Snapshot
) -> dict[str, dict[str, pa.Table]]:
    """By batch, the validated tables of the sources that this one refers to, as far as the lake has them."""
    named = {reference.source: reference for reference in source.references}
    columns = {
        name: sorted({column for each in source.references if each.source == name for column in each.found_in})
        for name in named
    }

    @cache
    def table(name: str, batch: str) -> pa.Table | None:
        path = validated_path(use_case.name, source=name, batch=batch)
        return read_parquet(head.local(path), columns=columns[name]) if head.exists(path) else None

    found: dict[str, dict[str, pa.Table]] = {batch: {} for batch in batches}
    for name in named:
        arrives = use_case.source(name).arrives
        for batch in batches:
            rows = table(name, batch if arrives else WHOLE)
            if rows is not None:
                found[batch][name] = rows
    return found
