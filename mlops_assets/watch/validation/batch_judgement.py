"""Everything that can be said of a batch at once: its rows, its profile, and every anomaly, typed.

The one path that the asset, the terminal and the tests take. Files come in as paths, what has been before as profiles;
where these lie is known to ``stores/landing/batch_surroundings.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
from duckdb import DuckDBPyConnection

from mlops_assets.contract.anomalies import Anomaly, AnomalyReport, Cause, Code
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.profiling import profile_batches, profiled_segments
from mlops_assets.watch.profiles.shift import DriftReport
from mlops_assets.watch.validation.batch_sizes import ROW_COUNT_IS_USUAL, EarlierFile, judge_file_size, judge_row_count
from mlops_assets.watch.validation.cross_table import REFERENCES_EXIST, judge_references
from mlops_assets.watch.validation.history_keys import history_keys
from mlops_assets.watch.validation.known_keys import KEYS_ARE_NEW, judge_keys, same_rows
from mlops_assets.watch.validation.landed_bytes import packing_of
from mlops_assets.watch.validation.quarantine import BatchReport, charge, validate
from mlops_assets.watch.validation.row_weights import weight_column
from mlops_assets.watch.validation.shift_anomalies import DISTRIBUTIONS_ARE_USUAL, judge_shifts, no_shifts


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a batch is compared with: earlier ``files`` and ``profiles`` by batch, the tables it refers to by source and
    batch.

    A batch without a table in ``referred`` has none in the lake. ``unusual`` has the columns that were unusual by
    batch, as recorded, and ``accepted`` the batches that a person said are usual. Batches with names have an ``order``,
    that of landing, and ``published`` ones by their validated files.
    """

    files: Mapping[str, EarlierFile] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    referred: Mapping[str, Mapping[str, pa.Table]] = field(default_factory=dict)
    unusual: Mapping[str, frozenset[str]] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    order: Sequence[str] = ()
    published: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JudgedBatch:
    """One batch: what became of its rows, what they looked like, and the verdicts that compare it with others.

    ``drift`` is ``None`` where there is nothing to compare: a static source, a file without rows.
    """

    report: BatchReport
    profile: Profile
    unusual: tuple[CheckResult, ...]
    drift: DriftReport | None
    anomalies: AnomalyReport


def unusual_checks(source: Source) -> tuple[str, ...]:
    """The names of the checks that compare a batch with others; most of what they find warns, and what is far beyond
    the usual refuses the batch."""
    arriving = (ROW_COUNT_IS_USUAL, DISTRIBUTIONS_ARE_USUAL) if source.cadence is not Cadence.STATIC else ()
    named = (KEYS_ARE_NEW,) if source.cadence is Cadence.NAMED and source.columns.keys else ()
    return (*named, *arriving[:1], *((REFERENCES_EXIST,) if source.references else ()), *arriving[1:])


def judge_batches(
    files: Mapping[str, Path],
    *,
    use_case: UseCase,
    source: Source,
    surroundings: Surroundings,
    connection: DuckDBPyConnection,
) -> dict[str, JudgedBatch]:
    """Judge the landed file of each batch, against the others and what has been before.

    An error costs the batch that brings it about, not the others.
    """
    judge = partial(_judge_together, use_case=use_case, source=source, surroundings=surroundings, connection=connection)
    try:
        return judge(files)
    except Exception:  # noqa: BLE001 - whatever it is, it costs one batch
        return judge(files, charged=charge(files, judge=judge))


def _judge_together(
    files: Mapping[str, Path],
    *,
    use_case: UseCase,
    source: Source,
    surroundings: Surroundings,
    connection: DuckDBPyConnection,
    charged: Mapping[str, Exception] | None = None,
) -> dict[str, JudgedBatch]:
    views_kept_by = history_keys(use_case, source=source)
    is_weight = weight_column(use_case, source=source)
    reports = validate(
        files,
        source=source,
        connection=connection,
        views_kept_by=views_kept_by,
        is_weight=is_weight,
        charged=charged,
    )
    profile = partial(_profiles, use_case=use_case, source=source, connection=connection)
    profiles = profile({batch: report.valid for batch, report in reports.items()})
    as_landed = profiles | profile({b: r.landed for b, r in reports.items() if not r.passed and r.landed.num_rows})
    known = {**surroundings.profiles, **as_landed}
    order = _order(source, surroundings=surroundings, batches=list(files))
    drift = _drift(list(files), use_case=use_case, source=source, known=known, surroundings=surroundings, order=order)
    rows = {batch: each.rows for batch, each in known.items()}
    keys = partial(_keys, source=source, reports=reports, published=surroundings.published, connection=connection)
    judged = {}
    for batch, report in reports.items():
        given = {
            ROW_COUNT_IS_USUAL: judge_row_count(
                report.rows_read, batch=batch, past=rows, order=order, refused_times=source.refused_times
            )
        }
        given[DISTRIBUTIONS_ARE_USUAL] = (
            judge_shifts(
                drift[batch],
                profile=known[batch],
                profiles=known,
                alike=not order,
                refused=source.drift.refused,
                unreadable=_unreadable(report, source=source),
            )
            if batch in drift
            else no_shifts(batch)
        )
        if KEYS_ARE_NEW in unusual_checks(source):
            given[KEYS_ARE_NEW] = keys(batch)
        if source.references:
            given[REFERENCES_EXIST] = judge_references(
                report.valid,
                references=source.references,
                others=surroundings.referred.get(batch, {}),
                batch=batch,
                connection=connection,
            )
        unusual = tuple(given[name] for name in unusual_checks(source))
        sized = judge_file_size(
            files[batch].stat().st_size,
            rows=report.rows_read,
            batch=batch,
            past=surroundings.files,
            refused_times=source.refused_times,
            packing=packing_of(files[batch]),
        )
        again = () if source.columns.keys else same_rows(report.valid, batch=batch, connection=connection)
        found = [*report.anomalies, *again, *(each for check in (sized, *unusual) for each in check.anomalies)]
        judged[batch] = JudgedBatch(
            report=report,
            profile=profiles[batch],
            unusual=unusual,
            drift=drift.get(batch),
            anomalies=AnomalyReport(
                use_case=use_case.name,
                source=source.name,
                batch=batch,
                schema_version=source.columns.version,
                rows_read=report.rows_read,
                rows_quarantined=report.rows_read - report.valid.num_rows,
                anomalies=explained(found),
            ),
        )
    return judged


def explained(anomalies: Sequence[Anomaly]) -> tuple[Anomaly, ...]:
    """The gravest first; what broke a rule is explained by what moved its column, or a column that moved at all."""
    reasons = [each for each in anomalies if each.cause in (Cause.FACTOR, Cause.OFFSET, Cause.SWAPPED_COLUMNS)]
    reasons += [each for each in anomalies if each.cause is Cause.CATEGORY_RENAMED]
    found = []
    for each in anomalies:
        columns = set((each.column or "").split(", ")) - {""}
        fitting = [reason for reason in reasons if reason.column in columns or not columns]
        if each.cause is None and each.rule and fitting:
            told = {"cause": fitting[0].cause, "explanation": fitting[0].explanation}
            found.append(each.model_copy(update=told))
        else:
            found.append(each)
    return tuple(sorted(found, key=lambda each: each.severity is not Severity.ERROR))


def _unreadable(report: BatchReport, *, source: Source) -> frozenset[str]:
    """The columns of a refused batch with values of another type, which its profile lacks, and what is derived."""
    columns = {each.column for each in report.anomalies if each.code is Code.WRONG_TYPE and each.column}
    return frozenset({*columns, *source.derived} if columns and not report.passed else ())


def _profiles(
    tables: Mapping[str, pa.Table], *, use_case: UseCase, source: Source, connection: DuckDBPyConnection
) -> dict[str, Profile]:
    return profile_batches(
        tables,
        columns=source.columns.names,
        slices=profiled_segments(use_case.slices, columns=source.columns.names),
        derived=source.derived,
        connection=connection,
    )


def _order(source: Source, *, surroundings: Surroundings, batches: Sequence[str]) -> list[str]:
    """Weeks and months as they follow each other; batches with names in the order of landing, those that have not
    landed last; none where days order them.
    """
    if source.cadence in (Cadence.WEEKLY, Cadence.MONTHLY):
        return sorted({*surroundings.profiles, *batches})
    if source.cadence is not Cadence.NAMED:
        return []
    return [*surroundings.order, *(batch for batch in batches if batch not in surroundings.order)]


def _drift(
    batches: Sequence[str],
    *,
    use_case: UseCase,
    source: Source,
    known: Mapping[str, Profile],
    surroundings: Surroundings,
    order: Sequence[str],
) -> dict[str, DriftReport]:
    """How far each batch that has rows is from its past; what names the batch or a row is not compared."""
    filled = {batch: profile for batch, profile in known.items() if profile.rows}
    wanted = [batch for batch in batches if batch in filled]
    if source.cadence is Cadence.STATIC or not wanted:
        return {}
    return compare(
        filled,
        batches=wanted,
        plan=source.drift,
        ignored=naming_columns(source, use_case=use_case),
        unusual=surroundings.unusual,
        accepted=surroundings.accepted,
        order=order,
        going_on=_dates(source),
    )


def _keys(
    batch: str,
    *,
    source: Source,
    reports: Mapping[str, BatchReport],
    published: Mapping[str, Path],
    connection: DuckDBPyConnection,
) -> CheckResult:
    """``KEYS_ARE_NEW`` of a batch: beside the published ones that are not judged now, and those before it that are."""
    before = list(reports)[: list(reports).index(batch)]
    return judge_keys(
        reports[batch].valid,
        keys=source.columns.keys,
        published={name: path for name, path in published.items() if name not in reports},
        together={name: reports[name].valid for name in before if reports[name].valid.num_rows},
        batch=batch,
        connection=connection,
    )


def naming_columns(source: Source, *, use_case: UseCase) -> frozenset[str]:
    """The columns that say which batch a row is of (times say more than that), or which row of a drop with a name: its
    day as the source or the use case tells it, the dates in the keys of drops with event times, and keys of one column.
    """
    columns = source.columns
    told_by = {*source.batch_day, use_case.time}
    days = {
        column.name for column in columns.columns if column.name in told_by and not pa.types.is_timestamp(column.type)
    }
    if source.cadence is not Cadence.NAMED:
        return frozenset(days)
    single = {key[0] for key in columns.keys if len(key) == 1}
    keyed = {name for key in columns.keys for name in key} if use_case.batches.has_event_times else set()
    return frozenset(days | single | (keyed & _dates(source)))


def _dates(source: Source) -> frozenset[str]:
    """The columns of dates, which go on from batch to batch."""
    return frozenset(column.name for column in source.columns.columns if pa.types.is_date(column.type))
