"""``champion``: the pointer to the version in service, moved by one lake commit when the gates allow it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, asset_key, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import page_links
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.versions import VersionConfig
from mlops_assets.reports.model_card import card_file, write_card
from mlops_assets.stores.models.champion import Pointer, promote, reign
from mlops_assets.stores.models.recipe import current_version

CHECKS = (
    Check(
        name="gates_allow_promotion",
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
        deps=["evaluation"],
        kinds={"lakefs", "json"},
        checks=CHECKS,
        description=(
            "Which version serves, since when and why. Promotion re-verifies the recorded decision "
            "and the checksums, and is "
            f"one lakeFS commit; `mlops rollback {use_case.name}` moves the pointer back."
        ),
    )
    def champion(
        context: dg.AssetExecutionContext, config: VersionConfig, lake: LakeResource, data: DataResource
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        version = config.version or current_version(run.lake.at(), use_case=use_case)
        try:
            pointer = promote(
                run.lake,
                use_case=use_case,
                version=version,
                by=f"dagster run {context.run.run_id[:8]}",
                why="passed every gate",
                at=datetime.now(UTC),
                run_id=context.run.run_id,
            )
        except RegistryError as error:
            refused = CheckResult(name=CHECKS[0].name, passed=False, reasons=(str(error),))
            yield from run.record(audits=(refused,), metadata={})
            return
        pages = data.reports(use_case)
        for moved in filter(None, (pointer.version, pointer.previous)):
            write_card(run.lake, use_case=use_case, version=moved, page=pages / card_file(moved))
        yield from run.record(
            audits=(_verdict(reign(run.lake.at(), use_case=use_case.name) or pointer),),
            metadata={
                **_metadata(pointer, page=pages / card_file(pointer.version), root=data.root),
                "lakefs_commit": run.lake.head(),
            },
        )

    return champion


def moved_by_hand(
    pointer: Pointer, *, promotion: Pointer, use_case: UseCase, page: Path, root: Path
) -> tuple[dg.AssetMaterialization, dg.AssetCheckEvaluation]:
    """What the UI is told of a move that was made on the command line; ``promotion`` is the one in force since."""
    key, verdict = asset_key(use_case, "champion"), _verdict(promotion)
    return (
        dg.AssetMaterialization(
            asset_key=key,
            description=f"{pointer.action} by {pointer.by}: {pointer.why}",
            metadata=_metadata(pointer, page=page, root=root),
        ),
        dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=verdict.name,
            passed=verdict.passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=" ".join(verdict.reasons) or None,
            metadata=dict(verdict.figures),
        ),
    )


def _verdict(promotion: Pointer) -> CheckResult:
    """What was overruled is a check that warns for as long as the version serves, with who did it then and why."""
    told = f"{promotion.by} overruled: {'; '.join(promotion.overridden)}. Reason given: {promotion.why}"
    return CheckResult(
        name=CHECKS[0].name,
        passed=not promotion.overridden,
        severity=Severity.WARN,
        figures={"version": promotion.version},
        reasons=(told,) if promotion.overridden else (),
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
