"""Refit: the recipe of a judged version learnt once more from all labelled rows, and judged by its shadow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import model_path
from mlops_assets.contract.slices import Slice
from mlops_assets.contract.tasks import answers
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.gate_decision import decide
from mlops_assets.judge.live import live_gates
from mlops_assets.judge.report import evaluate
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.steps.shadow_report import ShadowReport
from mlops_assets.steps.step import Step
from mlops_assets.steps.train import Provenance
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.recipe import as_recorded, fitted_files, libraries, read_view, refit_version
from mlops_assets.stores.models.record import RECORD, ModelRecord, PartRecord
from mlops_assets.stores.models.registry import (
    evaluation_files,
    load_evaluation,
    load_record,
    load_version,
    verify_answers,
    version_files,
)
from mlops_assets.training.fit import clusters_of
from mlops_assets.training.refit import refit as learn_again
from mlops_assets.training.scoring import Scorer


def refit(lake: Lake, *, use_case: UseCase, version: str, provenance: Provenance) -> Step[str]:
    """A version of its own, of the rows that ``version`` was trained, stopped and judged on; its id. What was made
    before is not made again.
    """
    head, name = lake.at(), use_case.name
    judged = load_version(head, use_case=name, version=version)
    made = refit_version(judged.record)
    if head.exists(model_path(name, version=made, name=RECORD)):
        return Step(outcome=made)
    started = provenance.clock()
    rounds = judged.record.best_round + 1
    fitted = learn_again(
        read_view(lake.at(judged.record.data_commit), use_case=use_case),
        use_case=as_recorded(use_case, judged.record),
        rounds=rounds,
        threshold=judged.record.threshold,
        calibration=Scorer.open(judged.files).calibration,
    )
    serving, git = champion(head, use_case=name), provenance.git
    changed: dict[str, Any] = {
        "version": made,
        "refit_of": version,
        "created_at": provenance.clock(),
        "git_commit": git.commit,
        "git_dirty": git.dirty,
        "git_diff_hash": git.diff_hash,
        "rounds": rounds,
        "early_stopping_rounds": rounds,
        "best_round": fitted.trained.best_round,
        "libraries": libraries(),
        "split": {
            part.name: PartRecord(rows=len(part.rows), positives=part.positives, first=part.first, last=part.last)
            for part in fitted.split.parts
            if len(part.rows)
        },
        "metrics": dict(fitted.metrics),
        "parent": serving.version if serving else None,
        "started_by": provenance.started_by,
        "seconds": round((provenance.clock() - started).total_seconds(), 3),
    }
    record = judged.record.model_copy(update=changed)
    return Step(
        files=version_files(record, files=fitted_files(fitted)),
        audit=lambda staged: [_answers(staged, record)],
        message=f"{name}: {made}, a refit of {version}",
        outcome=made,
    )


def judge_by_shadow(head: Snapshot, told: ShadowReport, *, use_case: UseCase, now: datetime) -> Step[bool]:
    """Keeps what a shadow said as the evaluation of a refit, and whether that lets it serve: it must not be worse than
    the champion in any metric that a gate compares, beyond chance and margin.
    """
    name, record = use_case.name, load_record(head, use_case=use_case.name, version=told.challenger)
    rows = told.judged
    slices = use_case.monitoring.slices if use_case.monitoring else ()
    scores = np.asarray(rows["challenger_score"].to_numpy(), dtype=np.float64)
    report = evaluate(
        np.asarray(rows["label"].to_numpy(), dtype=np.float64),
        scores,
        slice_columns=rows,
        slices=[Slice(name=each, columns=(each,)) for each in slices],
        task=use_case.task,
        threshold=record.threshold,
        clusters=clusters_of(rows, use_case=use_case),
    )
    decision = decide(report, live_gates(use_case.gates, task=use_case.task), comparison=told.overall)
    kept = rows.select(["id", "event_time", "label", *slices])
    for column, values in answers(scores, task=use_case.task, threshold=record.threshold).items():
        kept = kept.append_column(column, values)
    files = evaluation_files(
        decision,
        use_case=name,
        version=record.version,
        champion=told.champion,
        decided_at=now,
        report=report,
        predictions=parquet_bytes(kept),
        comparison=told.overall,
        record=head.read(model_path(name, version=record.version, name=RECORD)),
        gates=use_case.gates,
        judged_on="shadow",
    )
    return Step(
        files=files,
        audit=lambda staged: [_reads_back(staged, record)],
        message=f"{name}: evaluation of {record.version} by its shadow",
        outcome=decision.passed,
    )


def _answers(staged: Snapshot, record: ModelRecord) -> CheckResult:
    verify_answers(load_version(staged, use_case=record.use_case, version=record.version))
    return CheckResult(name="loads_and_answers", passed=True)


def _reads_back(staged: Snapshot, record: ModelRecord) -> CheckResult:
    found = load_evaluation(staged, use_case=record.use_case, version=record.version)
    reasons = () if found else (f"The evaluation of {record.version} does not read back.",)
    return CheckResult(name="evaluation_reads_back", passed=not reasons, reasons=reasons)
