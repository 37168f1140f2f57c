"""A model version trained again from its record, and what came out compared with what is on record.

What is read: the training view at the recorded lakeFS commit, and the recorded hyperparameters, seed and threads.
What is run: the code that is imported here. Checking out the recorded code is the caller's part; whether it is the
recorded code is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from mlops_assets.contract.errors import LakeError, RegistryError
from mlops_assets.contract.paths import evaluation_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.code import git_state
from mlops_assets.stores.models.identity import feature_files, use_case_code_version
from mlops_assets.stores.models.recipe import as_recorded, fitted_files, libraries, read_view
from mlops_assets.stores.models.record import PREDICTIONS, ModelRecord, digest
from mlops_assets.stores.models.registry import load_evaluation, load_version
from mlops_assets.training.fit import FittedModel, fit
from mlops_assets.training.refit import refit
from mlops_assets.training.scoring import Scorer


class Compared(BaseModel):
    """One thing that was compared, as people read it; ``same`` means to the last bit."""

    model_config = ConfigDict(frozen=True)

    what: str
    recorded: str
    rebuilt: str

    @property
    def same(self) -> bool:
        """Whether both are equal."""
        return self.recorded == self.rebuilt


class Reproduction(BaseModel):
    """What came of training a version again.

    ``compared`` are its results: files, figures, predictions. ``surroundings`` are what may explain a difference: code
    and libraries.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    compared: tuple[Compared, ...]
    surroundings: tuple[Compared, ...]

    @property
    def same(self) -> bool:
        """Whether every result is equal."""
        return all(each.same for each in self.compared)


def reproduce(lake: Lake, *, use_case: UseCase, version: str) -> Reproduction:
    """Trains ``version`` again and compares everything.

    Raises RegistryError when there is no such version, it is damaged, or its data is not in the lake any more.
    """
    head = lake.at()
    record = load_version(head, use_case=use_case.name, version=version).record
    view = _view(lake, record, use_case=use_case)
    fitted = _fitted(head, view, record=record, use_case=as_recorded(use_case, record))
    files = fitted_files(fitted)
    return Reproduction(
        version=version,
        compared=(
            *_files(record, files),
            *_figures(record, fitted),
            *_predictions(head, view, files, use_case=use_case, version=version, fitted=fitted),
        ),
        surroundings=tuple(_surroundings(record, use_case=use_case)),
    )


def _fitted(head: Snapshot, view: pa.Table, *, record: ModelRecord, use_case: UseCase) -> FittedModel:
    """Learnt again, as the version was; a refit with the threshold and calibration of what it is a refit of."""
    if record.refit_of is None:
        return fit(view, use_case=use_case)
    judged = load_version(head, use_case=use_case.name, version=record.refit_of)
    calibration = Scorer.open(judged.files).calibration
    told: Any = {"threshold": judged.record.threshold, "calibration": calibration}
    return refit(view, use_case=use_case, rounds=record.rounds, **told)


def _view(lake: Lake, record: ModelRecord, *, use_case: UseCase) -> pa.Table:
    try:
        return read_view(lake.at(record.data_commit), use_case=use_case)
    except LakeError as error:
        raise RegistryError(
            f"The data of version {record.version} is not in the lake any more: commit {record.data_commit[:16]} "
            f"of its record cannot be read. {error}"
        ) from error


def _files(record: ModelRecord, files: Mapping[str, bytes]) -> list[Compared]:
    rebuilt = {name: digest(content) for name, content in files.items()}
    return [
        Compared(what=name, recorded=record.files.get(name, "none"), rebuilt=rebuilt.get(name, "none"))
        for name in sorted({*record.files, *rebuilt})
    ]


def _figures(record: ModelRecord, fitted: FittedModel) -> list[Compared]:
    rows = {part.name: len(part.rows) for part in fitted.split.parts}
    found = {
        **{f"{name} rows": (part.rows, rows.get(name)) for name, part in record.split.items()},
        "best round": (record.best_round, fitted.trained.best_round),
        "threshold": (record.threshold, fitted.threshold),
        **{name: (value, fitted.metrics.get(name)) for name, value in record.metrics.items()},
    }
    return [Compared(what=what, recorded=str(was), rebuilt=str(now)) for what, (was, now) in found.items()]


def _predictions(
    head: Snapshot,
    view: pa.Table,
    files: Mapping[str, bytes],
    *,
    use_case: UseCase,
    version: str,
    fitted: FittedModel,
) -> list[Compared]:
    """The scores that the recorded evaluation kept; nothing if the version was not evaluated on these rows."""
    if load_evaluation(head, use_case=use_case.name, version=version) is None:
        return []
    kept = read_parquet(head.local(evaluation_path(use_case.name, version=version, name=PREDICTIONS)))
    test = view.take(fitted.split.test.rows)
    scores = Scorer.open(files, threads=use_case.recipe.threads).scores(test)
    mine = pa.table({"id": test.column("id"), "rebuilt": scores})
    both = kept.select(["id", "score"]).join(mine, keys="id", join_type="inner").combine_chunks()
    if not both.num_rows:
        return []
    differing = int(np.sum(both.column("score").to_numpy() != both.column("rebuilt").to_numpy()))
    largest = pc.max(pc.abs(pc.subtract(both.column("score"), both.column("rebuilt")))).as_py()
    told = f"{both.num_rows:,} equal"
    rebuilt = told if not differing else f"{differing:,} of {both.num_rows:,} differ, by {largest:.3g} at most"
    return [Compared(what="test predictions", recorded=told, rebuilt=rebuilt)]


def _surroundings(record: ModelRecord, *, use_case: UseCase) -> list[Compared]:
    now = libraries()
    code = Compared(
        what="code of features and recipe",
        recorded=record.code_version,
        rebuilt=use_case_code_version(use_case),
    )
    changes = Compared(
        what="uncommitted changes", recorded=record.git_diff_hash or "none", rebuilt=git_state().diff_hash or "none"
    )
    installed = (
        Compared(what=name, recorded=was, rebuilt=now.get(name, "none")) for name, was in record.libraries.items()
    )
    return [code, *_feature_files(record), changes, *installed]


def _feature_files(record: ModelRecord) -> Iterator[Compared]:
    """Each file of the use case by itself; nothing for a record from before they were written down."""
    was, now = record.feature_files, feature_files(record.use_case)
    for name in sorted({*was, *now} if was else ()):
        yield Compared(what=f"file {name}", recorded=was.get(name, "none"), rebuilt=now.get(name, "none"))
