"""``model``: a version trained from the training view, immutable, with the record of everything it came from."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import PlatformError
from mlops_assets.contract.paths import hyperparameters_path, model_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.resources import LakeResource
from mlops_assets.stores.code import feature_files, git_state
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.identity import use_case_code_version
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

CHECKS = (
    Check(
        name="loads_and_answers", description="The stored model has its recorded checksums, loads and gives a score."
    ),
)


def build_model(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that trains a version."""

    @platform_asset(
        use_case,
        name="model",
        deps=["training_view", *(["hyperparameters"] if use_case.tuning else [])],
        kinds={"lakefs", "xgboost"},
        checks=CHECKS,
        description=(
            "An XGBoost model trained on the training view: earlier rows to learn from, later ones "
            "to stop and to choose "
            "the threshold, the last ones kept for evaluation. Its id follows from data, code and "
            "hyperparameters; what was "
            "trained before is not trained again."
        ),
    )
    def model(context: dg.AssetExecutionContext, lake: LakeResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        version = current_version(head, use_case=use_case)
        known = head.exists(model_path(use_case.name, version=version, name=RECORD))
        if known:
            trained = load_version(head, use_case=use_case.name, version=version)
            files = stored_files(head, prefix=model_path(use_case.name, version=version, name=""))
        else:
            trained = _train(run, head, version)
            files = version_files(trained.record, files=trained.files)
        yield from run.publish(
            files=files,
            audit=lambda staged: [_loads_and_answers(staged, use_case=use_case, version=version)],
            metadata=_metadata(trained.record, trained_before=known, calibration=_calibration(trained)),
            message=f"{use_case.name}: model {version}",
        )

    return model


def _train(run: AssetRun, head: Snapshot, version: str) -> ModelVersion:
    use_case, found = with_tuned_recipe(head, use_case=run.use_case)
    fitted = fit(read_view(head, use_case=use_case), use_case=use_case)
    record = _record(replace(run, use_case=use_case), head, version, fitted, found)
    return ModelVersion(record=record, files=fitted_files(fitted))


def _calibration(model: ModelVersion) -> str:
    found = Scorer.open(model.files).calibration
    return found.kind if found else "not asked for"


def _record(run: AssetRun, head: Snapshot, version: str, fitted: FittedModel, found: TunedRecipe | None) -> ModelRecord:
    use_case, git, manifest = run.use_case, git_state(), read_manifest(head, use_case=run.use_case)
    serving = champion(head, use_case=use_case.name)
    return ModelRecord(
        use_case=use_case.name,
        version=version,
        created_at=datetime.now(UTC),
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
        started_by=f"dagster run {run.context.run.run_id}",
        seconds=run.seconds,
        tuning=TuningRecord(path=hyperparameters_path(use_case.name), commit=head.commit, study=found.study)
        if found
        else None,
        feature_files=dict(feature_files(use_case.name)),
    )


def _loads_and_answers(staged: Snapshot, *, use_case: UseCase, version: str) -> CheckResult:
    try:
        verify_answers(load_version(staged, use_case=use_case.name, version=version))
    except PlatformError as error:
        return CheckResult(name="loads_and_answers", passed=False, reasons=(str(error),))
    return CheckResult(name="loads_and_answers", passed=True, figures={"version": version})


def _metadata(record: ModelRecord, *, trained_before: bool, calibration: str) -> dict[str, object]:
    return {
        "version": record.version,
        "trained_before": trained_before,
        "data_commit": record.data_commit,
        "rounds": record.best_round + 1,
        "hyperparameters": record.hyperparameters_from,
        "threshold": record.threshold,
        "record": dg.MetadataValue.json(json.loads(record.to_json())),
        **{f"rows_{name}": part.rows for name, part in record.split.items()},
        "calibration": calibration,
        **dict(record.metrics),
    }
