"""``champion``: the pointer to the version in service, moved by one lake commit when the gates allow it."""

from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, asset_key, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import page_links
from mlops_assets.orchestration.moments import moment_of
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.retraining import reason_of_retraining
from mlops_assets.orchestration.versions import VersionConfig
from mlops_assets.reports.model_card import card_file, write_card
from mlops_assets.steps.promote import GATES_ALLOW, promote, verdict
from mlops_assets.steps.tell_people import tell_of_challenger
from mlops_assets.steps.tell_service import tell_champion
from mlops_assets.stores.models.bento_store import mark_latest
from mlops_assets.stores.models.champion import Pointer

CHECKS = (
    Check(
        name=GATES_ALLOW,
        description=(
            "The recorded decision on the version passes, was taken against today's champion, and every checksum holds."
        ),
    ),
)


def build_champion(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that promotes."""

    @platform_asset(
        use_case,
        name="champion",
        stage="model",
        deps=["evaluation", "bento"],
        kinds={"lakefs", "json"},
        checks=CHECKS,
        description=(
            "Which version serves, since when and why. Promotion re-verifies the recorded decision "
            "and the checksums, and is "
            f"one lakeFS commit, once the Bento has passed; `mlops rollback {use_case.name}` moves the pointer back."
        ),
    )
    def champion(
        context: dg.AssetExecutionContext, config: VersionConfig, lake: LakeResource, data: DataResource
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        step = promote(
            run.lake,
            use_case=use_case,
            by=f"dagster run {context.run.run_id[:8]}",
            at=moment_of(context.run.tags),
            version=config.version,
            retraining=reason_of_retraining(context.run),
            run_id=context.run.run_id,
        )
        pointer = step.outcome
        tell_of_challenger(run.lake, use_case=use_case.name, folder=data.environment, now=moment_of(context.run.tags))
        if pointer:
            mark_latest(use_case.name, version=pointer.version, data_dir=data.root)
            tell_champion(run.lake, use_case=use_case, folder=data.environment)
        pages = data.reports(use_case)
        for moved in filter(None, (pointer.version, pointer.previous) if pointer else ()):
            write_card(run.lake, use_case=use_case, version=moved, page=pages / card_file(moved))
        metadata = pointer and _metadata(pointer, page=pages / card_file(pointer.version), root=data.root)
        yield from run.record(step, metadata={**(metadata or {}), "lakefs_commit": run.lake.head()})

    return champion


def moved_by_hand(
    pointer: Pointer, *, promotion: Pointer, use_case: UseCase, page: Path, root: Path
) -> tuple[dg.AssetMaterialization, dg.AssetCheckEvaluation]:
    """What the UI is told of a move that was made on the command line; ``promotion`` is the one in force since."""
    key, told = asset_key(use_case, "champion"), verdict(promotion)
    return (
        dg.AssetMaterialization(
            asset_key=key,
            description=f"{pointer.action} by {pointer.by}: {pointer.why}",
            metadata=_metadata(pointer, page=page, root=root),
        ),
        dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=told.name,
            passed=told.passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=" ".join(told.reasons) or None,
            metadata=dict(told.figures),
        ),
    )


def _metadata(pointer: Pointer, *, page: Path, root: Path) -> dict[str, Any]:
    return {
        **page_links("model_card", page, root=root),
        "version": pointer.version,
        "previous": pointer.previous or "none",
        "moved_at": pointer.at.isoformat(),
        "moved_by": pointer.by,
        "why": pointer.why,
        "overridden": "; ".join(pointer.overridden) or "nothing",
    }
