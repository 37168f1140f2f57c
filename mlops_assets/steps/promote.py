"""Promote: the pointer to the version in service, moved by one lake commit when the gates allow it, or a proposal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import RegistryError, VersionHeld
from mlops_assets.contract.retraining import Retrain
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.steps.step import Step
from mlops_assets.stores.models.champion import Pointer, champion, reign, verify_promotable
from mlops_assets.stores.models.champion import promote as move_pointer
from mlops_assets.stores.models.proposal import Proposal, keep_proposal
from mlops_assets.stores.models.recipe import current_version

GATES_ALLOW = "gates_allow_promotion"


def promote(
    lake: Lake,
    *,
    use_case: UseCase,
    by: str,
    at: datetime,
    version: str | None = None,
    retraining: str = "",
    run_id: str = "",
) -> Step[Pointer | None]:
    """Makes the version just trained, or the one that is named, the champion; no pointer when it is refused. One that
    is held for figures too good to be true waits for a person, as a warning, and the champion stays.

    What came of a ``retraining`` (why it was due) is only proposed where it is to be tried first, or a person is to
    approve it: then the pointer stays where it is. A move is published by itself, since it holds only if nobody else
    has moved the pointer.
    """
    version = version or current_version(lake.at(), use_case=use_case)
    told: Any = {"use_case": use_case, "version": version, "at": at, "run_id": run_id}
    serving = champion(lake.at(), use_case=use_case.name)
    try:
        if retraining and serving and serving.version != version and _is_proposed(use_case.retrain):
            proposed = propose(lake, **told, champion=serving.version, reason=retraining)
            return Step(outcome=serving, checks=[_proposed(proposed)])
        pointer = move_pointer(lake, **told, by=by, why="passed every gate", retraining=retraining)
    except VersionHeld as held:
        return Step(outcome=serving, checks=[_held(held, version=version)])
    except RegistryError as error:
        return Step(outcome=None, checks=[CheckResult(name=GATES_ALLOW, passed=False, reasons=(str(error),))])
    return Step(outcome=pointer, checks=[verdict(reign(lake.at(), use_case=use_case.name) or pointer)])


def propose(
    lake: Lake, *, use_case: UseCase, version: str, champion: str, reason: str, at: datetime, run_id: str = ""
) -> Proposal:
    """Hands a version on to what is declared to come before it serves; RegistryError with what speaks against it."""
    verify_promotable(lake.at(), use_case=use_case, version=version)
    tried = use_case.retrain is not None and use_case.retrain.trial is not None
    proposed = Proposal(
        use_case=use_case.name,
        version=version,
        champion=champion,
        reason=reason,
        stage="to be tried" if tried else "waits for approval",
        at=at,
        why="it passed every gate",
    )
    return keep_proposal(lake, proposed, run_id=run_id)


def _is_proposed(plan: Retrain | None) -> bool:
    return plan is not None and (plan.trial is not None or plan.promotion == "approval")


def _proposed(proposed: Proposal) -> CheckResult:
    figures = {"version": proposed.champion, "proposed": proposed.version, "stage": proposed.stage}
    return CheckResult(name=GATES_ALLOW, passed=True, figures=figures)


def _held(held: VersionHeld, *, version: str) -> CheckResult:
    figures = {"held": version}
    return CheckResult(name=GATES_ALLOW, passed=False, severity=Severity.WARN, figures=figures, reasons=(str(held),))


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
