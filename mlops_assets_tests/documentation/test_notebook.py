"""The notebook runs from its first cell to its last on a small deployment, and leaves the target branch as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import nbformat
import pytest
from nbclient import NotebookClient

from mlops_assets.contract.errors import DeclarationError, LakeError
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeSettings
from mlops_assets.lake.write import Write
from mlops_assets.notebook import Workbench
from mlops_assets.steps.judge import judge
from mlops_assets.steps.land import land
from mlops_assets.steps.promote import promote
from mlops_assets.steps.step import Step, publish
from mlops_assets.steps.train import Provenance, train
from mlops_assets.steps.validate import validate
from mlops_assets.steps.view import view
from mlops_assets.stores.code import git_state
from mlops_assets.stores.landing.landing import LandingZone
from mlops_assets.use_cases.income import USE_CASE
from mlops_assets.use_cases.income.seed import land_seed
from mlops_assets_tests.documented import DOCS
from mlops_assets_tests.orchestration.deployment import FOREIGN_SETTINGS, let_go

pytestmark = pytest.mark.slow

NOTEBOOK = DOCS / "notebook.ipynb"
QUICK = replace(USE_CASE, recipe=replace(USE_CASE.recipe, rounds=60))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Two drops that were taken in one after the other, and a champion trained on both."""
    data = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_DATA_DIR", str(data))
        patch.setenv("LAKECTL_CONFIG_FILE", str(data / "none"))
        for name in FOREIGN_SETTINGS:
            patch.delenv(name, raising=False)
        made = Lake.connect(LakeSettings.embedded(data))
        for drop in ("data-1", "data-2"):
            _take(made, drop, zone=data / "landing")
        _train(made)
        yield made
        let_go(data)


def _take(lake: Lake, drop: str, *, zone: Path) -> None:
    land_seed(zone, first=drop, last=drop)
    source = QUICK.source("people")
    _put(lake, "raw", land(lake.at(), use_case=QUICK, source=source, batches=[drop], zone=LandingZone(zone)))
    judged = validate(lake.at(), use_case=QUICK, source=source, batches=[drop], connect=duckdb.connect)
    _put(lake, "validated", judged)


def _train(lake: Lake) -> None:
    provenance = Provenance(git=git_state(), started_by="a test", clock=lambda: NOW)
    _put(lake, "training_view", view(lake.at(), use_case=QUICK, connect=duckdb.connect))
    _put(lake, "model", train(lake.at(), use_case=QUICK, provenance=provenance))
    _put(lake, "evaluation", judge(lake.at(), use_case=QUICK, now=NOW))
    promoted = promote(lake, use_case=QUICK, by="a test", at=NOW)
    assert promoted.outcome is not None, promoted.checks


def _put(lake: Lake, asset: str, step: Step[Any]) -> None:
    publish(step, lake=lake, write=Write(use_case=QUICK.name, asset=asset))


def test_the_notebook_runs_through_and_writes_to_its_branch_alone(lake: Lake) -> None:
    notebook, before = nbformat.reads(NOTEBOOK.read_text(encoding="utf-8"), as_version=4), lake.head()

    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()

    after = Lake.connect(lake.settings)
    assert after.head() == before
    assert "dev-notebook" in {branch.name for branch in after.branches()}
    said = "".join(str(each.get("text", "")) for cell in notebook.cells for each in cell.get("outputs", ()))
    assert "may become champion" in said or "is refused" in said


def test_a_variant_is_not_trained_on_the_target_branch(lake: Lake) -> None:
    bench = Workbench.open("income", lake=Lake.connect(lake.settings))

    with pytest.raises(LakeError, match="branch of its own"):
        bench.train()


def test_a_source_that_is_none_is_refused_with_those_there_are(lake: Lake) -> None:
    with pytest.raises(DeclarationError, match="Sources of income: people"):
        Workbench.open("income", lake=Lake.connect(lake.settings)).rows("persons")
