"""What one answer is made of; served over HTTP and in process it is tested in ``mlops_assets_tests/serving``."""

from __future__ import annotations

from mlops_assets.contract.paths import prediction_log_folder
from mlops_assets.lake.tables import read_parquet
from mlops_assets_tests.steps.played import NOW, SERVED, Loop


def test_each_answer_says_what_it_was_made_of(served: Loop) -> None:
    served.collect()

    head = served.lake.at()
    (info,) = head.paths(prediction_log_folder("parcels"))
    rows = read_parquet(head.local(info.path)).to_pylist()
    assert [row["prediction_id"] for row in rows] == [f"p{number}" for number in range(60)]
    assert {row["answered_at"] for row in rows} == {NOW}
    assert {row["history_as_of"] for row in rows} == {SERVED}
    assert all(row["inputs"] and row["features"] for row in rows)
