"""Versions with where they stand, damaged ones among them."""

from __future__ import annotations

from mlops_assets.contract.paths import evaluation_path, model_path
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.models.listing import Status, listed_versions
from mlops_assets_tests.stores.models.factories import overwrite, promoted, publish_evaluation, publish_version


def test_every_version_is_listed_with_where_it_stands(lake: Lake) -> None:
    for version in ("v1", "v2", "v3", "v4", "v5"):
        publish_version(lake, version)
    publish_evaluation(lake, "v1")
    publish_evaluation(lake, "v2", champion="v1")
    promoted(lake, "v1")
    promoted(lake, "v2")
    publish_evaluation(lake, "v3", champion="v2")
    publish_evaluation(lake, "v4", champion="v2", passed=False)

    listed = {each.record.version: each.status for each in listed_versions(lake.at(), use_case="flights").versions}

    assert listed == {
        "v1": Status.RETIRED,
        "v2": Status.CHAMPION,
        "v3": Status.CHALLENGER,
        "v4": Status.REJECTED,
        "v5": Status.UNEVALUATED,
    }


def test_a_version_whose_decision_cannot_be_read_is_listed_as_not_evaluated(lake: Lake) -> None:
    publish_version(lake, "v1")
    publish_evaluation(lake, "v1")
    overwrite(lake, evaluation_path("flights", version="v1", name="decision.json"), b"{}")

    (found,) = listed_versions(lake.at(), use_case="flights").versions

    assert (found.status, found.decision) == (Status.UNEVALUATED, None)


def test_a_version_whose_record_cannot_be_read_is_named_and_hides_no_other(lake: Lake) -> None:
    for version in ("v1", "v2"):
        publish_version(lake, version)
    path = model_path("flights", version="v1", name="record.json")
    overwrite(lake, path, b"{ not json")

    listing = listed_versions(lake.at(), use_case="flights")

    assert [each.record.version for each in listing.versions] == ["v2"]
    assert set(listing.unreadable) == {"v1"}
    assert path in listing.unreadable["v1"]
