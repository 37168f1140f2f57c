"""Which hyperparameters do best inside the training window: a search by Optuna, whose trials outlive the process.

Each trial trains the recipe once per fold and is judged by its mean loss on the watched rows; validation and test rows
of the use case are never looked at. What a trial suggests depends on the seed and on the trials before it alone, so a
search that was killed goes on as if nothing had happened. Where trials are kept is the caller's part, and so is when
to end. Optuna is imported when a search begins: what only serves never loads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter

from mlops_assets.contract.errors import TrainingError
from mlops_assets.contract.search_space import Between, Range, Tuning, Value, WholeBetween
from mlops_assets.contract.splits import HashSplit
from mlops_assets.contract.tasks import Binary
from mlops_assets.contract.use_case import Recipe, UseCase
from mlops_assets.training.fit import Prepared, labels_of, prepare, split_view, train_prepared
from mlops_assets.training.splitting import Fold, hash_folds, time_folds, windows

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage

TRIALS_BEFORE_PRUNING = 5


@dataclass(frozen=True, kw_only=True)
class TriedRecipe:
    """One trial: the hyperparameters that were tuned, and the loss on each fold, as far as it came."""

    hyperparameters: Mapping[str, Value]
    losses: tuple[float, ...]
    pruned: bool = False

    @property
    def loss(self) -> float:
        """The mean over its folds; only trials with the same folds can be compared by it."""
        return float(np.mean(self.losses))


@dataclass(frozen=True, kw_only=True)
class TunedRecipe:
    """What a search found. The first of ``trials`` is the recipe as declared.

    ``asked`` is what decides the search besides data and code: recipe, space, folds; ``folds`` say in words on which
    rows each was learnt and judged.
    """

    study: str
    asked: Mapping[str, object]
    folds: tuple[str, ...]
    trials: tuple[TriedRecipe, ...]

    @property
    def declared(self) -> TriedRecipe:
        """The recipe as the use case declares it."""
        return self.trials[0]

    @property
    def finished(self) -> tuple[TriedRecipe, ...]:
        """The trials that were judged on every fold."""
        return tuple(each for each in self.trials if not each.pruned)

    @property
    def best(self) -> TriedRecipe:
        """The one that did best on all folds."""
        return best_of(self.trials)

    def gain(self, tried: TriedRecipe) -> float:
        """By how much its mean loss is below that of the declared recipe on the same folds."""
        return float(np.mean(self.declared.losses[: len(tried.losses)])) - tried.loss

    def to_json(self) -> bytes:
        return TypeAdapter(TunedRecipe).dump_json(self, indent=1)

    @classmethod
    def from_json(cls, text: bytes | str) -> TunedRecipe:
        """Raises TrainingError when the text is none."""
        try:
            return TypeAdapter(TunedRecipe).validate_json(text)
        except ValueError as error:
            raise TrainingError(f"Not a tuned recipe: {error}") from error


def best_of(trials: Sequence[TriedRecipe]) -> TriedRecipe:
    """The lowest mean loss of those that were judged on every fold; the earliest of equals."""
    return min((each for each in trials if not each.pruned), key=lambda each: each.loss)


def asked_of(use_case: UseCase, *, tuning: Tuning) -> dict[str, object]:
    """What a search is asked for, as JSON values; the budget does not count, more of it continues the same search."""
    recipe = use_case.recipe
    asked = {
        "hyperparameters": dict(recipe.hyperparameters),
        "rounds": recipe.rounds,
        "early_stopping_rounds": recipe.early_stopping_rounds,
        "seed": recipe.seed,
        "space": tuning.described(),
        "folds": tuning.folds,
    }
    told: dict[str, object] = json.loads(json.dumps(asked))
    return told


def tuned(recipe: Recipe, *, by: TunedRecipe) -> Recipe:
    """``recipe`` with the hyperparameters that did best; what is equal is kept as it was declared, 20 and not 20.0."""
    best = {**recipe.hyperparameters, **by.best.hyperparameters}
    kept = {name: value for name, value in recipe.hyperparameters.items() if value == best[name]}
    return replace(recipe, hyperparameters=best | kept)


def tune(
    view: pa.Table,
    *,
    use_case: UseCase,
    tuning: Tuning,
    study: str,
    storage: BaseStorage,
    more: Callable[[int], bool],
    tell: Callable[[TriedRecipe, TriedRecipe], None] = lambda tried, best: None,
) -> TunedRecipe:
    """Searches on the training part of ``view`` while ``more(finished trials)`` holds; the declared recipe is tried
    first, whatever the budget. Trials that ``storage`` has of ``study`` are not repeated, and one that was cut off
    goes on after its last whole fold. ``tell`` hears of each trial that ends, and of the best so far.

    Raises TrainingError when a fold has no rows or one class only: ask for fewer folds.
    """
    rows = view.take(split_view(view, use_case=use_case).train.rows)
    folds = folds_of(rows, use_case=use_case, count=tuning.folds)
    ready = [prepare(rows.take(f.learnt.rows), rows.take(f.watched.rows), use_case=use_case) for f in folds]
    found = _open(study, storage=storage)
    while not (tried := _tried(found)) or more(len(tried)):
        trial = _next(found, use_case=use_case, space=tuning.space, finished=len(tried))
        _try(trial, found, folds=ready, declared=tried[0] if tried else None, use_case=use_case)
        tried = _tried(found)
        tell(tried[-1], best_of(tried))
    return TunedRecipe(
        study=study,
        asked=asked_of(use_case, tuning=tuning),
        folds=tuple(_in_words(fold) for fold in folds),
        trials=tuple(tried),
    )


def folds_of(rows: pa.Table, *, use_case: UseCase, count: int) -> tuple[Fold, ...]:
    """Folds of the training rows, made as the use case splits: by time with its gap, or by its key."""
    declared, labels = use_case.split, labels_of(rows) if isinstance(use_case.task, Binary) else None
    if isinstance(declared, HashSplit):
        return hash_folds(rows.column(declared.key), labels=labels, count=count)
    times = rows.column("event_time").to_numpy()
    return time_folds(times, labels=labels, split=windows(times, split=declared), count=count)


def _open(study: str, *, storage: BaseStorage) -> Study:
    import optuna

    pruner = optuna.pruners.MedianPruner(n_startup_trials=TRIALS_BEFORE_PRUNING)
    return optuna.create_study(study_name=study, storage=storage, pruner=pruner, load_if_exists=True)


def _tried(study: Study) -> list[TriedRecipe]:
    """The trials that ended, in the order in which they were begun."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    return [
        TriedRecipe(
            hyperparameters=each.params,
            losses=tuple(each.user_attrs[name] for name in sorted(each.user_attrs)),
            pruned=each.state is TrialState.PRUNED,
        )
        for each in ended
    ]


def _next(study: Study, *, use_case: UseCase, space: Mapping[str, Range], finished: int) -> Trial:
    """The trial that was cut off, else the declared recipe, else what the sampler thinks of the finished ones."""
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    for cut_off in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not waiting and set(cut_off.params) == set(space):
            study.enqueue_trial(cut_off.params, user_attrs=cut_off.user_attrs)
            waiting.append(cut_off)
        study.tell(cut_off.number, state=TrialState.FAIL)
    if not waiting and not finished:
        study.enqueue_trial({name: use_case.recipe.hyperparameters[name] for name in space})
    study.sampler = TPESampler(seed=use_case.recipe.seed + finished)
    return study.ask(fixed_distributions={name: _distribution(bounds) for name, bounds in space.items()})


def _try(
    trial: Trial, study: Study, *, folds: Sequence[Prepared], declared: TriedRecipe | None, use_case: UseCase
) -> None:
    """Trains on fold after fold; gives up when it does worse than the median of those before it.

    Folds differ in how hard they are: what is compared is how far the trial is from the declared recipe on the same.
    """
    from optuna.trial import TrialState

    losses: list[float] = []
    for number, fold in enumerate(folds, start=1):
        name = f"loss of fold {number:03}"
        if name not in trial.user_attrs:
            trial.set_user_attr(name, _loss(fold, hyperparameters=trial.params, use_case=use_case))
        losses.append(trial.user_attrs[name])
        beside = declared.losses[:number] if declared else losses
        trial.report(float(np.mean(losses) - np.mean(beside)), step=number)
        if number < len(folds) and trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
            return
    study.tell(trial, float(np.mean(losses)), skip_if_finished=True)


def _loss(fold: Prepared, *, hyperparameters: Mapping[str, Value], use_case: UseCase) -> float:
    """The task's own loss on the watched rows after the best round."""
    judged_by = {"eval_metric": use_case.task.objective["eval_metric"]}
    recipe = replace(
        use_case.recipe, hyperparameters={**use_case.recipe.hyperparameters, **hyperparameters, **judged_by}
    )
    trained = train_prepared(fold, use_case=replace(use_case, recipe=recipe))
    loss = float(trained.learning_curve["validation"][trained.best_round])
    if not np.isfinite(loss):
        raise TrainingError(f"The loss of {dict(hyperparameters)} is {loss}: narrow the space of the tuning.")
    return loss


def _distribution(bounds: Range) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(bounds, Between):
        return FloatDistribution(bounds.low, bounds.high, log=bounds.log)
    if isinstance(bounds, WholeBetween):
        return IntDistribution(bounds.low, bounds.high, log=bounds.log)
    return CategoricalDistribution(bounds.values)


def _in_words(fold: Fold) -> str:
    learnt, watched = (
        f"{len(part.rows):,} rows" + (f" of {part.first} to {part.last}" if part.first else "")
        for part in (fold.learnt, fold.watched)
    )
    return f"learnt from {learnt}, judged on {watched}"
