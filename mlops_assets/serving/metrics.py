"""What a service counts of itself, for Prometheus at ``/metrics``.

Labels are routes, classes, versions and reasons, all of which are few; never a path that a caller made up. Several
workers count into one folder, which is read together.
"""

from __future__ import annotations

import os

import pyarrow as pa
import pyarrow.compute as pc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from mlops_assets.contract.flags import kinds_of

CONTENT_TYPE = CONTENT_TYPE_LATEST
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
LATENCY = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ServiceMetrics:
    """The counters of one worker."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own = self._registry
        self.requests = Counter("mlops_requests", "Requests by route and status", ["route", "status"], registry=own)
        self.latency = Histogram(
            "mlops_request_seconds", "Seconds from a request to its answer", ["route"], buckets=LATENCY, registry=own
        )
        self.predictions = Counter("mlops_predictions", "Rows answered", ["version", "predicted"], registry=own)
        self.faulty_rows = Counter("mlops_faulty_rows", "Rows that could not be predicted", registry=own)
        self.flags = Counter("mlops_flags", "Answers with something unusual", ["flag"], registry=own)
        self.swaps = Counter("mlops_swaps", "Versions taken into service, or refused", ["outcome"], registry=own)
        self.shadow_rows = Counter("mlops_shadow_rows", "Rows a shadow was to score", ["outcome"], registry=own)
        self.canary_share = Gauge(
            "mlops_canary_share", "Share of rows a canary answers", registry=own, multiprocess_mode="mostrecent"
        )
        self.serving = Gauge(
            "mlops_serving", "1 of the use case that is served", ["use_case"], registry=own, multiprocess_mode="max"
        )
        self.waiting_rows = Gauge(
            "mlops_waiting_rows", "Rows of admitted requests", registry=own, multiprocess_mode="livesum"
        )
        self.rows_together = Histogram(
            "mlops_rows_together",
            "Rows answered together",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
            registry=own,
        )
        self.uncollected = Gauge(
            "mlops_uncollected_predictions",
            "Predictions that the lake does not hold yet, by what the last collection said",
            registry=own,
            multiprocess_mode="mostrecent",
        )

    def observe(self, records: pa.RecordBatch) -> None:
        """Counts answers that were given together, by what they say."""
        self.rows_together.observe(records.num_rows)
        decided = pc.coalesce(records["predicted"], pc.cast(records["predicted_positive"], pa.string()), "a number")
        groups = pa.table({"version": records["model_version"], "predicted": decided}).group_by(
            ["version", "predicted"]
        )
        for count in groups.aggregate([([], "count_all")]).to_pylist():
            self.predictions.labels(count["version"], count["predicted"]).inc(count["count_all"])
        for kind in pc.value_counts(kinds_of(records["flags"].flatten())).to_pylist():
            self.flags.labels(kind["values"]).inc(kind["counts"])

    def page(self) -> bytes:
        """All counters of all workers as text."""
        if FOLDER not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
