"""The training view tells where its columns come from, and is not published when a feature knows the label."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.judge.leakage import REQUEST_ONLY
from mlops_assets.judge.single_features import NOT_TOO_GOOD
from mlops_assets.orchestration.runs import RunFailed
from mlops_assets.stores.models.feature_catalogue import read_catalogue
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS, day_number

VIEW = ["training_view"]


def test_columns_are_traced_to_validated_sources_and_leakage_is_looked_for(ingested: Deployment) -> None:
    run = ingested.run("train", assets=VIEW)

    lineage = run.metadata["training_view"]["dagster/column_lineage"]
    assert isinstance(lineage, dg.TableColumnLineage)
    found = {
        name: {f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps}
        for name, deps in lineage.deps_by_column.items()
    }
    assert found["roads__snow"] == {"parcels/validated_roads.snow"}
    assert found["depot__late_rate_3d"] == {"parcels/validated_parcels.minutes_late"}
    assert {check.check_name for check in run.checks if check.passed} >= {NOT_TOO_GOOD, REQUEST_ONLY}


def test_a_feature_that_tells_the_label_is_named_and_nothing_is_published(ingested: Deployment) -> None:
    strict = replace(PARCELS, suspicious_roc_auc=0.6)

    with pytest.raises(RunFailed, match="'weight' alone ranks the label"):
        replace(ingested, use_case=strict).run("train", assets=VIEW)

    assert ingested.paths("training_view/") == []


def test_a_page_and_a_profile_of_all_features_come_with_the_view(ingested: Deployment) -> None:
    run = ingested.run("train", assets=VIEW)

    told = run.metadata["training_view"]
    page = Path(told["feature_catalogue_file"])
    assert page.parent == ingested.data / "reports" / "parcels"
    for feature in PARCELS.features:
        assert f"<h3>{feature.name}</h3>" in page.read_text(encoding="utf-8")
    found = read_catalogue(ingested.lake.at(), use_case=PARCELS)
    entries = {entry.name: entry for entry in found.entries}
    assert (found.through, found.rows, found.champion) == (day_number(9), told["rows"], None)
    assert entries["depot__late_rate_3d"].known_through == day_number(9)
    assert entries["depot__late_rate_3d"].lineage == ("parcels.minutes_late",)
    profile = entries["depot__late_rate_3d"].profile
    assert profile is not None
    assert 0 < profile.missing_share < 1
    assert sum(profile.shares) == pytest.approx(1, abs=1e-4)


def test_the_champions_importances_are_shares_of_its_gain(trained: Deployment) -> None:
    found = read_catalogue(trained.lake.at(), use_case=PARCELS)

    assert found.champion is not None
    assert sum(entry.importance or 0 for entry in found.entries) == pytest.approx(1)
