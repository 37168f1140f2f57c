"""What was served equals what the lake gives as of the same moment, to the bit; a difference is named."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.severity import Severity
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeSettings
from mlops_assets.stores.predictions.parity import audit_parity
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets_tests.stores.features.flights_lake import fill_lake, refresh_online, serve

Served = tuple[Lake, pa.Table]


@pytest.fixture(scope="module")
def served(lake_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """200 real flights answered by the service, and the lake that its history came from."""
    lake = Lake.connect(LakeSettings.embedded(lake_data, repository=f"test-{secrets.token_hex(6)}"))
    data = tmp_path_factory.mktemp("served")
    fill_lake(lake)
    refresh_online(lake, data)
    return lake, serve(lake, data)


def judged(served: Served, *, records: pa.Table | None = None) -> CheckResult:
    lake, found = served
    chosen = found if records is None else records
    return audit_parity(chosen, of=chosen.num_rows, use_case=USE_CASE, lake=lake, connect=duckdb.connect, seed=1)


def changed(records: pa.Table, *, row: int, change: Callable[[dict[str, Any]], object]) -> pa.Table:
    rows = records.to_pylist()
    change(rows[row])
    return pa.Table.from_pylist(rows, schema=records.schema)


def tampered(name: str, value: float) -> Callable[[dict[str, Any]], object]:
    def change(record: dict[str, Any]) -> None:
        record["features"] = json.dumps({**json.loads(record["features"]), name: value})

    return change


def test_served_flights_equal_the_offline_path_to_the_bit(served: Served) -> None:
    verdict = judged(served)
    assert verdict.passed, verdict.reasons
    assert verdict.figures["compared"] == 200
    assert verdict.figures["differing_values"] == 0


def test_a_tampered_feature_is_named_with_both_values(served: Served) -> None:
    features = json.loads(served[1]["features"][7].as_py())
    right = features["carrier__late_rate_28d"]
    wrong = right * (1 + 2**-52)
    records = changed(served[1], row=7, change=tampered("carrier__late_rate_28d", wrong))
    verdict = judged(served, records=records)
    assert verdict.blocks
    (reason,) = verdict.reasons
    prediction = served[1]["prediction_id"][7].as_py()
    assert reason == f"carrier__late_rate_28d of prediction {prediction} was {wrong!r}, offline it is {right!r}."


def test_a_tampered_score_is_named(served: Served) -> None:
    verdict = judged(served, records=changed(served[1], row=3, change=lambda record: record.update(score=0.5)))
    assert verdict.blocks
    assert verdict.reasons[0].startswith("score of prediction ")


def test_records_of_an_unreadable_commit_are_said_to_be_so(served: Served) -> None:
    gone = changed(served[1], row=3, change=lambda record: record.update(history_commit="f" * 64))
    verdict = judged(served, records=gone)
    assert not verdict.passed
    assert verdict.severity is Severity.WARN
    assert verdict.figures["compared"] == 199
    assert verdict.figures["not_comparable"] == 1
    assert "f" * 12 in " ".join(verdict.reasons)


def test_records_that_name_no_history_are_said_to_be_so(served: Served) -> None:
    records = changed(served[1], row=0, change=lambda record: record.update(history_commit=None))
    verdict = judged(served, records=records)
    assert verdict.severity is Severity.WARN
    assert verdict.reasons == ("Some records do not say which history they were answered from.",)


def test_inputs_that_are_no_request_any_more_are_said_to_be_so(served: Served) -> None:
    verdict = judged(served, records=changed(served[1], row=0, change=lambda record: record.update(inputs="{}")))
    assert verdict.severity is Severity.WARN
    assert "cannot be computed again" in verdict.reasons[0]


def test_without_answers_nothing_is_called_equal(served: Served) -> None:
    verdict = judged(served, records=served[1].slice(0, 0))
    assert (verdict.passed, verdict.severity) == (False, Severity.WARN)
    assert verdict.reasons == ("insufficient data: nothing was answered.",)
