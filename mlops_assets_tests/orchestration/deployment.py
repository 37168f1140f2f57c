"""A deployment of the toy for one test: data folder, Dagster instance, and the few things a person does to them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.connection import embedded_server
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeSettings
from mlops_assets.lake.tables import read_parquet
from mlops_assets.orchestration.build import build_definitions
from mlops_assets.orchestration.jobs import WATCH, job_name
from mlops_assets.orchestration.partitions import RANGE_END, RANGE_START, add_served_days
from mlops_assets.orchestration.pipeline import ingest
from mlops_assets.orchestration.runs import RunSummary, run_job
from mlops_assets_tests.orchestration.toy import CONTENTS, PARCELS, day_number, land

FOREIGN_SETTINGS = (
    "LAKEFS_ENDPOINT",
    "LAKECTL_SERVER_ENDPOINT_URL",
    "MLOPS_LAKE_BRANCH",
    "LAKEFS_REPOSITORY",
    "DAGSTER_HOME",
)
TRAINED = ("training_view", "model", "evaluation", "champion")
"""The train job without its package, which needs a use case with a folder of its own."""


class Silent:
    """A reporter that shows nothing."""

    @contextmanager
    def assets(self, what: str, *, names: Sequence[str]) -> Iterator[Callable[[Sequence[str]], None]]:
        """Tells nobody."""
        yield lambda done: None


@dataclass(kw_only=True)
class Deployment:
    """One data folder with one Dagster instance that works on it. The environment must name the folder."""

    data: Path
    instance: dg.DagsterInstance
    use_case: UseCase = PARCELS

    @property
    def lake(self) -> Lake:
        """The lake as a reader sees it."""
        return Lake.connect(LakeSettings.from_environment())

    def land(self, first: int, last: int | None = None, *, sources: Sequence[str] | None = None) -> None:
        """Lands the toy's days by number, and the depots."""
        land(
            self.data / "landing",
            first=day_number(first),
            last=day_number(first if last is None else last),
            sources=sources,
        )

    def drop(self, content: bytes, *, source: str, batch: str) -> Path:
        """Puts a file into the landing zone as a careless system would."""
        path = self.data / "landing" / "parcels" / source / f"{batch}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def ingest(self) -> list[RunSummary]:
        """As `mlops run --ingest-only`."""
        return ingest(self.use_case, instance=self.instance, steps=Silent())

    def run(self, job: str, *batches: str, assets: Sequence[str] | None = None, **config: Any) -> RunSummary:
        """Runs a job; raises what it fails with."""
        self._know(job, batches)
        return run_job(
            self.use_case, job=job, instance=self.instance, batches=batches, assets=assets, run_config=config or None
        )

    def train(self, use_case: UseCase | None = None) -> RunSummary:
        """Trains, evaluates and promotes."""
        return replace(self, use_case=use_case or self.use_case).run("train", assets=TRAINED)

    def execute(self, job: str, *batches: str) -> dg.ExecuteInProcessResult:
        """Runs a job that may fail, and answers everything Dagster recorded of it."""
        self._know(job, batches)
        resolved = build_definitions([self.use_case]).resolve_job_def(job_name(self.use_case, job))
        return resolved.execute_in_process(
            instance=self.instance,
            partition_key=batches[0] if len(batches) == 1 else None,
            tags={RANGE_START: batches[0], RANGE_END: batches[-1]} if len(batches) > 1 else {},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )

    def _know(self, job: str, batches: Sequence[str]) -> None:
        if job == WATCH and batches:
            add_served_days(self.use_case, batches, instance=self.instance)

    def table(self, path: str, *, ref: str | None = None) -> pa.Table:
        """A Parquet file of the lake."""
        return read_parquet(self.lake.at(ref).local(f"parcels/{path}"))

    def paths(self, prefix: str) -> list[str]:
        """The lake's paths below a folder of the toy, without the use case."""
        return [info.path.removeprefix("parcels/") for info in self.lake.at().paths(f"parcels/{prefix}")]

    def commits(self) -> list[str]:
        """What has been published, oldest first, as asset names."""
        return [found.metadata["asset"] for found in reversed(self.lake.log(limit=1000)) if "asset" in found.metadata]

    def stage_branches(self) -> list[str]:
        """The branches of writes that were not published."""
        return [branch.name for branch in self.lake.branches() if branch.staged]


def content(source: str, batch: str) -> bytes:
    """What the toy's systems send."""
    return CONTENTS[source](batch)


def copy_deployment(template: Path, *, to: Path) -> Path:
    """A data folder with everything another one holds; the lake's server on the template must have ended."""
    return Path(shutil.copytree(template, to))


def let_go(data: Path) -> None:
    """Ends this process's lake server on a data folder."""
    if (data / "lake").exists():
        embedded_server(data / "lake").close()
