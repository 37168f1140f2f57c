"""What a use case learns from its training rows besides the model is frozen with the version and answers with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlops_assets.contract.features import Feature
from mlops_assets.contract.learning import Learning, LearntTable
from mlops_assets.contract.use_case import UseCase
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.feature_catalogue import read_catalogue
from mlops_assets.stores.models.registry import load_version
from mlops_assets.training.fit import split_view
from mlops_assets.training.scoring import VOCABULARY, Scorer
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS

SHARES = """
-- One row per depot: its share of late parcels, drawn towards one half by two rows.
SELECT depot, (sum(label) + 1) / (count(*) + 2) AS late FROM training GROUP BY depot
"""
JOINED = "SELECT id, late AS depot_late FROM examples LEFT JOIN depot_shares USING (depot)"


def learning_parcels(folder: Path) -> UseCase:
    for name, text in {"depot_shares": SHARES, "learnt": JOINED}.items():
        (folder / f"{name}.sql").write_text(text)
    learning = Learning(
        tables=(LearntTable(name="depot_shares", sql=folder / "depot_shares.sql"),),
        sql=folder / "learnt.sql",
        features=(Feature(name="depot_late", kind="numeric", description="Late share.", owner="team:toys"),),
    )
    return replace(PARCELS, learning=learning)


def test_learnt_statistics_are_of_the_training_rows_and_answer_with_the_version(
    ingested: Deployment, tmp_path: Path
) -> None:
    use_case = learning_parcels(tmp_path)

    ingested.train(use_case)

    head = ingested.lake.at()
    serving = champion(head, use_case="parcels")
    assert serving is not None
    files = load_version(head, use_case="parcels", version=serving.version).files
    (table,) = json.loads(files[VOCABULARY])["learnt tables"]["tables"].values()
    view = ingested.table("training_view/view.parquet")
    rows = view.take(split_view(view, use_case=use_case).train.rows)
    depots, labels = np.array(rows["depot"].to_pylist()), rows["label"].to_numpy()
    for depot, late in zip(table["columns"]["depot"], table["columns"]["late"], strict=True):
        assert late == (labels[depots == depot].sum() + 1) / ((depots == depot).sum() + 2)
    scorer = Scorer.open(files)
    assert scorer.vocabulary.learnt is not None
    assert scorer.scores(view).shape == (view.num_rows,)
    listed = {entry.name: entry for entry in read_catalogue(head, use_case=use_case).entries}
    told = listed["depot_late"]
    assert told.made_by == "training rows"
    assert told.lineage == ("parcels.minutes_late",)
    assert told.profile is not None
    assert told.profile.missing_share == 0
    assert told.profile.edges[0] == pytest.approx(min(table["columns"]["late"]), rel=1e-5)
    assert sum(told.profile.shares) == pytest.approx(1, abs=1e-4)
