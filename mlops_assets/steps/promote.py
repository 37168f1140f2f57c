"""Promote: the pointer to the version in service, moved by one lake commit when the gates allow it."""

from __future__ import annotations

from datetime import datetime

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.steps.step import Step
from mlops_assets.stores.models.champion import Pointer, reign
from mlops_assets.stores.models.champion import promote as move_pointer
from mlops_assets.stores.models.recipe import current_version

GATES_ALLOW = "gates_allow_promotion"


def promote(
    lake: Lake, *, use_case: UseCase, by: str, at: datetime, version: str | None = None, run_id: str = ""
) -> Step[Pointer | None]:
    """Makes the version just trained, or the one that is named, the champion; no pointer when it is refused.

    The move is published by itself, since it holds only if nobody else has moved the pointer.
    """
    version = version or current_version(lake.at(), use_case=use_case)
    try:
        pointer = move_pointer(
            lake, use_case=use_case, version=version, by=by, why="passed every gate", at=at, run_id=run_id
        )
    except RegistryError as error:
        return Step(outcome=None, checks=[CheckResult(name=GATES_ALLOW, passed=False, reasons=(str(error),))])
    return Step(outcome=pointer, checks=[verdict(reign(lake.at(), use_case=use_case.name) or pointer)])


def verdict(promotion: Pointer) -> CheckResult:
    """What was overruled is a check that warns for as long as the version serves, with who did it then and why."""
    told = f"{promotion.by} overruled: {'; '.join(promotion.overridden)}. Reason given: {promotion.why}"
    return CheckResult(
        name=GATES_ALLOW,
        passed=not promotion.overridden,
        severity=Severity.WARN,
        figures={"version": promotion.version},
        reasons=(told,) if promotion.overridden else (),
    )
