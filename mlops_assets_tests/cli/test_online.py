"""`mlops online`: the store that serving looks up, rebuilt from the lake and verified against it."""

from __future__ import annotations

import pytest

from mlops_assets.contract.errors import PlatformError
from mlops_assets.orchestration.resources import DataResource
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS, day_number


def test_a_lost_online_store_is_rebuilt_from_the_lake_and_verified(run_mlops: Mlops, trained: Deployment) -> None:
    for path in (trained.data / "online").rglob("*.*"):
        path.unlink()

    rebuilt = run_mlops("online", "rebuild", "parcels").output
    verified = run_mlops("online", "verify", "parcels").output

    assert f"As of {day_number(10)}" in rebuilt
    assert "2 entities have a history" in rebuilt
    assert "Every value equals the lake's" in verified
    with DataResource().online_store(PARCELS) as online:
        assert online.current is not None


def test_verifying_says_that_the_lake_has_moved_on(run_mlops: Mlops, trained: Deployment) -> None:
    trained.land(10)
    trained.run("ingest", day_number(10), assets=["raw_parcels"])

    assert "The lake has moved on to" in run_mlops("online", "verify", "parcels").output


def test_an_empty_store_is_not_said_to_be_right(run_mlops: Mlops, empty: Deployment) -> None:
    with pytest.raises(PlatformError):
        run_mlops("online", "verify", "parcels")
