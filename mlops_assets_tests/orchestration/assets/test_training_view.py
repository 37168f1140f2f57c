"""The training view tells where its columns come from, and is not published when a feature knows the label."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg
import pytest

from mlops_assets.ml.leakage import NOT_TOO_GOOD, REQUEST_ONLY
from mlops_assets.orchestration.runs import RunFailed
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS

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
