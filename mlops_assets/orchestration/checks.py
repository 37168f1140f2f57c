"""Verdicts of steps as Dagster asset checks: specs before a run, results after it.

A run over one batch answers each check once, for that batch. A run over many answers each check once for the whole run,
with the range of every figure, and once more for each batch that did not pass: Dagster spends about ten
milliseconds on every event, which would cost a half-year backfill minutes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from mlops_assets.contract.anomalies import AnomalyReport
from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.severity import Severity
from mlops_assets.orchestration.metadata import readable

SEVERITIES = {
    Severity.ERROR: dg.AssetCheckSeverity.ERROR,
    Severity.WARN: dg.AssetCheckSeverity.WARN,
}
NAMED_BATCHES = 50


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check as declared beside its asset: its name, and what is true when it passes, for the reader of the UI."""

    name: str
    description: str
    blocking: bool = True


def check_specs(
    checks: Iterable[Check], *, asset: dg.AssetKey, partitions_def: dg.PartitionsDefinition | None
) -> list[dg.AssetCheckSpec]:
    """The specs of an asset's checks, with its own partitions, so that one day's verdict never stands for another's."""
    return [
        dg.AssetCheckSpec(
            name=check.name,
            asset=asset,
            description=check.description,
            blocking=check.blocking,
            partitions_def=partitions_def,
        )
        for check in checks
    ]


def log_anomalies(context: dg.AssetExecutionContext, reports: Iterable[AnomalyReport]) -> None:
    """Every anomaly as one line of the run's log: a warning if it is new."""
    for report in reports:
        for found in report.anomalies:
            tell = context.log.info if found.since else context.log.warning
            tell(f"{report.batch} {found.severity} {found.code}: {found}")


def check_results(context: dg.AssetExecutionContext, *, audits: Sequence[CheckResult]) -> Iterator[dg.AssetCheckResult]:
    """One result per check name; in a run over many batches those that failed are logged by themselves first."""
    by_name: dict[str, list[CheckResult]] = defaultdict(list)
    for audit in audits:
        by_name[audit.name].append(audit)
    for name, verdicts in by_name.items():
        if len(verdicts) == 1:
            yield _single(verdicts[0])
        else:
            _tell_apart(context, name, verdicts)
            yield _summary(name, verdicts)


def _single(verdict: CheckResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=verdict.name,
        passed=verdict.passed,
        severity=SEVERITIES[verdict.severity],
        description=" ".join(verdict.reasons) or None,
        metadata=_told(verdict),
    )


def _told(verdict: CheckResult) -> dict[str, Any]:
    """The figures as plain numbers, which the UI plots, and the anomalies as JSON."""
    found = [anomaly.model_dump(mode="json", exclude_none=True) for anomaly in verdict.anomalies]
    figures = {name: readable(figure) for name, figure in verdict.figures.items()}
    return {**figures, **({"anomalies": dg.MetadataValue.json(found)} if found else {})}


def _summary(name: str, verdicts: Sequence[CheckResult]) -> dg.AssetCheckResult:
    failed = [verdict for verdict in verdicts if not verdict.passed]
    worst = next((verdict for verdict in failed if verdict.blocks), failed[0] if failed else verdicts[0])
    reasons = [f"{verdict.batch}: {' '.join(verdict.reasons)}" for verdict in failed[:NAMED_BATCHES]]
    return dg.AssetCheckResult(
        check_name=name,
        passed=not failed,
        severity=SEVERITIES[worst.severity],
        description="\n".join(reasons) or None,
        metadata={"batches": len(verdicts), "failed_batches": len(failed), **_ranges(verdicts)},
    )


def _ranges(verdicts: Sequence[CheckResult]) -> dict[str, Figure]:
    """The least and the largest of every numeric figure over the batches."""
    found: dict[str, list[float]] = defaultdict(list)
    for verdict in verdicts:
        for key, figure in verdict.figures.items():
            if isinstance(figure, int | float) and not isinstance(figure, bool):
                found[key].append(figure)
    return {
        f"{key}_{word}": readable(choose(figures))
        for key, figures in found.items()
        for word, choose in (("min", min), ("max", max))
    }


def _tell_apart(context: dg.AssetExecutionContext, name: str, verdicts: Sequence[CheckResult]) -> None:
    """Logs each batch that failed by itself, and one verdict for all that passed beside them.

    The latter is the answer of every day that has none of its own, see ``event_log.py``.
    """
    failed = [verdict for verdict in verdicts if not verdict.passed and verdict.batch is not None]
    for verdict in failed:
        _log(context, _single(verdict), blocking=verdict.blocks, partition=verdict.batch)
    passed = [verdict for verdict in verdicts if verdict.passed]
    if failed and passed:
        _log(context, _summary(name, passed), blocking=verdicts[0].blocks, partition=None)


def _log(
    context: dg.AssetExecutionContext, told: dg.AssetCheckResult, *, blocking: bool, partition: str | None
) -> None:
    context.log_event(
        dg.AssetCheckEvaluation(
            asset_key=context.asset_key,
            check_name=str(told.check_name),
            passed=told.passed,
            severity=told.severity,
            description=told.description,
            metadata=told.metadata,
            blocking=blocking,
            partition=partition,
        )
    )
