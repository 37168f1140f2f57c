"""Small models, history and checkouts for the service's tests; and a client that asks it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.matrix import learn_vocabulary
from mlops_assets.features.online_view import OnlineHistory, OnlineView
from mlops_assets.stores.features.online import OnlineStore
from mlops_assets.stores.features.online_sqlite import SqliteBackend
from mlops_assets.stores.models.bento_store import checksum
from mlops_assets.stores.models.recorded_answers import recorded_answers
from mlops_assets.stores.predictions.prediction_log import prediction_log_of
from mlops_assets.training.booster import train
from mlops_assets.training.scoring import Scorer
from mlops_assets_tests.serving.toys.parcels import USE_CASE as PARCELS

ROOT = Path(__file__).parents[2]
TOYS = Path(__file__).parent / "toys"
VERSION = "2013-06-30-3fa9c1d2"
COMMIT = "c0ffee" * 10
TAG = f"parcels:{VERSION}"


def make_checkout(folder: Path) -> Path:
    """A checkout in which the toys are use cases."""
    leave = shutil.ignore_patterns("__pycache__", "flights")
    shutil.copytree(ROOT / "mlops_assets", folder / "mlops_assets", ignore=leave)
    for toy in ("parcels", "quiet"):
        shutil.copytree(TOYS / toy, folder / "mlops_assets" / "use_cases" / toy, ignore=leave)
    return folder


def make_parcel(**overrides: Any) -> dict[str, Any]:
    return {"depot": "EWR", "weight": 2.5, "sent_at": "2013-07-01T08:30:00", **overrides}


def make_model_files(
    folder: Path, *, use_case: UseCase = PARCELS, version: str = VERSION, seed: int = 7
) -> dict[str, Path]:
    """A trained model's files: lateness rises with weight and with the depot's history."""
    draw = np.random.default_rng(seed)
    rows = 600
    if use_case is PARCELS:
        weight, rate = draw.uniform(0.1, 30, rows), draw.uniform(0, 1, rows)
        columns = {
            "depot": draw.choice(["EWR", "JFK", "LGA"], rows),
            "weight": weight,
            "is_heavy": (weight > 10).astype(float),
            "depot__late_rate_7d": rate,
            "depot__parcels_7d": draw.integers(1, 50, rows).astype(float),
        }
        labels = (draw.uniform(size=rows) < (weight / 30 + rate) / 2).astype(float)
    else:
        age = draw.integers(18, 80, rows).astype(float)
        columns = {"age": age, "job": draw.choice(["clerk", "pilot"], rows), "age_squared": age**2}
        labels = (draw.uniform(size=rows) < age / 100).astype(float)
    return model_files(pa.table(columns), labels=labels, use_case=use_case, folder=folder, version=version)


def model_files(
    table: pa.Table, *, labels: Any, use_case: UseCase, folder: Path, version: str = VERSION
) -> dict[str, Path]:
    """The files of a model that was trained on ``table``."""
    vocabulary = learn_vocabulary(table, features=use_case.features)
    matrix = vocabulary.encode(table, features=use_case.features)
    trained = train(
        matrix,
        labels,
        validation=(matrix, labels),
        hyperparameters={"max_depth": 3},
        rounds=20,
        early_stopping_rounds=5,
        seed=1,
        threads=1,
    )
    folder.mkdir(parents=True, exist_ok=True)
    record = {"version": version, "threshold": 0.5, "lake_commit": COMMIT}
    (folder / "model.ubj").write_bytes(trained.booster)
    (folder / "vocabulary.json").write_text(vocabulary.to_json())
    (folder / "record.json").write_text(json.dumps(record))
    return {name: folder / name for name in ("model.ubj", "vocabulary.json", "record.json")}


def make_history(*, as_of: date = date(2013, 7, 1), late_rate: float = 0.5) -> OnlineView:
    """History of the depots EWR and JFK; LGA has none."""
    depots = OnlineHistory(
        name="depot",
        keys=("depot",),
        columns=("depot__late_rate_7d", "depot__parcels_7d"),
        entities=["EWR", "JFK"],
        values=np.array([[late_rate, 40.0], [0.1, 30.0]]),
    )
    return OnlineView(as_of=as_of, history=(depots,), side=())


def refresh_online_store(data_dir: Path, view: OnlineView, *, commit: str = COMMIT) -> None:
    store = OnlineStore(SqliteBackend(data_dir / "online" / "parcels.sqlite"))
    store.refresh(view, commit=commit)
    store.close()


def feature_rows(rows: int = 60) -> pa.Table:
    """Rows of features as a model of parcels reads them."""
    draw = np.random.default_rng(3)
    weight = draw.uniform(0.1, 30, rows)
    return pa.table(
        {
            "depot": draw.choice(["EWR", "JFK", "XXX"], rows),
            "weight": weight,
            "is_heavy": weight > 10,
            "depot__late_rate_7d": np.where(weight > 20, np.nan, draw.uniform(0, 1, rows)),
            "depot__parcels_7d": draw.integers(1, 50, rows),
        }
    )


def order_of(files: Mapping[str, Path], *, rows: pa.Table | None = None) -> dict[str, Any]:
    """What a service is told of the version in ``files``: its id, checksums and answers on record."""
    scorer = Scorer.open({name: path.read_bytes() for name, path in files.items()})
    return {
        "version": json.loads(files["record.json"].read_text())["version"],
        "checksums": {name: checksum(path) for name, path in files.items()},
        "answers": recorded_answers(scorer, feature_rows() if rows is None else rows),
        "at": datetime.now(UTC),
        "by": "ada",
    }


def recorded(data_dir: Path, *, use_case: str = "parcels") -> list[dict[str, Any]]:
    """What the prediction log of a deployment holds, in order."""
    log = prediction_log_of(use_case, folder=data_dir)
    rows: list[dict[str, Any]] = log.read_after(0, limit=1_000_000).to_pylist()
    log.close()
    return rows
