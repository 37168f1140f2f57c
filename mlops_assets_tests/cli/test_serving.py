"""`mlops serve` before there is anything to serve; `serve` and `dev` themselves are started by the end-to-end tests."""

from __future__ import annotations

import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment


def test_serving_without_a_champion_says_how_to_get_one(run_mlops: Mlops, ingested: Deployment) -> None:
    with pytest.raises(ServingError, match="parcels has no champion yet: `mlops run parcels`"):
        run_mlops("serve", "parcels")


def test_serving_a_champion_that_is_not_packaged_here_says_how_to_package_it(
    run_mlops: Mlops, trained: Deployment
) -> None:
    with pytest.raises(ServingError, match=r"is not packaged here: materialise parcels/bento"):
        run_mlops("serve", "parcels")
