"""Train: a version from the training view, immutable, with the record of everything it came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from mlops_assets.contract.checks import CheckResult, Severity
from mlops_assets.contract.errors import PlatformError
from mlops_assets.contract.paths import hyperparameters_path, model_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.steps.step import Step
from mlops_assets.stores.code import UNKNOWN, GitState
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.identity import feature_files, use_case_code_version
from mlops_assets.stores.models.recipe import (
    current_version,
    fitted_files,
    libraries,
    read_manifest,
    read_view,
    with_tuned_recipe,
)
from mlops_assets.stores.models.record import RECORD, ModelRecord, PartRecord, TuningRecord
from mlops_assets.stores.models.registry import (
    ModelVersion,
    load_version,
    stored_files,
    verify_answers,
    version_files,
)
from mlops_assets.training.fit import FittedModel, fit
from mlops_assets.training.scoring import Scorer
from mlops_assets.training.tuning import TunedRecipe

LOADS_AND_ANSWERS = "loads_and_answers"
CODE_IS_COMMITTED = "code_is_committed"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a record says of a training besides its data: ``git`` state, who started it, and when by ``clock``."""

    git: GitState
    started_by: str
    clock: Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The version's record; ``trained_before`` when it was in the lake already. ``calibration`` is its kind."""

    record: ModelRecord
    trained_before: bool
    calibration: str


def train(head: Snapshot, *, use_case: UseCase, provenance: Provenance) -> Step[Trained]:
    """The version that the training view gives with today's code; what was trained before is not trained again."""
    version = current_version(head, use_case=use_case)
    trained_before = head.exists(model_path(use_case.name, version=version, name=RECORD))
    if trained_before:
        model = load_version(head, use_case=use_case.name, version=version)
        files = stored_files(head, prefix=model_path(use_case.name, version=version, name=""))
    else:
        model = _trained(head, use_case=use_case, version=version, provenance=provenance)
        files = version_files(model.record, files=model.files)
    return Step(
        files=files,
        audit=lambda staged: [
            _loads_and_answers(staged, use_case=use_case, version=version),
            _code_is_committed(model.record, use_case=use_case, problem=provenance.git.problem),
        ],
        message=f"{use_case.name}: model {version}",
        outcome=Trained(record=model.record, trained_before=trained_before, calibration=_calibration(model)),
    )


def _trained(head: Snapshot, *, use_case: UseCase, version: str, provenance: Provenance) -> ModelVersion:
    started = provenance.clock()
    use_case, found = with_tuned_recipe(head, use_case=use_case)
    fitted = fit(read_view(head, use_case=use_case), use_case=use_case)
    record = _record(head, fitted, found, use_case=use_case, version=version, started=started, provenance=provenance)
    return ModelVersion(record=record, files=fitted_files(fitted))


def _calibration(model: ModelVersion) -> str:
    found = Scorer.open(model.files).calibration
    return found.kind if found else "not asked for"


def _record(
    head: Snapshot,
    fitted: FittedModel,
    found: TunedRecipe | None,
    *,
    use_case: UseCase,
    version: str,
    started: datetime,
    provenance: Provenance,
) -> ModelRecord:
    git, manifest, now = provenance.git, read_manifest(head, use_case=use_case), provenance.clock()
    serving = champion(head, use_case=use_case.name)
    return ModelRecord(
        use_case=use_case.name,
        version=version,
        created_at=now,
        git_commit=git.commit,
        git_dirty=git.dirty,
        git_diff_hash=git.diff_hash,
        code_version=use_case_code_version(use_case),
        data_commit=head.commit,
        first_batch=manifest["first"],
        last_batch=manifest["last"],
        hyperparameters=dict(use_case.recipe.hyperparameters),
        rounds=use_case.recipe.rounds,
        early_stopping_rounds=use_case.recipe.early_stopping_rounds,
        best_round=fitted.trained.best_round,
        seed=use_case.recipe.seed,
        threads=use_case.recipe.threads,
        libraries=libraries(),
        split={
            part.name: PartRecord(rows=len(part.rows), positives=part.positives, first=part.first, last=part.last)
            for part in fitted.split.parts
        },
        declared_split=str(use_case.split),
        threshold=fitted.threshold,
        metrics=dict(fitted.metrics),
        parent=serving.version if serving else None,
        started_by=provenance.started_by,
        seconds=round((now - started).total_seconds(), 3),
        tuning=TuningRecord(path=hyperparameters_path(use_case.name), commit=head.commit, study=found.study)
        if found
        else None,
        feature_files=dict(feature_files(use_case.name)),
    )


def _loads_and_answers(staged: Snapshot, *, use_case: UseCase, version: str) -> CheckResult:
    try:
        verify_answers(load_version(staged, use_case=use_case.name, version=version))
    except PlatformError as error:
        return CheckResult(name=LOADS_AND_ANSWERS, passed=False, reasons=(str(error),))
    return CheckResult(name=LOADS_AND_ANSWERS, passed=True, figures={"version": version})


def _code_is_committed(record: ModelRecord, *, use_case: UseCase, problem: str) -> CheckResult:
    """A warning where git tells no commit; where the use case asks for committed code, that and any change stop it."""
    unknown = record.git_commit == UNKNOWN
    changed = use_case.committed and record.git_dirty
    reason = problem or "The record names no commit." if unknown else "The code was changed since: commit it."
    return CheckResult(
        name=CODE_IS_COMMITTED,
        passed=not unknown and not changed,
        severity=Severity.ERROR if use_case.committed else Severity.WARN,
        figures={"git_commit": record.git_commit, "changed_since": record.git_dirty},
        reasons=(reason,) if unknown or changed else (),
    )
