"""A batch is scored as it was answered."""

from __future__ import annotations

import pytest

from mlops_assets.contract.errors import RegistryError
from mlops_assets.lake.tables import read_parquet
from mlops_assets_tests.steps.played import DAYS, SERVED, Loop


def test_the_scores_of_a_batch_are_those_that_were_served(served: Loop) -> None:
    served.collect()
    served.take([SERVED])

    served.score(SERVED)

    head = served.lake.at()
    scored = read_parquet(head.local(f"parcels/predictions/{SERVED}.parquet"))
    (path,) = head.paths("parcels/prediction_log/")
    log = read_parquet(head.local(path.path))
    answered = dict(zip(log["example_id"].to_pylist(), log["score"].to_pylist(), strict=True))
    assert dict(zip(scored["id"].to_pylist(), scored["score"].to_pylist(), strict=True)) == answered


def test_scoring_needs_a_champion(empty: Loop) -> None:
    empty.take(DAYS[:2])

    with pytest.raises(RegistryError, match="parcels has no champion yet: materialise parcels/champion"):
        empty.score(DAYS[0])
