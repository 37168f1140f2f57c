"""What a model version is made from: the training view in the lake, today's code, hyperparameters and libraries.

Which version that gives is known before it is trained. What was written down about a version that was trained is in
``record.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version as installed
from platform import python_version

import pyarrow as pa

from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.paths import hyperparameters_path, training_view_path
from mlops_assets.contract.search_space import Tuning
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.models.identity import refit_code_version, search_code_version, use_case_code_version
from mlops_assets.stores.models.record import LEARNING_CURVE, ModelRecord, version_of
from mlops_assets.training.fit import FittedModel
from mlops_assets.training.scoring import CALIBRATION, MODEL, VOCABULARY
from mlops_assets.training.tuning import TunedRecipe, asked_of, tuned

LIBRARIES = ("duckdb", "numpy", "pyarrow", "scipy", "xgboost")


def libraries() -> dict[str, str]:
    """The versions of what decides a model's bytes, Python's among them."""
    return {"python": python_version(), **{name: installed(name) for name in LIBRARIES}}


def with_tuned_recipe(snapshot: Snapshot, *, use_case: UseCase) -> tuple[UseCase, TunedRecipe | None]:
    """``use_case`` with the hyperparameters that tuning found, and what it found; as declared, and ``None``, without.

    What was found counts as long as the use case declares the recipe and the space it was found for.
    """
    path = hyperparameters_path(use_case.name)
    if use_case.tuning is None or not snapshot.exists(path):
        return use_case, None
    found = TunedRecipe.from_json(snapshot.read(path))
    if found.asked != asked_of(use_case, tuning=use_case.tuning):
        return use_case, None
    return replace(use_case, recipe=tuned(use_case.recipe, by=found)), found


def study_of(snapshot: Snapshot, *, use_case: UseCase, tuning: Tuning) -> str:
    """The id of a search: it changes with what is asked for, the rows, the code and the libraries, and with nothing
    else.
    """
    last = read_manifest(snapshot, use_case=use_case)["last"]
    asked = {
        **asked_of(use_case, tuning=tuning),
        "training_view": snapshot.info(training_view_path(use_case.name)).checksum,
        "code": use_case_code_version(use_case),
        "search": search_code_version(),
        "threads": use_case.recipe.threads,
        "libraries": {**libraries(), "optuna": installed("optuna")},
    }
    return version_of(asked, last_batch=last)


def recipe_of(snapshot: Snapshot, *, use_case: UseCase) -> Mapping[str, object]:
    """Everything that decides a model's bytes: data, code, hyperparameters, seed, threads and libraries."""
    recipe = with_tuned_recipe(snapshot, use_case=use_case)[0].recipe
    return {
        "use_case": use_case.name,
        "training_view": snapshot.info(training_view_path(use_case.name)).checksum,
        "code": use_case_code_version(use_case),
        "hyperparameters": dict(recipe.hyperparameters),
        "rounds": recipe.rounds,
        "early_stopping_rounds": recipe.early_stopping_rounds,
        "seed": recipe.seed,
        "threads": recipe.threads,
        "libraries": libraries(),
    }


def current_version(snapshot: Snapshot, *, use_case: UseCase) -> str:
    """The id of the version that the training view at ``snapshot`` gives with today's code."""
    return version_of(
        recipe_of(snapshot, use_case=use_case), last_batch=read_manifest(snapshot, use_case=use_case)["last"]
    )


def refit_version(record: ModelRecord) -> str:
    """The id of the refit of a version: its own decides everything but how a refit is made."""
    made = {"refit_of": record.version, "refit": refit_code_version(), "libraries": libraries()}
    return version_of(made, last_batch=record.last_batch)


def as_recorded(use_case: UseCase, record: ModelRecord) -> UseCase:
    """``use_case`` with the hyperparameters, rounds, seed and threads of a version."""
    recipe = replace(
        use_case.recipe,
        hyperparameters=record.hyperparameters,
        rounds=record.rounds,
        early_stopping_rounds=record.early_stopping_rounds,
        seed=record.seed,
        threads=record.threads,
    )
    return replace(use_case, recipe=recipe)


def read_manifest(snapshot: Snapshot, *, use_case: UseCase) -> dict[str, str]:
    """What the training view says of itself: its first and last batch and its rows."""
    path = training_view_path(use_case.name, name="manifest.json")
    if not snapshot.exists(path):
        raise RegistryError(
            f"There is no training view of {use_case.name} yet: materialise {use_case.name}/training_view."
        )
    manifest: dict[str, str] = json.loads(snapshot.read(path))
    return manifest


def read_view(snapshot: Snapshot, *, use_case: UseCase) -> pa.Table:
    """The training view at ``snapshot``."""
    return read_parquet(snapshot.local(training_view_path(use_case.name)))


def fitted_files(fitted: FittedModel) -> dict[str, bytes]:
    """What was learnt as the files of a version, by name."""
    calibration = {CALIBRATION: fitted.calibration.to_json()} if fitted.calibration else {}
    return {
        **calibration,
        MODEL: fitted.trained.booster,
        VOCABULARY: fitted.vocabulary.to_json().encode(),
        LEARNING_CURVE: json.dumps(fitted.trained.learning_curve).encode(),
    }
