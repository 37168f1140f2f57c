"""``hyperparameters``: the search for a better recipe inside the training window, kept and continued over runs."""

import time
from collections.abc import Callable

import dagster as dg
from pydantic import Field

from mlops_assets.contract.search_space import Tuning
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import svg_picture, table_of
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.reports.tuning_history import tuning_history
from mlops_assets.steps.tune import NOT_WORSE, tune
from mlops_assets.stores.models.trials import open_trials
from mlops_assets.training.tuning import TriedRecipe, TunedRecipe

CHECKS = (
    Check(
        name=NOT_WORSE,
        description="What was found has a loss on every fold, and a mean loss that is at most the declared recipe's.",
    ),
)
SHOWN = 10


class TuningConfig(dg.Config):
    """The budget of the search; what the use case declares if nothing is set."""

    trials: int | None = Field(default=None, ge=1, description="Trials of the whole search, those of earlier runs too.")
    seconds: float | None = Field(default=None, gt=0, description="Seconds that this run begins new trials for.")


def build_hyperparameters(use_case: UseCase, *, tuning: Tuning) -> dg.AssetsDefinition:
    """The asset that searches."""

    @platform_asset(
        use_case,
        name="hyperparameters",
        stage="model",
        deps=["training_view"],
        kinds={"lakefs", "xgboost", "optuna"},
        checks=CHECKS,
        description=(
            f"The best of {', '.join(tuning.space)} by cross-validation over {tuning.folds} folds of the training "
            "window; validation and test rows are not looked at. Optional: once it is published, the next model is "
            "trained with it. A run that is killed is continued by the next; more trials continue the same search."
        ),
    )
    def hyperparameters(
        context: dg.AssetExecutionContext, config: TuningConfig, lake: LakeResource, data: DataResource
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        with open_trials(use_case.name, folder=data.environment) as storage:
            step = tune(
                head,
                use_case=use_case,
                tuning=tuning,
                storage=storage,
                more=_budget(config, tuning=tuning),
                tell=lambda tried, best: _tell(context, tried, best),
            )
        yield from run.publish(step, metadata={**_metadata(step.outcome), "read_at_lakefs_commit": head.commit})

    return hyperparameters


def _budget(config: TuningConfig, *, tuning: Tuning) -> Callable[[int], bool]:
    """Whether to go on after so many trials: what the run sets, else what the use case declares."""
    told = config if config.trials is not None or config.seconds is not None else tuning
    until = None if told.seconds is None else time.monotonic() + told.seconds
    return lambda finished: (
        (told.trials is None or finished < told.trials) and (until is None or time.monotonic() < until)
    )


def _tell(context: dg.AssetExecutionContext, tried: TriedRecipe, best: TriedRecipe) -> None:
    """One observation per trial: the UI plots the best so far while the search goes on."""
    told = {"loss": tried.loss, "folds": len(tried.losses), "given_up": tried.pruned, "best_loss_so_far": best.loss}
    context.log_event(dg.AssetObservation(asset_key=context.asset_key, metadata=told))


def _metadata(found: TunedRecipe) -> dict[str, object]:
    return {
        "search": found.study,
        "trials": len(found.trials),
        "given_up": sum(each.pruned for each in found.trials),
        "best_trial": found.trials.index(found.best) + 1,
        "best_loss": found.best.loss,
        "declared_loss": found.declared.loss,
        "found": _found_table(found),
        "history": svg_picture("history of the search", tuning_history(found)),
        "best_trials": _trials_table(found),
        "folds": dg.MetadataValue.md("\n".join(f"{number}. {each}" for number, each in enumerate(found.folds, 1))),
    }


def _found_table(found: TunedRecipe) -> dg.MarkdownMetadataValue:
    declared = found.declared.hyperparameters
    rows = [(name, _told(declared[name]), _told(value)) for name, value in found.best.hyperparameters.items()]
    losses = ("mean loss", f"{found.declared.loss:.5f}", f"{found.best.loss:.5f}")
    return table_of(("hyperparameter", "declared", "found"), [*rows, losses], right=("declared", "found"))


def _trials_table(found: TunedRecipe) -> dg.MarkdownMetadataValue:
    columns = ("trial", "loss", *found.declared.hyperparameters)
    rows = [
        (found.trials.index(each) + 1, f"{each.loss:.5f}", *(_told(each.hyperparameters[name]) for name in columns[2:]))
        for each in sorted(found.finished, key=lambda each: each.loss)[:SHOWN]
    ]
    return table_of(columns, rows, right=columns)


def _told(value: float | int | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
