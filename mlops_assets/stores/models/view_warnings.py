"""What a training view warns of, beside it in the lake: every card of a version that was trained on it shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import training_view_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.label_shift import LabelByTime
from mlops_assets.lake.snapshot import Snapshot

LABEL_BY_TIME, WARNINGS = "label_by_time.json", "warnings.json"
_CHECKS = TypeAdapter(tuple[CheckResult, ...])


@dataclass(frozen=True, kw_only=True)
class ViewWarnings:
    """The checks of a view that warn, passed or not, and its label by time; neither in views of earlier releases."""

    checks: tuple[CheckResult, ...] = ()
    by_time: LabelByTime | None = None


def as_warnings(checks: Sequence[CheckResult]) -> bytes:
    """The checks as a file."""
    return _CHECKS.dump_json(tuple(checks), indent=1)


def read_view_warnings(snapshot: Snapshot, *, use_case: UseCase) -> ViewWarnings:
    """What the training view at ``snapshot`` warns of."""
    warned, by_time = (training_view_path(use_case.name, name=name) for name in (WARNINGS, LABEL_BY_TIME))
    return ViewWarnings(
        checks=_CHECKS.validate_json(snapshot.read(warned)) if snapshot.exists(warned) else (),
        by_time=LabelByTime.from_json(snapshot.read(by_time)) if snapshot.exists(by_time) else None,
    )
