"""Tune: the search for a better recipe inside the training window, kept and continued from one time to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import hyperparameters_path
from mlops_assets.contract.search_space import Tuning
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.steps.step import Step
from mlops_assets.stores.models.recipe import read_view, study_of
from mlops_assets.training.tuning import TriedRecipe, TunedRecipe
from mlops_assets.training.tuning import tune as search

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

NOT_WORSE = "not_worse_than_declared"


def tune(
    head: Snapshot,
    *,
    use_case: UseCase,
    tuning: Tuning,
    storage: BaseStorage,
    more: Callable[[int], bool],
    tell: Callable[[TriedRecipe, TriedRecipe], None],
) -> Step[TunedRecipe]:
    """Goes on with the search in ``storage`` while ``more`` says so of the finished trials; ``tell`` hears of each."""
    study = study_of(head, use_case=use_case, tuning=tuning)
    view = read_view(head, use_case=use_case)
    found = search(view, use_case=use_case, tuning=tuning, study=study, storage=storage, more=more, tell=tell)
    path = hyperparameters_path(use_case.name)
    return Step(
        files={path: found.to_json()},
        audit=lambda staged: [_not_worse(staged, path)],
        message=f"{use_case.name}: hyperparameters after {len(found.trials)} trials of {found.study}",
        outcome=found,
    )


def _not_worse(staged: Snapshot, path: str) -> CheckResult:
    found = TunedRecipe.from_json(staged.read(path))
    gain, folds = found.gain(found.best), len(found.best.losses)
    whole = folds == len(found.declared.losses) == len(found.folds)
    return CheckResult(
        name=NOT_WORSE,
        passed=whole and gain >= 0,
        figures={"gain": gain, "folds": folds, "trials": len(found.trials)},
        reasons=() if whole and gain >= 0 else (f"gain {gain:+.4g} over {folds} of {len(found.folds)} folds",),
    )
