"""A check's verdict as Dagster recorded it, read as a look: what it found where, or that it is over there."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from mlops_assets.contract.alerts import PART, Finding, Look, Urgency
from mlops_assets.contract.anomalies import Code
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.absolute_bounds import CHAMPION_FAILS
from mlops_assets.orchestration.partitions import RANGE_END, RANGE_START

UNTOLD = frozenset({"monitoring"})
"""Assets whose checks open no alerts: watching tells its causes itself (``steps/tell_alerts.py``)."""
CHALLENGERS = frozenset({"evaluation", "backtest", "hyperparameters"})
"""Assets about who wants to serve: a challenger that is refused leaves the champion serving and wakes nobody."""
NO_FLOOR = (
    "Find out what made these rows harder (`mlops card VERSION`, monitoring); if they are the new usual, set the bound "
    "to what can be held."
)
LACKED_TOGETHER = frozenset({Code.MISSING_SHARE_MOVED.value})
"""What several columns of the same rows have for one reason."""
ANYWHERE = frozenset({""})
"""The place of what has no batches."""


def look_at_check(
    use_case: UseCase,
    entry: dg.EventLogEntry,
    *,
    partitions: Mapping[str, dg.PartitionsDefinition | None],
    instance: dg.DagsterInstance,
) -> Look | None:
    """What a verdict says; ``None`` if it is of another use case, or nothing that is told."""
    verdict = entry.get_dagster_event().asset_check_evaluation_data
    if verdict.asset_key.path[0] != use_case.name or (asset := verdict.asset_key.path[-1]) in UNTOLD:
        return None
    batched = partitions.get(asset)
    if (
        batched is not None
        and verdict.partition is None
        and not verdict.passed
        and "failed_batches" in verdict.metadata
    ):
        return None  # each of its batches has a verdict of its own
    at = (
        frozenset({verdict.partition}) if verdict.partition else places_of_run(entry.run_id, batched, instance=instance)
    )
    moment = datetime.fromtimestamp(entry.timestamp, UTC)
    return Look(
        use_case=use_case.name,
        subject=f"{asset}/{verdict.check_name}",
        places=at,
        by=entry.run_id,
        findings=()
        if verdict.passed
        else tuple(_findings(verdict, use_case=use_case, run_id=entry.run_id, moment=moment)),
    )


def places_of_run(
    run_id: str, batched: dg.PartitionsDefinition | None, *, instance: dg.DagsterInstance
) -> frozenset[str]:
    """The batches that a run is over."""
    run = instance.get_run_by_id(run_id) if batched is not None else None
    if run is None or batched is None:
        return ANYWHERE
    if RANGE_START in run.tags:
        first, last = run.tags[RANGE_START], run.tags[RANGE_END]
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            if all(batched.has_partition_key(key) for key in (first, last)):  # the declaration may have changed since
                return frozenset(batched.get_partition_keys_in_range(dg.PartitionKeyRange(first, last)))
        return frozenset({first, last})
    return frozenset({run.tags.get(PARTITION_NAME_TAG, "")})


def _findings(
    verdict: dg.AssetCheckEvaluation, *, use_case: UseCase, run_id: str, moment: datetime
) -> Iterator[Finding]:
    """One for each thing that the verdict names as a cause; else one for the check."""
    asset, grave = verdict.asset_key.path[-1], verdict.severity is dg.AssetCheckSeverity.ERROR
    subject = f"{asset}/{verdict.check_name}"
    common: dict[str, Any] = {
        "use_case": use_case.name,
        "urgency": Urgency.PAGE if grave and asset not in CHALLENGERS else Urgency.INFORM,
        "since": moment,
        "evidence": f"the check {verdict.check_name} of {asset} in run {run_id}",
    }
    if CHAMPION_FAILS in verdict.metadata:
        yield Finding(
            cause=f"{subject}{PART}{CHAMPION_FAILS}", what=verdict.description or "", to_do=NO_FLOOR, **common
        )
        return
    parts = _parts(verdict)
    for part, anomalies in parts.items():
        yield Finding(cause=f"{subject}{PART}{part}", **_said(anomalies), **common)
    if not parts:
        to_do = "What was refused lies on its branch: `mlops lake branches`." if grave else ""
        what = verdict.description or f"{verdict.check_name} of {asset} failed."
        yield Finding(cause=subject, what=what, to_do=to_do, **common)


def _parts(verdict: dg.AssetCheckEvaluation) -> dict[str, list[Mapping[str, Any]]]:
    """The anomalies behind a verdict by what is one cause: a column, or all columns that rows lack together more often,
    such as those of cancelled flights. Those that let pass are not why it blocks.
    """
    named = verdict.metadata.get("anomalies")
    anomalies = named.value if isinstance(named, dg.JsonMetadataValue) and isinstance(named.value, list) else []
    grave = [each for each in anomalies if each["severity"] == verdict.severity.value]
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for each in grave or anomalies:
        alike = each["code"] in LACKED_TOGETHER
        parts.setdefault(each["code"] if alike else each.get("column") or each["code"], []).append(each)
    return parts


def _said(anomalies: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    anomaly, columns = anomalies[0], [each.get("column") for each in anomalies]
    others = [column for column in dict.fromkeys(columns) if column and column != columns[0]]
    expected, found = anomaly.get("expected"), anomaly.get("found")
    return {
        "what": f"{anomaly['message']} Likewise {', '.join(others)}." if others else anomaly["message"],
        "scope": anomaly.get("slice") or "",
        "normal": f"{expected}; found: {found}" if expected and found else expected or "",
        "likely_cause": anomaly.get("explanation") or anomaly.get("cause") or "",
        "to_do": anomaly["what_to_do"],
    }
