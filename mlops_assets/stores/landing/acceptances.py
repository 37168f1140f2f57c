"""The acceptances that the lake holds, and publishing one more: what people said is usual, by whom, when and why."""

from __future__ import annotations

from mlops_assets.contract.acceptance import Acceptance
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import acceptance_path
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.publishing import Publication
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.write import Write
from mlops_assets.stores.code import git_state

ACCEPTANCE_READS_BACK = "acceptance_reads_back"


def acceptances(use_case: str, *, head: Snapshot) -> tuple[Acceptance, ...]:
    """Every acceptance of a use case, in the order of their batches."""
    kept = head.paths(acceptance_path(use_case))
    found = [Acceptance.model_validate_json(head.read(info.path)) for info in kept]
    return tuple(sorted(found, key=lambda each: (each.first, each.last, each.sources)))


def publish_acceptance(lake: Lake, acceptance: Acceptance) -> Publication:
    """Stages, audits and publishes it; one of the same batches and sources replaces the one before."""
    name = "_".join([acceptance.first, acceptance.last, *acceptance.sources])
    path = acceptance_path(acceptance.use_case, name=name)

    def audit(staged: Snapshot) -> list[CheckResult]:
        same = Acceptance.model_validate_json(staged.read(path)) == acceptance
        reasons = () if same else (f"'{path}' does not read back as it was written.",)
        return [CheckResult(name=ACCEPTANCE_READS_BACK, passed=same, reasons=reasons)]

    write = Write(
        use_case=acceptance.use_case,
        asset="accepted",
        git_commit=git_state().commit,
        message=f"{acceptance.by} accepts {acceptance.first} to {acceptance.last}: {acceptance.reason}",
    )
    return lake.publish(write, files={path: acceptance.to_bytes()}, audit=audit)
