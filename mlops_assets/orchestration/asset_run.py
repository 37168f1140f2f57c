"""How every asset of the platform is declared and published, once for all of them.

``platform_asset`` gives an asset its key, group, owner, kinds, checks and code version; ``AssetRun.publish`` is stage →
audit → publish as Dagster sees it: the check results and the materialisation, or the check results and a failure.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.publishing import Publication, WriteRefused
from mlops_assets.lake.write import Write
from mlops_assets.orchestration.checks import Check, check_results, check_specs
from mlops_assets.orchestration.graph import Stage, group_of
from mlops_assets.orchestration.metadata import readable
from mlops_assets.orchestration.partitions import batches_of, is_batched
from mlops_assets.orchestration.run_locks import hold
from mlops_assets.steps.step import Step, publish
from mlops_assets.stores.code import git_state
from mlops_assets.stores.models.identity import use_case_code_version

REASON = "mlops/reason"
"""The run tag that says in a sentence why a run was started."""
REFUSED_BATCHES = "refused_batches"
"""What a failed write tells of itself: the batches whose audits blocked it, none if they were not told apart."""

Events = Iterator[dg.MaterializeResult | dg.AssetCheckResult]


def asset_key(use_case: UseCase, name: str) -> dg.AssetKey:
    """``flights/history``: assets live under their use case."""
    return dg.AssetKey([use_case.name, name])


def platform_asset(
    use_case: UseCase,
    *,
    name: str,
    stage: Stage,
    deps: Sequence[str | dg.AssetDep] = (),
    kinds: set[str],
    checks: Sequence[Check] = (),
    partitions_def: dg.PartitionsDefinition | None = None,
    description: str | None = None,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """``dg.asset`` with the house's conventions; ``deps`` are names of this use case's assets."""
    key = asset_key(use_case, name)
    return dg.asset(
        key=key,
        deps=[dep if isinstance(dep, dg.AssetDep) else asset_key(use_case, dep) for dep in deps],
        kinds=kinds,
        owners=[use_case.owner],
        group_name=group_of(use_case, stage),
        description=description,
        code_version=use_case_code_version(use_case),
        partitions_def=partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions_def else None,
        check_specs=check_specs(checks, asset=key, partitions_def=partitions_def),
        tags=dict(use_case.tags),
    )


@dataclass(frozen=True, kw_only=True)
class AssetRun:
    """One execution of one asset. ``batches`` are what it is to make."""

    context: dg.AssetExecutionContext
    use_case: UseCase
    lake: Lake
    batches: tuple[str, ...]
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def begin(cls, context: dg.AssetExecutionContext, *, use_case: UseCase, lake: Lake) -> "AssetRun":
        """Starts the clock, reads which batches are asked for, and logs why the run was started if that was said."""
        hold(context.run.run_id)
        if reason := context.run.tags.get(REASON):
            context.log.info(reason)
        return cls(context=context, use_case=use_case, lake=lake, batches=batches_of(context))

    def publish(self, step: Step[Any], *, metadata: Mapping[str, Any]) -> Events:
        """Stages, audits and publishes what a step made; yields what Dagster records of it.

        The step's own checks are recorded and stop what comes after, but the asset itself is published.
        """
        try:
            publication = publish(step, lake=self.lake, write=self.write(step.message))
        except WriteRefused as refusal:
            yield from check_results(self.context, audits=refusal.audits)
            refused = sorted({audit.batch for audit in refusal.audits if audit.blocks and audit.batch})
            raise dg.Failure(
                description=str(refusal),
                metadata={
                    "lakefs_branch": refusal.branch,
                    "lakefs_commit": refusal.commit,
                    REFUSED_BATCHES: dg.MetadataValue.json(refused),
                },
            ) from refusal
        self.log(publication)
        yield dg.MaterializeResult(
            metadata={**_readable(metadata), **self._lineage(publication), "seconds": self.seconds},
            check_results=list(check_results(self.context, audits=[*publication.audits, *step.checks])),
        )

    def record(self, step: Step[Any], *, metadata: Mapping[str, Any]) -> Events:
        """What a step made outside the lake, with its checks: recorded if none blocks, failed otherwise."""
        failed = [check for check in step.checks if check.blocks]
        if failed:
            yield from check_results(self.context, audits=step.checks)
            raise dg.Failure(" ".join(reason for audit in failed for reason in audit.reasons))
        yield dg.MaterializeResult(
            metadata={**_readable(metadata), "git_commit": git_state().commit, "seconds": self.seconds},
            check_results=list(check_results(self.context, audits=step.checks)),
        )

    def write(self, message: str = "") -> Write:
        """Who writes, for the lake's commit metadata."""
        return Write(
            use_case=self.use_case.name,
            asset=self.context.asset_key.path[-1],
            partitions=self.batches if is_batched(self.context) else (),
            run_id=self.context.run.run_id,
            code_version=use_case_code_version(self.use_case),
            git_commit=git_state().commit,
            message=message,
        )

    @property
    def seconds(self) -> float:
        """Seconds since the asset began."""
        return round(time.monotonic() - self.started, 3)

    def log(self, publication: Publication) -> None:
        """One structured line per write."""
        said = "published" if publication.changed else "nothing changed in"
        self.context.log.info(
            f"{said} {self.use_case.name}/{self.context.asset_key.path[-1]} "
            f"batches={len(self.batches)} files={publication.files} bytes={publication.bytes} "
            f"commit={publication.commit[:12]} attempts={publication.attempts}"
        )

    def _lineage(self, publication: Publication) -> dict[str, Any]:
        return {
            "lakefs_commit": publication.commit,
            "lakefs_branch": self.lake.target,
            "git_commit": git_state().commit,
            "changed": publication.changed,
            "files_written": publication.files,
            "files_unchanged": publication.unchanged,
        }


def _readable(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: readable(told) for name, told in metadata.items()}
