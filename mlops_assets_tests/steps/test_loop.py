"""The loop after the champion, step by step: answered, collected, watched, scored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.contract.errors import LakeError, RegistryError
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.models.registry import load_record
from mlops_assets.watch.monitoring import MonitoringReport
from mlops_assets_tests.orchestration.deployment import copy_deployment, let_go
from mlops_assets_tests.steps.played import DAYS, SERVED, Loop


@cache
def _served(folder: Path) -> Path:
    loop = Loop(data=folder)
    loop.take(DAYS)
    loop.train()
    loop.serve(SERVED)
    let_go(folder)
    return folder


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Loop]:
    """A champion that has answered a day whose outcomes nobody knows yet."""
    template = _served(tmp_path_factory.getbasetemp() / "served-by-steps")
    loop = Loop(data=copy_deployment(template, to=tmp_path / "data"))
    yield loop
    let_go(loop.data)


def report(loop: Loop) -> MonitoringReport:
    """What is published of the served day."""
    return MonitoringReport.from_json(loop.lake.at().read(f"parcels/monitoring/{SERVED}.json"))


def test_what_was_answered_is_collected_and_equals_the_offline_road(served: Loop) -> None:
    collected, _ = served.watch(SERVED)

    (parity,) = collected.checks
    assert parity.passed
    assert parity.figures["compared"] == 60
    assert [batch.rows.num_rows for batch in collected.outcome.batches] == [60]
    assert report(served).rows == 60
    assert report(served).realised == {}


def test_the_scores_of_a_batch_are_those_that_were_served(served: Loop) -> None:
    served.watch(SERVED)
    served.take([SERVED])

    served.score(SERVED)

    head = served.lake.at()
    scored = read_parquet(head.local(f"parcels/predictions/{SERVED}.parquet"))
    (path,) = head.paths(f"parcels/prediction_log/{SERVED}/")
    log = read_parquet(head.local(path.path))
    answered = dict(zip(log["example_id"].to_pylist(), log["score"].to_pylist(), strict=True))
    assert dict(zip(scored["id"].to_pylist(), scored["score"].to_pylist(), strict=True)) == answered


def test_the_prior_is_the_share_of_positives_that_was_learnt_from_on_the_rows_that_are_known(served: Loop) -> None:
    served.take([SERVED])

    served.watch(SERVED)

    realised: Any = report(served).realised
    learnt = load_record(served.lake.at(), use_case="parcels", version=report(served).model_version).split["train"]
    prior, late = learnt.positives / learnt.rows, realised["overall"]["positives"] / realised["overall"]["rows"]
    assert realised["overall"]["rows"] == 60
    expected = -late * math.log(prior) - (1 - late) * math.log(1 - prior)
    assert realised["prior"]["log_loss"] == pytest.approx(expected, rel=1e-12)
    assert realised["prior"]["brier_loss"] == pytest.approx(late * (1 - prior) ** 2 + (1 - late) * prior**2, rel=1e-12)
    assert realised["overall"]["metrics"]["log_loss"]["value"] < realised["prior"]["log_loss"]


def test_a_day_on_which_nothing_was_served_says_what_to_do(served: Loop) -> None:
    with pytest.raises(LakeError, match=f"Nothing served for {DAYS[0]} was collected yet: serve, then materialise"):
        served.watch(DAYS[0])


def test_scoring_needs_a_champion(tmp_path: Path) -> None:
    loop = Loop(data=tmp_path)
    loop.take(DAYS[:2])

    with pytest.raises(RegistryError, match="parcels has no champion yet: materialise parcels/champion"):
        loop.score(DAYS[0])

    let_go(tmp_path)
