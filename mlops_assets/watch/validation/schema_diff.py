"""What another schema would have done with batches that are known: which rows it sets aside or lets pass, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from mlops_assets.contract.columns import SOURCE_ROW
from mlops_assets.contract.schema import Model
from mlops_assets.contract.source import Source
from mlops_assets.watch.validation.quarantine import BatchReport, validate


@dataclass(frozen=True, kw_only=True)
class BatchDiff:
    """One batch under both schemas: rows that only one of them sets aside, by rule, and both verdicts."""

    batch: str
    rows: int
    newly_refused: Mapping[str, int]
    newly_accepted: Mapping[str, int]
    passed_before: bool
    passes_now: bool

    @property
    def changed(self) -> bool:
        return bool(self.newly_refused or self.newly_accepted) or self.passed_before != self.passes_now


def compare_schemas(
    files: Mapping[str, Path], *, source: Source, proposed: Model, connection: DuckDBPyConnection
) -> tuple[BatchDiff, ...]:
    """Judge every file by the source's schema and by ``proposed``."""
    before = validate(files, source=source, connection=connection)
    now = validate(files, source=replace(source, schema=proposed), connection=connection)
    return tuple(
        BatchDiff(
            batch=batch,
            rows=max(before[batch].rows_read, now[batch].rows_read),
            newly_refused=_only(now[batch], other=before[batch]),
            newly_accepted=_only(before[batch], other=now[batch]),
            passed_before=before[batch].passed,
            passes_now=now[batch].passed,
        )
        for batch in files
    )


def _only(report: BatchReport, *, other: BatchReport) -> dict[str, int]:
    """Rows in this quarantine and not in the other, by rule and column, the most frequent first."""
    theirs = pc.unique(other.quarantined[SOURCE_ROW])
    mine = report.quarantined.filter(pc.invert(pc.is_in(report.quarantined[SOURCE_ROW], value_set=theirs)))
    columns = (mine[name].to_pylist() for name in ("rule", "column"))
    told = Counter(f"{rule} of {column}" if column else rule for rule, column in zip(*columns, strict=True))
    return dict(told.most_common())
