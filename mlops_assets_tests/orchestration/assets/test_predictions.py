"""A batch is scored by what the champion itself reads of a row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops_assets.contract.errors import PlatformError
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS, day_number

WITHOUT_SNOW = replace(PARCELS, features=tuple(each for each in PARCELS.features if each.name != "roads__snow"))


def test_a_champion_goes_on_scoring_when_a_feature_is_added(ingested: Deployment) -> None:
    ingested.train(WITHOUT_SNOW)

    ingested.run("score", day_number(9))

    assert ingested.table(f"predictions/{day_number(9)}.parquet").num_rows == 60


def test_a_champion_whose_feature_is_gone_is_named_with_what_to_do(trained: Deployment) -> None:
    with pytest.raises(PlatformError, match=r"needs column 'roads__snow'.*bring it back"):
        replace(trained, use_case=WITHOUT_SNOW).run("score", day_number(9))
