"""Running jobs in this process against the deployment's own Dagster instance, so that the UI shows every run."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from mlops_assets.ml.errors import PlatformError
from mlops_assets.ml.use_case import UseCase
from mlops_assets.orchestration.build import build_definitions
from mlops_assets.orchestration.jobs import job_name

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Watcher = Callable[[str, float | None], None]
"""Told the name of each asset when it starts (seconds ``None``) and when it is done (its seconds)."""


class RunFailed(PlatformError):
    """A run ended without success: names the run, the asset and the reason."""


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What a finished run did. ``seconds`` per asset; ``metadata`` is what each asset last told of itself."""

    run_id: str
    seconds: Mapping[str, float]
    metadata: Mapping[str, Mapping[str, Any]]
    checks: Sequence[dg.AssetCheckEvaluation]


def run_job(
    use_case: UseCase,
    *,
    job: str,
    instance: dg.DagsterInstance,
    batches: Sequence[str] = (),
    run_config: Mapping[str, Any] | None = None,
    assets: Sequence[str] | None = None,
) -> RunSummary:
    """Runs one job, over one batch or a contiguous range of them, and answers what it did.

    ``assets`` restricts it to some of its assets. Raises RunFailed with the asset's own words.
    """
    definitions = build_definitions([use_case])
    resolved = definitions.resolve_job_def(job_name(use_case, job))
    tags = {RANGE_START: batches[0], RANGE_END: batches[-1]} if len(batches) > 1 else {}
    selection = [dg.AssetKey([use_case.name, name]) for name in assets] if assets is not None else None
    result = resolved.execute_in_process(
        instance=instance,
        partition_key=batches[0] if len(batches) == 1 else None,
        tags=tags,
        run_config={**QUIET, **(run_config or {})},
        asset_selection=selection,
        raise_on_error=False,
    )
    if not result.success:
        raise RunFailed(_why(result))
    return RunSummary(
        run_id=result.run_id,
        seconds=_seconds(result),
        metadata={
            event.materialization.asset_key.path[-1]: {k: v.value for k, v in event.materialization.metadata.items()}
            for event in result.get_asset_materialization_events()
        },
        checks=tuple(result.get_asset_check_evaluations()),
    )


def _why(result: dg.ExecuteInProcessResult) -> str:
    for event in result.get_step_failure_events():
        error = event.step_failure_data.error
        data = event.step_failure_data.user_failure_data
        said = (data.description if data else None) or (error.cause.message if error and error.cause else None)
        return f"{event.step_key} failed in run {result.run_id[:8]}: {said or (error.message if error else 'no reason')}"
    return f"Run {result.run_id} failed before its first step."


def _seconds(result: dg.ExecuteInProcessResult) -> dict[str, float]:
    return {
        event.step_key.split("__", 1)[-1]: round(event.step_success_data.duration_ms / 1000, 2)
        for event in result.all_events
        if event.is_step_success
    }
