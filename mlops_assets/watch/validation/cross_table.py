"""Rules across tables: what a row of one source refers to must be there in another.

Declared by a source as a ``Reference``; judged on whole validated batches. Rules within one table are pandera's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
from duckdb import DuckDBPyConnection

from mlops_assets.contract.anomalies import Anomaly, Cause, Code, anomaly, messages
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.references import Reference
from mlops_assets.contract.severity import Severity
from mlops_assets.features.sql import quoted

REFERENCES_EXIST = "references_exist"


def judge_references(
    rows: pa.Table,
    *,
    references: Sequence[Reference],
    others: Mapping[str, pa.Table],
    batch: str,
    connection: DuckDBPyConnection,
) -> CheckResult:
    """Whether no more than the declared share of ``rows`` refers to nothing; ``others`` are tables by source."""
    figures: dict[str, float] = {}
    anomalies: list[Anomaly] = []
    reasons: list[str] = []
    for reference in references:
        name = ", ".join(reference.columns)
        if reference.source not in others:
            reasons.append(f"Not judged: {reference.source} of this batch is not in the lake yet.")
            continue
        unknown = _unknown(rows, reference, other=others[reference.source], connection=connection)
        share = sum(unknown.values()) / rows.num_rows if rows.num_rows else 0.0
        figures[f"unknown_share/{name}"] = share
        if share > reference.max_share:
            anomalies.append(_finding(reference, unknown, rows=rows.num_rows))
    return CheckResult(
        name=REFERENCES_EXIST,
        passed=not anomalies and not reasons,
        severity=Severity.ERROR if any(found.severity is Severity.ERROR for found in anomalies) else Severity.WARN,
        batch=batch,
        figures=figures,
        reasons=(*reasons, *messages(anomalies)),
        anomalies=tuple(anomalies),
    )


def _unknown(
    rows: pa.Table, reference: Reference, *, other: pa.Table, connection: DuckDBPyConnection
) -> dict[tuple[object, ...], int]:
    """How many rows have each of the values that the other table lacks, the most frequent first."""
    values = ", ".join(quoted(name) for name in reference.columns)
    known = " AND ".join(
        f"o.{quoted(theirs)} = r.{quoted(mine)}"
        for mine, theirs in zip(reference.columns, reference.found_in, strict=True)
    )
    present = " AND ".join(f"r.{quoted(name)} IS NOT NULL" for name in reference.columns)
    connection.register("referring_rows", rows.select(list(reference.columns)))
    connection.register("referred_rows", other.select(list(reference.found_in)))
    try:
        found = connection.execute(
            f"SELECT {values}, count(*) AS n FROM referring_rows AS r WHERE {present} "
            f"AND NOT EXISTS (SELECT 1 FROM referred_rows AS o WHERE {known}) GROUP BY ALL ORDER BY n DESC, {values}"
        ).fetchall()
    finally:
        connection.unregister("referring_rows")
        connection.unregister("referred_rows")
    return {tuple(row[:-1]): int(row[-1]) for row in found}


def _finding(reference: Reference, unknown: Mapping[tuple[object, ...], int], *, rows: int) -> Anomaly:
    count, name = sum(unknown.values()), ", ".join(reference.columns)
    shown = "; ".join(" ".join(map(str, values)) for values in list(unknown)[:3])
    return anomaly(
        Code.UNKNOWN_REFERENCE,
        f"{count} of {rows} rows ({count / rows:.1%}, at most {reference.max_share:.1%} is usual) have no {name} in "
        f"{reference.source}, such as {shown}.",
        severity=Severity.ERROR if count > reference.refused_share * rows else Severity.WARN,
        column=name,
        rule=f"in {reference.source}",
        expected=f"at most {reference.max_share:.1%} unknown",
        found=f"{count / rows:.1%}",
        rows=count,
        cause=Cause.ROWS_MISSING,
        explanation=f"{len(unknown)} values of {name} are missing in {reference.source}.",
    )
