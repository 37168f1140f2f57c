"""The toy with a champion and what a retraining proposes, and moves of its pointer that package nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from mlops_assets.contract.retraining import Retrain, Shadow
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.tables import read_parquet
from mlops_assets.steps.judge import judge
from mlops_assets.steps.move_champion import Moves
from mlops_assets.steps.promote import promote
from mlops_assets.steps.train import Provenance, train
from mlops_assets.steps.view import view
from mlops_assets.stores.code import git_state
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.models.proposal import Proposal, proposal
from mlops_assets.stores.models.recipe import current_version
from mlops_assets.stores.predictions.pairs import PAIRS, append_pairs
from mlops_assets.stores.serving_orders import ServingOrders, WorkerStatus
from mlops_assets_tests.orchestration.toy import PARCELS, day_number
from mlops_assets_tests.steps.played import DAYS, Loop

THEN = datetime(2024, 3, 13, 12, tzinfo=UTC)
PLAN = Retrain(every=timedelta(days=28), cooldown=timedelta(days=14), trial=Shadow(days=1))
TRIED = replace(PARCELS, retrain=PLAN)
REASON = "The champion was trained 28 days ago."
LIVE = day_number(12)


@dataclass(frozen=True, kw_only=True)
class Unpackaged(Moves):
    """Moves without a Bento, which needs a use case with a folder of its own."""

    def make_ready(self, version: str) -> object:
        """Nothing."""
        return None


def moves(loop: Loop, *, use_case: UseCase = TRIED) -> Moves:
    return Unpackaged(
        lake=loop.lake, use_case=use_case, data_dir=loop.data, folder=loop.data, connect=duckdb.connect, now=THEN
    )


def with_champion(loop: Loop) -> None:
    """Ten days and a champion."""
    loop.take(DAYS)
    loop.train()


def challenge(loop: Loop, *, use_case: UseCase = TRIED) -> str:
    """Two days more and a version that is judged; its id."""
    loop.take([day_number(10), day_number(11)])
    return train_and_judge(loop, use_case=use_case)


def train_and_judge(loop: Loop, *, use_case: UseCase) -> str:
    """A version of all that has landed; its id."""
    loop.put("training_view", view(loop.lake.at(), use_case=use_case, connect=duckdb.connect))
    provenance = Provenance(git=git_state(), started_by="a notebook", clock=lambda: THEN)
    loop.put("model", train(loop.lake.at(), use_case=use_case, provenance=provenance))
    loop.put("evaluation", judge(loop.lake.at(), use_case=use_case, now=THEN))
    return current_version(loop.lake.at(), use_case=use_case)


def with_proposal(loop: Loop, *, use_case: UseCase = TRIED) -> None:
    """A champion, and a challenger that a retraining proposes."""
    with_champion(loop)
    challenge(loop, use_case=use_case)
    step = promote(loop.lake, use_case=use_case, by="a notebook", at=THEN, retraining=REASON)
    assert all(check.passed for check in step.checks), step.checks


def proposed(loop: Loop) -> Proposal:
    found = proposal(loop.lake.at(), use_case="parcels")
    assert found is not None
    return found


def serving(loop: Loop) -> str:
    return require_champion(loop.lake.at(), use_case="parcels").version


def orders(loop: Loop) -> ServingOrders:
    return ServingOrders(loop.data, use_case="parcels")


def run_service(loop: Loop) -> None:
    """Lets a worker say that it runs."""
    orders(loop).say(WorkerStatus(host="here", pid=7, at=THEN, since=THEN, version=serving(loop)))


def serve_in_shadow(loop: Loop, *, opposite: bool, outcomes: bool = True) -> None:
    """A day is answered; the shadow says the same, or the opposite; and what turned out to be true lands."""
    loop.serve(LIVE)
    loop.collect()
    files = loop.lake.at().local_many("parcels/prediction_log/").values()
    pairs = [
        {
            "prediction_id": row["prediction_id"],
            "example_id": row["example_id"],
            "champion": row["model_version"],
            "champion_score": row["score"],
            "challenger_score": 1 - row["score"] if opposite else row["score"],
        }
        for row in pa.concat_tables([read_parquet(path) for path in files]).to_pylist()
    ]
    table: Any = pa.Table.from_pylist(pairs, schema=PAIRS)
    append_pairs(orders(loop).pairs(proposed(loop).version), table)
    if outcomes:
        loop.take([LIVE])
