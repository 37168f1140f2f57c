"""Everything that can be said of a batch at once: its rows, its profile, and every anomaly, typed.

The one path that the asset, the terminal and the tests take. Files come in as paths, what has been before as profiles;
where these lie is known to ``stores/batch_surroundings.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from duckdb import DuckDBPyConnection

from mlops_assets.ml.anomalies import AnomalyReport
from mlops_assets.ml.checks import CheckResult
from mlops_assets.ml.cross_table import REFERENCES_EXIST, judge_references
from mlops_assets.ml.profile import Profile
from mlops_assets.ml.profiling import profile_batches, profiled_segments
from mlops_assets.ml.row_counts import ROW_COUNT_IS_USUAL, judge_row_count
from mlops_assets.ml.source import Cadence, Source
from mlops_assets.ml.use_case import UseCase
from mlops_assets.ml.validation import BatchReport, validate


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a batch is compared with: earlier ``profiles`` by batch, the tables it refers to by source and batch.

    A batch without a table in ``referred`` has none in the lake.
    """

    profiles: Mapping[str, Profile] = field(default_factory=dict)
    referred: Mapping[str, Mapping[str, pa.Table]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JudgedBatch:
    """One batch: what became of its rows, what they looked like, and the verdicts that compare it with others."""

    report: BatchReport
    profile: Profile
    unusual: tuple[CheckResult, ...]
    anomalies: AnomalyReport


def unusual_checks(source: Source) -> tuple[str, ...]:
    """The names of the checks that compare a batch with others; they warn, and never keep it from being published."""
    daily = (ROW_COUNT_IS_USUAL,) if source.cadence is Cadence.DAILY else ()
    return (*daily, *((REFERENCES_EXIST,) if source.references else ()))


def judge_batches(
    files: Mapping[str, Path],
    *,
    use_case: UseCase,
    source: Source,
    surroundings: Surroundings,
    connection: DuckDBPyConnection,
) -> dict[str, JudgedBatch]:
    """Judge the landed file of each batch, against the others and what has been before."""
    reports = validate(files, source=source, connection=connection)
    profiles = profile_batches(
        {batch: report.valid for batch, report in reports.items()},
        columns=source.columns.names,
        slices=profiled_segments(use_case.slices, columns=source.columns.names),
        connection=connection,
    )
    known = {**surroundings.profiles, **profiles}
    rows = {batch: profile.rows for batch, profile in known.items()}
    judged = {}
    for batch, report in reports.items():
        given = {ROW_COUNT_IS_USUAL: judge_row_count(report.rows_read, batch=batch, past=rows)}
        if source.references:
            given[REFERENCES_EXIST] = judge_references(
                report.valid,
                references=source.references,
                others=surroundings.referred.get(batch, {}),
                batch=batch,
                connection=connection,
            )
        unusual = tuple(given[name] for name in unusual_checks(source))
        found = [*report.anomalies, *(each for check in unusual for each in check.anomalies)]
        judged[batch] = JudgedBatch(
            report=report,
            profile=profiles[batch],
            unusual=unusual,
            anomalies=AnomalyReport(
                use_case=use_case.name,
                source=source.name,
                batch=batch,
                schema_version=source.columns.version,
                rows_read=report.rows_read,
                rows_quarantined=report.rows_read - report.valid.num_rows,
                anomalies=tuple(found),
            ),
        )
    return judged
