"""What every step answers, and how it is published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from mlops_assets.contract.checks import CheckResult

if TYPE_CHECKING:
    from mlops_assets.lake.lake import Lake
    from mlops_assets.lake.publishing import Audit, Publication
    from mlops_assets.lake.snapshot import Snapshot
    from mlops_assets.lake.write import Write

Outcome = TypeVar("Outcome")


def nothing_to_judge(staged: Snapshot) -> Iterable[CheckResult]:
    """The audit of a step that stages nothing."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Step(Generic[Outcome]):
    """What one step made, and what may be told of it.

    ``files`` (path in the lake to content, or to the local file that holds it) and ``deletes`` are to be published
    together, if ``audit`` finds nothing that blocks in what was staged. ``checks`` are verdicts that hold up no file:
    on what is made, such as the gates on a model, or on what the step did outside the lake. ``message`` says in the
    lake's log what was written.
    """

    outcome: Outcome
    files: Mapping[str, bytes | Path] = field(default_factory=dict)
    deletes: Sequence[str] = ()
    audit: Audit = nothing_to_judge
    checks: Sequence[CheckResult] = ()
    message: str = ""


def publish(step: Step[Outcome], *, lake: Lake, write: Write) -> Publication:
    """Stage, audit, publish: all of the step's files or, with a WriteRefused, none."""
    return lake.publish(write, files=step.files, deletes=step.deletes, audit=step.audit)
