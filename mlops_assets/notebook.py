"""What a notebook asks the platform for: data, features and models of any version, and variants on a branch.

    from mlops_assets.notebook import Workbench

    bench = Workbench.open("income")
    bench.rows("people"), bench.training_view(), bench.versions()
    bench.at("main~3").rows("people")
    variant = bench.branch("dev-alice").train(recipe=…)
    variant.judge().gates

Reading never changes anything; writing happens on the branch alone. Tables come as pandas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.errors import LakeError, RegistryError
from mlops_assets.contract.paths import folder_of, validated_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.gate_decision import GateDecision
from mlops_assets.judge.significance import Comparison
from mlops_assets.lake.batches import EVERY_BATCH, Wanted, batch_files
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import DEFAULT_BRANCH
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.lake.write import Write
from mlops_assets.steps.judge import judge
from mlops_assets.steps.step import Step, publish
from mlops_assets.steps.train import Provenance, train
from mlops_assets.steps.view import view
from mlops_assets.stores.code import git_state
from mlops_assets.stores.features import reading as feature_reading
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.models.listing import listed_versions
from mlops_assets.stores.models.recipe import read_view
from mlops_assets.stores.models.record import ModelRecord
from mlops_assets.stores.models.registry import load_evaluation, load_version
from mlops_assets.training.scoring import Scorer
from mlops_assets.use_cases import registry


def point_in_time_features(use_case: str, entities: pd.DataFrame | pa.Table, *, at: str | None = None) -> pd.DataFrame:
    """Every feature of ``entities`` as it was known at each row's ``event_time``, in the order of the rows.

    ``entities`` are rows with ``event_time`` and the columns that features read, or requests as the service takes them.
    ``at`` is a lake commit, branch or tag: give a commit to get the same answer for ever; the target branch by default.
    Raises FeatureError saying which columns are missing.
    """
    bench = Workbench.open(use_case)
    return (bench if at is None else bench.at(at)).features(entities)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A version as it answers, with the ``record`` of all that it came from."""

    record: ModelRecord
    scorer: Scorer

    def scores(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """The score of every row of ``features``, such as a training view; FeatureError names one that is missing."""
        return self.scorer.scores(pa.Table.from_pandas(features, preserve_index=False))


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the gates say of a version, and the paired comparison behind it."""

    version: str
    decision: GateDecision
    comparison: Comparison | None

    @property
    def passed(self) -> bool:
        """Whether it may become champion."""
        return self.decision.passed

    @property
    def gates(self) -> pd.DataFrame:
        """One row for each gate: whether it held, how grave it is, and why not."""
        told = [
            {
                "gate": each.name,
                "passed": each.passed,
                "severity": each.severity.value,
                "reasons": " ".join(each.reasons),
            }
            for each in self.decision.verdicts
        ]
        return pd.DataFrame(told, columns=["gate", "passed", "severity", "reasons"])

    @property
    def differences(self) -> pd.DataFrame:
        """Both models on the same rows, by metric and segment; ``gain`` is positive where the new one is better."""
        told = self.comparison.differences if self.comparison else ()
        columns = ["metric", "segment", "rows", "champion", "challenger", "gain", "lower", "upper"]
        rows = [{name: getattr(each, name) for name in columns} | {"verdict": each.verdict().value} for each in told]
        return pd.DataFrame(rows, columns=[*columns, "verdict"])


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A version that was trained on a branch from a changed declaration."""

    version: str
    use_case: UseCase
    lake: Lake

    def judge(self) -> Judged:
        """Judges it on test rows beside the champion, by every gate, and records that on the branch."""
        step = judge(self.lake.at(), use_case=self.use_case, version=self.version, now=datetime.now(UTC))
        _put(step, lake=self.lake, use_case=self.use_case, asset="evaluation")
        evaluation = load_evaluation(self.lake.at(), use_case=self.use_case.name, version=self.version)
        if evaluation is None:
            raise RegistryError(f"The evaluation of {self.version} is not on branch '{self.lake.target}'.")
        return Judged(version=self.version, decision=evaluation.record.decision, comparison=evaluation.comparison)


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """A use case as one commit of the lake shows it; ``at`` and ``branch`` answer others."""

    use_case: UseCase
    lake: Lake
    head: Snapshot

    @classmethod
    def open(cls, use_case: str, *, lake: Lake | None = None) -> Workbench:
        """The use case as the target branch shows it now; an unknown name is an error that lists the valid ones."""
        connected = lake or Lake.connect()
        return cls(use_case=registry.find(use_case), lake=connected, head=connected.at())

    def at(self, ref: str) -> Workbench:
        """The same as a commit, branch or tag shows it (``main~1``, the first digits of a commit)."""
        return replace(self, head=self.lake.at(ref))

    def log(self, folder: str = "", *, limit: int = 20) -> pd.DataFrame:
        """The newest commits that touched a folder of the use case, such as ``training_view``; newest first."""
        path = f"{self.use_case.name}/{folder.strip('/')}".rstrip("/") + "/"
        told = self.lake.log(path, limit=limit)
        return pd.DataFrame(
            [{"commit": each.id, "when": each.created, "message": each.message} for each in told],
            columns=["commit", "when", "message"],
        )

    def batches(self, source: str) -> list[str]:
        """The validated batches of a source, in order."""
        return list(batch_files(self.head, path=self._validated(source)))

    def rows(self, source: str, *, batches: list[str] | None = None) -> pd.DataFrame:
        """The validated rows of a source: of ``batches``, or all."""
        wanted = EVERY_BATCH if batches is None else Wanted.these(batches)
        found = batch_files(self.head, path=self._validated(source), wanted=wanted)
        if not found:
            raise LakeError(f"There is nothing in {folder_of(self._validated(source)(batch='x'))} at {self.head}.")
        local = self.head.local_files(list(found.values()))
        return pa.concat_tables([read_parquet(path) for path in local.values()], promote_options="default").to_pandas()

    def training_view(self) -> pd.DataFrame:
        """The matrix that models are trained and judged on: every labelled example with its features."""
        return read_view(self.head, use_case=self.use_case).to_pandas()

    def features(self, entities: pd.DataFrame | pa.Table) -> pd.DataFrame:
        """Every feature of ``entities`` as of each row's moment: see ``point_in_time_features``."""
        rows = entities if isinstance(entities, pa.Table) else pa.Table.from_pandas(entities, preserve_index=False)
        with duckdb.connect() as connection:
            return feature_reading.point_in_time_features(
                rows, use_case=self.use_case, snapshot=self.head, connection=connection
            ).to_pandas()

    def versions(self) -> pd.DataFrame:
        """Every model version with where it stands and what it was made from."""
        told = [
            {
                "version": each.record.version,
                "status": each.status.value,
                "trained": each.record.created_at,
                "data_commit": each.record.data_commit,
                "git_commit": each.record.git_commit,
                **each.record.metrics,
            }
            for each in listed_versions(self.head, use_case=self.use_case.name).versions
        ]
        return pd.DataFrame(told)

    def model(self, version: str | None = None) -> Model:
        """A version, checksums verified; the champion unless named."""
        name = self.use_case.name
        chosen = version or require_champion(self.head, use_case=name).version
        found = load_version(self.head, use_case=name, version=chosen)
        return Model(record=found.record, scorer=Scorer.open(found.files))

    def branch(self, name: str) -> Workbench:
        """A branch of the lake to work on: made from what this shows, without a copy; if it is there, gone on with."""
        if name not in {each.name for each in self.lake.branches()}:
            self.lake.branch(name, source=self.head.commit)
        return Workbench.open(self.use_case.name, lake=Lake.connect(replace(self.lake.settings, branch=name)))

    def train(self, **changes: Any) -> Variant:
        """Trains what the declaration gives with ``changes`` to its fields, such as ``recipe=``, on this branch.

        The training view is made anew from the branch's data first. Raises LakeError on ``main``, where runs train.
        """
        if self.lake.target == DEFAULT_BRANCH:
            raise LakeError("A variant is trained on a branch of its own: `.branch('dev-NAME')` makes one.")
        varied = replace(self.use_case, **changes)
        put = partial(_put, lake=self.lake, use_case=varied)
        put(view(self.lake.at(), use_case=varied, connect=duckdb.connect), asset="training_view")
        told = Provenance(git=git_state(), started_by="a notebook", clock=lambda: datetime.now(UTC))
        trained = train(self.lake.at(), use_case=varied, provenance=told)
        put(trained, asset="model")
        return Variant(version=trained.outcome.record.version, use_case=varied, lake=self.lake)

    def _validated(self, source: str) -> Any:
        return partial(validated_path, self.use_case.name, source=self.use_case.source(source).name)


def _put(step: Step[Any], *, lake: Lake, use_case: UseCase, asset: str) -> None:
    publish(step, lake=lake, write=Write(use_case=use_case.name, asset=asset))
