"""Promise 2 for flights: what the service computes for a flight is what training would have seen, to the bit."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.features.online_view import online_view
from mlops_assets.features.training_view import labelled_examples
from mlops_assets.serving.predictor import Predictor
from mlops_assets.stores.features.online import OnlineStore
from mlops_assets.stores.features.online_sqlite import SqliteBackend
from mlops_assets.stores.models.bento_store import checksum
from mlops_assets.stores.predictions.prediction_log import prediction_log_of
from mlops_assets.training.booster import load, score
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets_tests.use_cases.flights.seed_tables import seed_tables
from mlops_assets_tests.use_cases.flights.seed_view import quick_model, seed_view

SERVED = date(2013, 7, 1)
ASKED = ("carrier", "flight", "tailnum", "origin", "dest", "sched_arr_time", "distance")


def test_served_flights_have_the_features_and_scores_of_the_training_view(tmp_path: Path) -> None:
    connection = seed_tables(first=date(2013, 6, 17), last=SERVED)
    view = seed_view(connection, unlabelled=True)
    examples = labelled_examples(connection, examples_sql=USE_CASE.examples_sql, relations=USE_CASE.relations)
    served = pc.greater_equal(view["event_time"], pa.scalar(datetime(2013, 7, 1), pa.timestamp("us")))
    offline = view.filter(served)
    folder = tmp_path / "model"
    write_model(folder, view.filter(pc.and_(pc.invert(served), pc.is_valid(view["label"]))))
    store = OnlineStore(SqliteBackend(tmp_path / "online" / "flights.sqlite"))
    known = online_view(connection, as_of=SERVED, history=USE_CASE.history, asof=USE_CASE.asof)
    store.refresh(known, commit="c0ffee")
    store.close()
    connection.close()

    checksums = {path.name: checksum(path) for path in folder.iterdir()}
    predictor = Predictor.open(folder, use_case=USE_CASE, checksums=checksums, data_dir=tmp_path)
    answers = predictor.predict(requests(examples.filter(pc.is_in(examples["id"], offline["id"]))))
    predictor.close()

    matrix = predictor.answering.scorer.vocabulary.encode(offline, features=USE_CASE.features)
    expected = score(load((folder / "model.ubj").read_bytes()), matrix)
    assert len(answers) == offline.num_rows > 900
    assert np.array_equal([answer["score"] for answer in answers], expected)
    assert remembered(tmp_path) == {
        row["id"]: {feature.name: row[feature.name] for feature in USE_CASE.features} for row in offline.to_pylist()
    }


def write_model(folder: Path, view: pa.Table) -> None:
    trained, vocabulary = quick_model(view)
    folder.mkdir()
    (folder / "model.ubj").write_bytes(trained.booster)
    (folder / "vocabulary.json").write_text(vocabulary.to_json())
    (folder / "record.json").write_text(json.dumps({"version": "2013-06-30-3fa9c1d2", "threshold": 0.5}))


def requests(examples: pa.Table) -> list[Any]:
    return [
        USE_CASE.request.model_validate({"sched_dep_at": row["event_time"], **{name: row[name] for name in ASKED}})
        for row in examples.to_pylist()
    ]


def remembered(data_dir: Path) -> dict[str, dict[str, object]]:
    log = prediction_log_of("flights", folder=data_dir)
    rows = log.read_after(0, limit=10_000).to_pylist()
    log.close()
    return {row["example_id"]: json.loads(row["features"]) for row in rows}
