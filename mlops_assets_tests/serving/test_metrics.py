"""What a service counts: few series, whatever is asked and answered."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from mlops_assets.serving.metrics import ServiceMetrics
from mlops_assets.stores.predictions.records import RECORDS


def records(*rows: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"model_version": "v1", "flags": [], **row} for row in rows], schema=RECORDS)


def counted(metrics: ServiceMetrics, name: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in metrics.page().decode().splitlines() if line.startswith(f"{name}_total"))
    return {series.partition("_total")[2]: float(value) for series, _, value in lines}


def test_answers_are_counted_by_version_and_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    metrics = ServiceMetrics()
    metrics.observe(records({"predicted_positive": True}, {"predicted_positive": False}, {"predicted_positive": True}))
    metrics.observe(records({"predicted": "bus"}, {"score": 7.5}))

    assert counted(metrics, "mlops_predictions") == {
        '{predicted="true",version="v1"}': 2,
        '{predicted="false",version="v1"}': 1,
        '{predicted="bus",version="v1"}': 1,
        '{predicted="a number",version="v1"}': 1,
    }


def test_flags_are_counted_by_kind_never_by_what_a_caller_made_up() -> None:
    metrics = ServiceMetrics()
    for number in range(50):
        flags = [f"unknown depot 'X{number}'", f"no history of depot 'X{number}'", f"something {number}"]
        metrics.observe(records({"flags": flags}))

    assert counted(metrics, "mlops_flags") == {'{flag="unknown"}': 50, '{flag="no history"}': 50, '{flag="other"}': 50}


def test_no_records_count_nothing() -> None:
    metrics = ServiceMetrics()
    metrics.observe(records())

    assert counted(metrics, "mlops_predictions") == {}
