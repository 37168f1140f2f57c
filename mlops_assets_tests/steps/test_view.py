"""A training view reaches as far as it is told and is audited on what was staged."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pyarrow.compute as pc
import pytest

from mlops_assets.contract.errors import AuditFailed
from mlops_assets.steps.view import NOTHING_LATER, view
from mlops_assets.stores.features.offline import compute_features, reach_of_batch
from mlops_assets.stores.features.reading import point_in_time_features
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.steps.played import DAYS, Loop


def test_a_view_through_a_day_holds_nothing_later(served: Loop) -> None:
    made = view(served.lake.at(), use_case=PARCELS, connect=duckdb.connect, through=DAYS[5]).outcome

    assert made.manifest == {"first": DAYS[0], "last": DAYS[5], "batches": 6, "rows": 360}
    assert {moment.date().isoformat() for moment in made.table["event_time"].to_pylist()} == set(DAYS[:6])


def test_what_was_staged_is_computed_again_without_the_future(served: Loop) -> None:
    head = served.lake.at()

    checks = {check.name: check for check in view(head, use_case=PARCELS, connect=duckdb.connect).audit(head)}

    assert checks[NOTHING_LATER].passed
    assert checks[NOTHING_LATER].figures["rows"] == 60


def test_a_day_has_the_same_features_in_the_view_as_a_batch_and_asked_by_itself(served: Loop) -> None:
    head = served.lake.at()
    matrix = view(head, use_case=PARCELS, connect=duckdb.connect).outcome.table
    of_day = matrix.filter(pc.equal(pc.strftime(matrix["event_time"], "%Y-%m-%d"), DAYS[7]))
    names = ["id", "event_time", *(feature.name for feature in PARCELS.features)]
    reach, rows = reach_of_batch(PARCELS, batch=DAYS[7]), of_day.select(["id", "event_time", "depot", "weight"])

    with duckdb.connect() as connection:
        batch = compute_features(connection, head, use_case=PARCELS, reach=reach, rows=rows).table
    with duckdb.connect() as connection:
        asked = point_in_time_features(rows, use_case=PARCELS, snapshot=head, connection=connection)

    assert of_day.num_rows == 60
    assert batch.select(names).equals(of_day.select(names))
    assert asked.select(names).equals(of_day.select(names))


def test_a_feature_that_knows_the_label_is_not_published(served: Loop) -> None:
    strict = replace(PARCELS, suspicious_roc_auc=0.6)

    with pytest.raises(AuditFailed, match="'weight' alone ranks the label"):
        served.put("training_view", view(served.lake.at(), use_case=strict, connect=duckdb.connect))
