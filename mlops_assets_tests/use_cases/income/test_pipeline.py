"""Income goes the same way as every use case: landed, validated, learnt, judged, promoted. No time axis, no history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.registry import load_evaluation, load_version
from mlops_assets.training.fit import weights_of
from mlops_assets.training.tuning import TunedRecipe
from mlops_assets.use_cases.income import USE_CASE
from mlops_assets.use_cases.income.seed import land_seed
from mlops_assets_tests.orchestration.deployment import FOREIGN_SETTINGS, Deployment, let_go

pytestmark = pytest.mark.slow

QUICK = replace(USE_CASE, recipe=replace(USE_CASE.recipe, rounds=60))


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LAKECTL_CONFIG_FILE", str(tmp_path / "no-such-file"))
    for name in FOREIGN_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Deployment(data=tmp_path, instance=instance, use_case=QUICK)
    let_go(tmp_path)


def test_people_land_in_drops_and_end_as_a_champion_that_scores_them(deployment: Deployment) -> None:
    land_seed(deployment.data / "landing", first="data-1", last="data-2")
    land_seed(deployment.data / "landing", first="test-01", last="test-01")

    batches = [batch for run in deployment.ingest() for batch in run.batches]
    deployment.run("train", assets=["training_view"])
    deployment.run("tune", ops={"income__hyperparameters": {"config": {"trials": 2}}})
    deployment.train()
    deployment.run("score", "test-01")

    assert batches == ["data-1", "data-2", "test-01"]
    head = deployment.lake.at()
    view = read_parquet(head.local("income/training_view/view.parquet"))
    assert view.num_rows == 2 * 8192 + 1024
    assert "event_time" not in view.column_names
    assert weights_of(view, use_case=QUICK) is not None
    serving = champion(head, use_case="income")
    assert serving is not None
    found = TunedRecipe.from_json(head.read("income/hyperparameters.json"))
    trained = load_version(head, use_case="income", version=serving.version).record
    assert (trained.tuning.study if trained.tuning else None, len(found.trials)) == (found.study, 2)
    evaluation = load_evaluation(head, use_case="income", version=serving.version)
    assert evaluation is not None
    auc = evaluation.report.overall.metrics["roc_auc_score"]
    assert auc.value is not None
    assert auc.value > 0.9
    assert {"sex", "race", "sex_race"} <= {each.slice for each in evaluation.report.segments}
    assert read_parquet(head.local("income/predictions/test-01.parquet")).num_rows == 1024
