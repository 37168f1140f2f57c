"""Running jobs in this process against the deployment's own Dagster instance, so that the UI shows every run."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import dagster as dg

from mlops_assets.contract.errors import PlatformError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import REFUSED_BATCHES, asset_key
from mlops_assets.orchestration.build import build_job
from mlops_assets.orchestration.partitions import over_batches
from mlops_assets.orchestration.run_locks import fail_dead_runs

SECONDS_BETWEEN_LOOKS = 0.5
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Watcher = Callable[[Sequence[str]], None]
"""Told every moment, while a run goes on, which assets are done."""


class RunFailed(PlatformError):
    """A run ended without success: names the run, the asset and the reason.

    ``batches`` are those whose audits refused them; empty when the run failed for another reason. ``stopped_by`` are
    the blocking checks of the ``asset`` that did not pass, empty where it crashed.
    """

    def __init__(
        self, message: str, *, batches: Sequence[str] = (), asset: str = "", stopped_by: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.batches, self.asset, self.stopped_by = tuple(batches), asset, tuple(stopped_by)


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What a finished run did. ``seconds`` per asset; ``metadata`` is what each asset last told of itself."""

    run_id: str
    batches: tuple[str, ...]
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
    watch: Watcher | None = None,
    tags: Mapping[str, str] | None = None,
) -> RunSummary:
    """Runs one job, over one batch or a contiguous range of them, and answers what it did.

    ``tags`` are kept with the run. ``assets`` restricts it to some of its assets. Raises RunFailed with the asset's own
    words.
    """
    fail_dead_runs(instance)
    resolved = build_job(use_case, job=job)
    over = over_batches(batches)
    run_id = str(uuid.uuid4())

    def execute() -> dg.ExecuteInProcessResult:
        return resolved.execute_in_process(
            instance=instance,
            run_id=run_id,
            partition_key=over.partition_key,
            tags={**over.tags, **(tags or {})},
            run_config={**QUIET, **(run_config or {})},
            asset_selection=[asset_key(use_case, name) for name in assets] if assets is not None else None,
            raise_on_error=False,
        )

    result = execute() if watch is None else _watched(execute, instance=instance, run_id=run_id, watch=watch)
    if not result.success:
        raise _failure(result)
    return RunSummary(
        run_id=result.run_id,
        batches=tuple(batches),
        seconds=_seconds(result),
        metadata={
            event.materialization.asset_key.path[-1]: {k: v.value for k, v in event.materialization.metadata.items()}
            for event in result.get_asset_materialization_events()
        },
        checks=tuple(result.get_asset_check_evaluations()),
    )


def _watched(
    execute: Callable[[], dg.ExecuteInProcessResult], *, instance: dg.DagsterInstance, run_id: str, watch: Watcher
) -> dg.ExecuteInProcessResult:
    """Executes in a thread and looks at the instance meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(execute)
        while not wait([running], timeout=SECONDS_BETWEEN_LOOKS).done:
            done = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
            watch([_asset_of(event.step_key) for event in done if event.step_key])
        return running.result()


def _asset_of(step_key: str) -> str:
    """``flights__raw_weather`` -> ``raw_weather``."""
    return step_key.split("__", 1)[-1]


def _failure(result: dg.ExecuteInProcessResult) -> RunFailed:
    """The asset's own words; those of its blocking checks where they stopped what comes after it."""
    stopping = [check for check in result.get_asset_check_evaluations() if check.blocking and not check.passed]
    for event in result.get_step_failure_events():
        error = event.step_failure_data.error
        told = event.step_failure_data.user_failure_data
        said = (told.description if told else None) or (error.cause.message if error and error.cause else None)
        said = said or "; ".join(f"{check.check_name}: {check.description}" for check in stopping)
        refused = told.metadata.get(REFUSED_BATCHES) if told else None
        return RunFailed(
            f"{event.step_key} failed in run {result.run_id[:8]}: {said or (error.message if error else 'no reason')}",
            batches=refused.value if refused else (),
            asset=_asset_of(event.step_key or ""),
            stopped_by=[check.check_name for check in stopping],
        )
    return RunFailed(f"Run {result.run_id} failed before its first step.")


def _seconds(result: dg.ExecuteInProcessResult) -> dict[str, float]:
    return {
        _asset_of(event.step_key): round(event.step_success_data.duration_ms / 1000, 2)
        for event in result.all_events
        if event.is_step_success
    }
