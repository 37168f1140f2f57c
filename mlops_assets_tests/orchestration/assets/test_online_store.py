"""The online store's asset tells when what it holds is older than it could be."""

from __future__ import annotations

from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import day_number

TAKEN_IN = ["raw_parcels", "raw_roads", "validated_parcels", "validated_roads"]


def test_a_validated_day_without_its_history_makes_the_store_stale_but_not_wrong(ingested: Deployment) -> None:
    fresh = ingested.run("ingest", day_number(9), assets=["online_store"])
    ingested.land(10)
    ingested.run("ingest", day_number(10), assets=TAKEN_IN)

    stale = ingested.run("ingest", day_number(10), assets=["online_store"])

    assert all(check.passed for check in fresh.checks)
    (failed,) = [check for check in stale.checks if not check.passed]
    assert failed.check_name == "is_fresh"
    assert f"{day_number(10)} is validated: materialise history" in (failed.description or "")
