"""The toy played by calling steps and publishing what they answer: what a notebook or a cluster would do."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from mlops_assets.contract.paths import WHOLE
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeSettings
from mlops_assets.lake.write import Write
from mlops_assets.steps.aggregate import aggregate
from mlops_assets.steps.answer import Answering, rows_of
from mlops_assets.steps.collect import collect
from mlops_assets.steps.judge import judge
from mlops_assets.steps.land import land
from mlops_assets.steps.promote import promote
from mlops_assets.steps.refresh import refresh
from mlops_assets.steps.score import score
from mlops_assets.steps.step import Step, publish
from mlops_assets.steps.train import Provenance, train
from mlops_assets.steps.validate import validate
from mlops_assets.steps.view import view
from mlops_assets.steps.watch import watch
from mlops_assets.stores.code import git_state
from mlops_assets.stores.features.online import open_online_store
from mlops_assets.stores.landing.landing import LandingZone
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.models.registry import load_version
from mlops_assets.stores.predictions.prediction_log import prediction_log_of
from mlops_assets.stores.predictions.records import RecordGroup
from mlops_assets.training.scoring import Scorer
from mlops_assets_tests.orchestration import toy

NOW = datetime(2024, 3, 11, 12, tzinfo=UTC)
AFTERWARDS = NOW + timedelta(days=1)
DAYS, SERVED = [toy.day_number(number) for number in range(10)], toy.day_number(10)


@dataclass(frozen=True, kw_only=True)
class Loop:
    """One data folder of the toy, worked on by steps alone."""

    data: Path
    use_case: UseCase = toy.PARCELS

    @property
    def lake(self) -> Lake:
        """The lake in the folder."""
        return Lake.connect(LakeSettings.embedded(self.data))

    def put(self, name: str, step: Step[Any]) -> Any:
        """Publishes what a step made; what can be told of it."""
        publish(step, lake=self.lake, write=Write(use_case=self.use_case.name, asset=name))
        return step.outcome

    def take(self, batches: Sequence[str]) -> None:
        """From landed files to history."""
        toy.land(self.data / "landing", first=batches[0], last=batches[-1])
        for source in (*self.use_case.static, *self.use_case.arriving):
            of = [WHOLE] if source in self.use_case.static else batches
            told: dict[str, Any] = {"use_case": self.use_case, "source": source, "batches": of}
            self.put("raw", land(self.lake.at(), **told, zone=LandingZone(self.data / "landing")))
            self.put("validated", validate(self.lake.at(), **told, connect=duckdb.connect))
        made = aggregate(self.lake.at(), use_case=self.use_case, batches=batches, connect=duckdb.connect)
        self.put("history", made)

    def train(self) -> str:
        """From history to a champion; its version."""
        self.put("training_view", view(self.lake.at(), use_case=self.use_case, connect=duckdb.connect))
        provenance = Provenance(git=git_state(), started_by="a notebook", clock=lambda: NOW)
        self.put("model", train(self.lake.at(), use_case=self.use_case, provenance=provenance))
        self.put("evaluation", judge(self.lake.at(), use_case=self.use_case, now=NOW))
        promoted = promote(self.lake, use_case=self.use_case, by="a notebook", at=NOW)
        assert promoted.outcome is not None, promoted.checks
        return promoted.outcome.version

    def serve(self, batch: str) -> None:
        """Answers every request of a day from the online store and remembers it."""
        version = require_champion(self.lake.at(), use_case=self.use_case.name).version
        model = load_version(self.lake.at(), use_case=self.use_case.name, version=version)
        online, log = open_online_store("parcels", data=self.data), prediction_log_of("parcels", folder=self.data)
        refreshed = refresh(self.lake.at(), use_case=self.use_case, online=online, connect=duckdb.connect)
        assert all(check.passed for check in refreshed.checks), refreshed.checks
        asked = [self.use_case.request(**row) for row in toy.requests(batch)]
        answering = Answering(
            use_case=self.use_case,
            version=version,
            scorer=Scorer.open(model.files),
            threshold=model.record.threshold,
            online=online,
        )
        numbers = iter(f"p{number}" for number in range(len(asked)))
        answered = answering.answer(rows_of(asked), answered_at=NOW, new_id=numbers.__next__)
        log.append([RecordGroup(rows=answered.records, layout=answering.layout)], timeout=5)
        answering.close()
        log.close()
        online.close()

    def watch(self, day: str, *, now: datetime = AFTERWARDS) -> Step[Any]:
        """Collects what was served and watches the day, as far as it is over."""
        self.collect()
        watched = watch(
            self.lake.at(), use_case=self.use_case, days=[day], lake=self.lake, connect=duckdb.connect, now=now
        )
        self.put("monitoring", watched)
        return watched

    def collect(self, *, now: datetime = NOW) -> Step[Any]:
        """Collects what was served."""
        with self.collecting(now=now) as collected:
            self.put("prediction_log", collected)
        return collected

    @contextmanager
    def collecting(self, *, now: datetime = NOW) -> Iterator[Step[Any]]:
        """What is to be published of what was served; its files are there while the context lasts."""
        with closing(prediction_log_of("parcels", folder=self.data)) as log, TemporaryDirectory() as folder:
            yield collect(
                self.lake.at(),
                use_case=self.use_case,
                log=log,
                now=now,
                into=Path(folder),
                kept=timedelta(days=7),
            )

    def score(self, batch: str) -> None:
        """Scores a batch with the champion."""
        scored = score(self.lake.at(), use_case=self.use_case, batches=[batch], connect=duckdb.connect)
        self.put("predictions", scored)


def digests(lake: Lake) -> dict[str, str]:
    """The SHA-256 of every file of the toy in the lake."""
    head = lake.at()
    return {info.path: hashlib.sha256(head.read(info.path)).hexdigest() for info in head.paths("parcels/")}


def main(folder: str) -> None:
    """Trains, and prints the version and every file's digest."""
    loop = Loop(data=Path(folder))
    loop.take(DAYS)
    version = loop.train()
    sys.stdout.write(json.dumps({"version": version, "digests": digests(loop.lake)}))
