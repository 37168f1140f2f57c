"""The search for hyperparameters: on training rows only, the same whenever it is asked, continued where it was killed.

`python -m mlops_assets_tests.training.test_tuning FOLDER TRAINING` is the process that is killed: by itself, right
before or after that training of a booster.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from optuna.storages import InMemoryStorage

from mlops_assets.contract.errors import TrainingError
from mlops_assets.contract.search_space import Between, Tuning, WholeBetween
from mlops_assets.contract.splits import TimeSplit
from mlops_assets.contract.use_case import UseCase
from mlops_assets.stores.models.trials import open_trials
from mlops_assets.training import tuning as module
from mlops_assets.training.fit import split_view
from mlops_assets.training.tuning import TunedRecipe, folds_of, tune, tuned
from mlops_assets_tests.training.test_fit import PEOPLE, make_view

TUNING = Tuning(space={"max_depth": WholeBetween(low=1, high=5), "eta": Between(low=0.01, high=1, log=True)}, folds=3)
BY_HASH = replace(
    PEOPLE,
    tuning=TUNING,
    recipe=replace(PEOPLE.recipe, hyperparameters={"max_depth": 2, "eta": 0.05}, rounds=4),
)
BY_TIME = replace(BY_HASH, split=TimeSplit(test_days=4, validation_days=3, gap_days=2))
TRIALS = 8
TRAININGS = "trainings.txt"


def view_of(use_case: UseCase) -> pa.Table:
    """900 people; 30 a day where time splits them."""
    return make_view(event_time=[datetime(2020, 1, 1) + timedelta(days=number // 30) for number in range(900)])


def search(
    view: pa.Table, folder: Path | None = None, *, use_case: UseCase = BY_HASH, trials: int = TRIALS
) -> TunedRecipe:
    """With its trials in ``folder``, or in memory."""
    assert use_case.tuning is not None
    with open_trials("people", folder=folder) if folder else nullcontext(InMemoryStorage()) as storage:
        return tune(
            view,
            use_case=use_case,
            tuning=use_case.tuning,
            study="one",
            storage=storage,
            more=lambda finished: finished < trials,
        )


def altered(view: pa.Table, use_case: UseCase) -> pa.Table:
    """Other labels, features and weights on every row that is not learnt from."""
    others = np.setdiff1d(np.arange(view.num_rows), split_view(view, use_case=use_case).train.rows)
    draw = np.random.default_rng(0)
    for name in ("label", "age", "population"):
        values = view.column(name).to_numpy().copy()
        values[others] = 1 - values[others] if name == "label" else draw.permutation(values[others]) * 3
        view = view.set_column(view.column_names.index(name), name, pa.array(values))
    return view


def thinned(view: pa.Table, use_case: UseCase) -> pa.Table:
    """Without the rows that are not learnt from, but for two of the last day of either part, one of each class: they
    say where the windows are, and a split without them is refused.
    """
    split, labels = split_view(view, use_case=use_case), view.column("label").to_numpy()
    days = view.column("event_time").to_numpy()
    left = [split.train.rows]
    for part in (split.validation, split.test):
        last = part.rows[days[part.rows] == days[part.rows].max()] if part.last else part.rows
        left += [last[labels[last] == label][:1] for label in (0, 1)]
    return view.take(np.sort(np.concatenate(left)))


@pytest.mark.parametrize("use_case", [BY_HASH, BY_TIME], ids=["by hash", "by time"])
@pytest.mark.parametrize("harmed", [altered, thinned])
def test_validation_and_test_rows_change_no_trial(
    use_case: UseCase, harmed: Callable[[pa.Table, UseCase], pa.Table]
) -> None:
    view = view_of(use_case)
    spoilt = harmed(view, use_case)
    assert not spoilt.equals(view)

    whole, other = (search(rows, use_case=use_case) for rows in (view, spoilt))

    assert other.to_json() == whole.to_json()
    assert len(whole.trials) == TRIALS


def test_training_rows_do_change_trials() -> None:
    view = view_of(BY_HASH)
    labels = view.column("label").to_numpy().copy()
    first = split_view(view, use_case=BY_HASH).train.rows[:30]
    labels[first] = 1 - labels[first]
    spoilt = view.set_column(view.column_names.index("label"), "label", pa.array(labels))

    whole, other = search(view, trials=1), search(spoilt, trials=1)

    assert whole.declared.losses != other.declared.losses


def test_folds_by_time_watch_later_windows_in_turn_and_leave_the_gap_out() -> None:
    view = view_of(BY_TIME)
    rows = view.take(split_view(view, use_case=BY_TIME).train.rows)

    folds = folds_of(rows, use_case=BY_TIME, count=3)

    last = datetime(2020, 1, 1).date() + timedelta(days=30 - 4 - 2 - 3 - 2 - 1)
    assert [fold.watched.last for fold in folds] == [last - timedelta(days=days) for days in (6, 3, 0)]
    for fold in folds:
        assert len(fold.watched.rows) == 3 * 30
        assert fold.learnt.first == datetime(2020, 1, 1).date()
        assert fold.watched.first - fold.learnt.last == timedelta(days=3)


def test_folds_by_hash_watch_every_row_once_and_keep_households_together() -> None:
    view = view_of(BY_HASH)
    rows = view.take(split_view(view, use_case=BY_HASH).train.rows)
    households = np.array(rows.column("household").to_pylist())

    folds = folds_of(rows, use_case=BY_HASH, count=3)

    assert sorted(np.concatenate([fold.watched.rows for fold in folds])) == list(range(rows.num_rows))
    for fold in folds:
        assert not {*households[fold.learnt.rows]} & {*households[fold.watched.rows]}
        assert len(fold.watched.rows) == pytest.approx(rows.num_rows / 3, rel=0.25)


def test_more_folds_than_days_are_refused_by_name() -> None:
    greedy = replace(BY_TIME, tuning=replace(TUNING, folds=9))

    with pytest.raises(TrainingError, match="training of fold 1"):
        search(view_of(greedy), use_case=greedy)


def test_the_declared_recipe_is_tried_first_and_the_best_is_not_worse() -> None:
    found = search(view_of(BY_HASH))

    assert found.declared.hyperparameters == {"max_depth": 2, "eta": 0.05}
    assert found.gain(found.best) > 0
    assert tuned(BY_HASH.recipe, by=found).hyperparameters == found.best.hyperparameters
    assert TunedRecipe.from_json(found.to_json()) == found


def test_trials_that_do_worse_than_the_median_are_given_up_before_their_last_fold() -> None:
    found = search(view_of(BY_HASH), trials=20)

    given_up = [each for each in found.trials if each.pruned]
    assert 2 <= len(given_up) < 15
    assert all(len(each.losses) < 3 for each in given_up)
    assert found.best not in given_up


def test_a_longer_search_continues_a_shorter_one(tmp_path: Path) -> None:
    view = view_of(BY_HASH)

    search(view, tmp_path / "in two", trials=5)
    continued = search(view, tmp_path / "in two")

    assert continued == search(view)


def test_what_was_declared_is_kept_as_it_was_written() -> None:
    tuning = Tuning(space={"min_child_weight": Between(low=1, high=50, log=True)})
    whole = replace(BY_HASH, recipe=replace(BY_HASH.recipe, hyperparameters={"min_child_weight": 20}), tuning=tuning)
    found = search(view_of(whole), use_case=whole, trials=1)

    assert str(tuned(whole.recipe, by=found).hyperparameters["min_child_weight"]) == "20"


@pytest.mark.parametrize("at", [3, 12])
def test_a_search_killed_at_any_training_goes_on_as_if_nothing_had_happened(at: int, tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-m", __name__, str(tmp_path), str(at)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = (tmp_path / TRAININGS).read_text().count("\n")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "train_prepared", counted(tmp_path))
        found = search(view_of(BY_HASH), tmp_path)

    assert found == search(view_of(BY_HASH))
    assert before == at - at % 2
    trainings = (tmp_path / TRAININGS).read_text().count("\n")
    needed = sum(len(each.losses) for each in found.trials)
    assert trainings - needed == 1 - at % 2, "only a training whose loss was not written down is repeated"


def counted(folder: Path, *, kill_at: int | None = None) -> Callable[..., object]:
    """Training that writes a line when it is done; an odd ``kill_at`` dies before that training, an even one after."""
    real, done = module.train_prepared, iter(range(1, 1000))

    def train(*arguments: object, **options: object) -> object:
        number = next(done)
        if number == kill_at and number % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        trained = real(*arguments, **options)  # type: ignore[arg-type]
        with (folder / TRAININGS).open("a") as lines:
            lines.write(f"{number}\n")
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return trained

    return train


if __name__ == "__main__":
    module.train_prepared = counted(Path(sys.argv[1]), kill_at=int(sys.argv[2]))  # type: ignore[assignment]
    search(view_of(BY_HASH), Path(sys.argv[1]))
