"""Judge: how a version does on rows it has not seen, beside the champion on the same rows, and what the gates say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.errors import EvaluationError, RegistryError
from mlops_assets.contract.paths import evaluation_path, model_path
from mlops_assets.contract.tasks import Multiclass
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.gate_decision import GateDecision
from mlops_assets.judge.judgement import Candidate
from mlops_assets.judge.judgement import judge as judge_candidate
from mlops_assets.judge.metrics import metrics_of
from mlops_assets.judge.plausibility import believable
from mlops_assets.judge.rare_classes import audit_classes
from mlops_assets.judge.repeated_rows import audit_repeated
from mlops_assets.judge.report import EvaluationReport
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.steps.step import Step
from mlops_assets.stores.models.champion import Pointer, champion
from mlops_assets.stores.models.eligibility import why_not_judged
from mlops_assets.stores.models.explanation import why_believed
from mlops_assets.stores.models.recipe import current_version, read_view
from mlops_assets.stores.models.record import PREDICTIONS, RECORD, as_declared
from mlops_assets.stores.models.registry import (
    Evaluation,
    decided_again,
    evaluation_files,
    load_evaluation,
    load_record,
    open_candidate,
    report_of,
    stored_files,
)

HAS_EVERY_FIGURE = "has_every_figure"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The report on ``version``, compared with ``opponent`` if there is one; ``notes`` are worth a line in a log."""

    version: str
    opponent: str | None
    report: EvaluationReport
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Made:
    files: Mapping[str, bytes]
    report: EvaluationReport
    verdicts: tuple[CheckResult, ...]
    notes: tuple[str, ...] = ()


def judge(head: Snapshot, *, use_case: UseCase, now: datetime, version: str | None = None) -> Step[Judged]:
    """The version just trained, or the one that is named. What was judged against the same champion before is decided
    again by today's gates, not judged again.
    """
    version = version or current_version(head, use_case=use_case)
    serving = champion(head, use_case=use_case.name)
    opponent = _opponent(serving, version=version)
    known, damage = _known(head, use_case, version=version)
    if known is not None and (opponent == known.record.champion or (serving and serving.version == version)):
        made = _as_stored(head, use_case, known, now=now)
    else:
        made = _judge(head, use_case, version=version, opponent=opponent, now=now)
    return Step(
        files=made.files,
        audit=lambda staged: [_complete(staged, use_case, version)],
        checks=(*made.verdicts, *_told(head, use_case, version, report=made.report)),
        message=f"{use_case.name}: evaluation of {version}",
        outcome=Judged(version=version, opponent=opponent, report=made.report, notes=(*damage, *made.notes)),
    )


def _told(head: Snapshot, use_case: UseCase, version: str, *, report: EvaluationReport) -> list[CheckResult]:
    """What no gate asks for, and a person should know: these warn."""
    why, metrics = "", report.overall.metrics
    if report.implausible:
        why = why_believed(head, use_case=use_case, version=version)
    told = [
        believable(report, task=use_case.task, bound=use_case.implausible_above, why=why),
        audit_repeated(report.repeated, model=metrics, shown=use_case.task.headline[0]),
    ]
    return [*told, audit_classes(report.class_rows)] if isinstance(use_case.task, Multiclass) else told


def _opponent(serving: Pointer | None, *, version: str) -> str | None:
    """The champion; of the champion itself, the one before it."""
    if serving is None:
        return None
    return serving.previous if serving.version == version else serving.version


def _known(head: Snapshot, use_case: UseCase, *, version: str) -> tuple[Evaluation | None, tuple[str, ...]]:
    """What the version was judged by before; one that is damaged, or by other metrics than today's, is none, so
    that it is made again, and said.
    """
    try:
        found = load_evaluation(head, use_case=use_case.name, version=version)
    except (RegistryError, EvaluationError) as error:
        return None, (f"{version} is judged again. {error}",)
    if found and set(found.report.overall.metrics) != {metric.name for metric in metrics_of(use_case.task)}:
        return None, (f"{version} is judged again, because there are other metrics now.",)
    return found, ()


def _judge(head: Snapshot, use_case: UseCase, *, version: str, opponent: str | None, now: datetime) -> _Made:
    """Judged on today's test rows. Raises RegistryError when it has learnt from them; a champion that has is not
    compared with.
    """
    view = read_view(head, use_case=use_case)
    challenger, unfit = _candidate(head, view, use_case, version=version)
    if unfit:
        raise RegistryError(f"{unfit}.")
    champion, incomparable = _candidate(head, view, use_case, version=opponent) if opponent else (None, "")
    judgement = judge_candidate(
        view,
        use_case=use_case,
        challenger=challenger,
        champion=champion,
        previous=report_of(head, use_case=use_case.name, version=opponent),
        incomparable=incomparable and f"champion {incomparable}",
    )
    predictions = parquet_bytes(judgement.predictions)
    files = _files(
        head,
        use_case,
        judgement.decision,
        version=version,
        now=now,
        champion=opponent,
        report=judgement.report,
        predictions=predictions,
        comparison=judgement.comparison,
        beside=judgement.beside,
    )
    gone = [
        f"The weak segment '{rule}' of {opponent} cannot be looked at again: its column is gone."
        for rule in judgement.gone
    ]
    return _Made(files=files, report=judgement.report, verdicts=judgement.decision.verdicts, notes=tuple(gone))


def _candidate(head: Snapshot, view: pa.Table, use_case: UseCase, *, version: str) -> tuple[Candidate, str]:
    """The version, and why its answers to the test rows would prove nothing."""
    found = open_candidate(head, use_case=use_case, version=version)
    record = load_record(head, use_case=use_case.name, version=version)
    return found, why_not_judged(record, found.scorer, view=view, use_case=use_case)


def _as_stored(head: Snapshot, use_case: UseCase, known: Evaluation, *, now: datetime) -> _Made:
    """What is on record; where today's gates say something else to the same figures, with that decision."""
    version, name = known.record.version, use_case.name
    decision = decided_again(head, known, use_case=use_case)
    if (known.record.decision, known.record.gates) == (decision, as_declared(use_case.gates)):
        files = stored_files(head, prefix=evaluation_path(name, version=version, name=""))
        return _Made(files=files, report=known.report, verdicts=known.record.decision.verdicts)
    files = _files(
        head,
        use_case,
        decision,
        version=version,
        now=now,
        champion=known.record.champion,
        report=known.report,
        predictions=head.read(evaluation_path(name, version=version, name=PREDICTIONS)),
        comparison=known.comparison,
        beside=known.beside,
    )
    return _Made(files=files, report=known.report, verdicts=decision.verdicts)


def _files(
    head: Snapshot, use_case: UseCase, decision: GateDecision, *, version: str, now: datetime, **judged: Any
) -> dict[str, bytes]:
    return evaluation_files(
        decision,
        use_case=use_case.name,
        version=version,
        decided_at=now,
        record=head.read(model_path(use_case.name, version=version, name=RECORD)),
        gates=use_case.gates,
        **judged,
    )


def _complete(staged: Snapshot, use_case: UseCase, version: str) -> CheckResult:
    found = load_evaluation(staged, use_case=use_case.name, version=version)
    metrics = found.report.overall.metrics if found else {}
    missing = untold(metrics) if metrics else ["There is no report to read."]
    figures: dict[str, Figure] = {name: each.value for name, each in metrics.items() if each.value is not None}
    lacking = [f"{name}: {each.shortfall}" for name, each in metrics.items() if each.shortfall]
    return CheckResult(
        name=HAS_EVERY_FIGURE,
        passed=not missing,
        figures=figures | ({"lacking": "; ".join(lacking)} if lacking else {}),
        reasons=tuple(missing),
    )


def untold(metrics: Mapping[str, Estimate]) -> list[str]:
    """The figures that neither have a value nor say what they lack. What one lacks fails only the gates that ask for
    it.
    """
    return [f"{name}: no value" for name, each in metrics.items() if each.value is None and not each.shortfall]
