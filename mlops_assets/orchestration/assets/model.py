"""``model``: a version trained from the training view, immutable, with the record of everything it came from."""

import json

import dagster as dg

from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.moments import moment_of
from mlops_assets.orchestration.resources import LakeResource
from mlops_assets.steps.train import CODE_IS_COMMITTED, LOADS_AND_ANSWERS, Provenance, Trained, train
from mlops_assets.stores.code import git_state

LOADS = Check(name=LOADS_AND_ANSWERS, description="The stored model has its checksums, loads and gives a score.")


def build_model(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that trains a version."""

    @platform_asset(
        use_case,
        name="model",
        stage="model",
        deps=["training_view", *(["hyperparameters"] if use_case.tuning else [])],
        kinds={"lakefs", "xgboost"},
        checks=(
            LOADS,
            Check(
                name=CODE_IS_COMMITTED,
                description="The record names the git commit of the code that trained it.",
                blocking=use_case.committed,
            ),
        ),
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
        provenance = Provenance(
            git=git_state(),
            started_by=f"dagster run {context.run.run_id}",
            clock=lambda: moment_of(context.run.tags),
        )
        step = train(run.lake.at(), use_case=use_case, provenance=provenance)
        yield from run.publish(step, metadata=_metadata(step.outcome))

    return model


def _metadata(trained: Trained) -> dict[str, object]:
    record = trained.record
    return {
        "version": record.version,
        "trained_before": trained.trained_before,
        "data_commit": record.data_commit,
        "rounds": record.best_round + 1,
        "hyperparameters": record.hyperparameters_from,
        "threshold": record.threshold,
        "record": dg.MetadataValue.json(json.loads(record.to_json())),
        **{f"rows_{name}": part.rows for name, part in record.split.items()},
        "calibration": trained.calibration,
        **dict(record.metrics),
    }
