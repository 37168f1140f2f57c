"""A shadow: a challenger that scores what the champion has answered, off the answer's path, and is told to nobody.

It scores the features that are on record with each answer, so it looks nothing up and both speak of the same moment.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from pathlib import Path
from queue import Full, Queue

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.tasks import answers
from mlops_assets.serving.metrics import ServiceMetrics
from mlops_assets.serving.versions import OpenVersion
from mlops_assets.stores.predictions.pairs import PAIRS, append_pairs
from mlops_assets.stores.predictions.records import Layout
from mlops_assets.stores.serving_orders import ShadowStatus

log = logging.getLogger(__name__)

MOST_WAITING = 64
"""Groups of answers that may wait to be scored; more are dropped, and counted."""


class Shadow:
    """Scores in a thread of its own until it is closed, and writes pairs to the file ``path``."""

    def __init__(self, version: OpenVersion, *, path: Path, metrics: ServiceMetrics) -> None:
        self.version = version
        self._path = path
        self._waiting: Queue[pa.RecordBatch | None] = Queue(maxsize=MOST_WAITING)
        self._metrics = metrics
        self._rows: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def offer(self, records: pa.RecordBatch) -> None:
        """Scores the answers that were recorded later, if it can keep up."""
        try:
            self._waiting.put_nowait(records)
        except Full:
            self._count("dropped", records.num_rows)

    def status(self) -> ShadowStatus:
        """What became of all rows so far."""
        return ShadowStatus(version=self.version.version, **self._rows)

    def close(self) -> None:
        """Scores what waits and ends."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        for records in iter(self._waiting.get, None):
            try:
                kept = append_pairs(self._path, self._pairs(records))
            except Exception:  # a shadow may fail in any way, and nobody who waits for an answer may notice
                log.exception("the shadow failed", extra={"fields": {"version": self.version.version}})
                self._count("failed", records.num_rows)
            else:
                self._count("scored", kept)
                self._count("dropped", records.num_rows - kept)

    def _count(self, outcome: str, rows: int) -> None:
        self._rows[outcome] += rows
        self._metrics.shadow_rows.labels(outcome).inc(rows)

    def _pairs(self, records: pa.RecordBatch) -> pa.Table:
        answering = self.version.answering
        scores = answering.scorer.scores(features_of(records, layout=answering.layout))
        own = answers(scores, task=answering.use_case.task, threshold=answering.threshold)
        nothing = pa.nulls(records.num_rows, pa.string())
        told = {name: records[name] for name in ("prediction_id", "example_id")}
        return pa.table(
            {
                **told,
                "champion": records["model_version"],
                "champion_score": records["score"],
                "champion_decided": _decided(records["predicted"], records["predicted_positive"]),
                "challenger_score": own["score"],
                "challenger_decided": _decided(
                    *(own.get(name, nothing) for name in ("predicted", "predicted_positive"))
                ),
            },
            schema=PAIRS,
        )


def features_of(records: pa.RecordBatch, *, layout: Layout) -> pa.Table:
    """The features on record, a column for each."""
    numbers = np.asarray(records["numbers"].flatten()).reshape(records.num_rows, len(layout.numbers))
    texts = records["texts"].flatten().take(_by_column(records.num_rows, width=len(layout.texts)))
    columns = {name: pa.array(numbers[:, place], from_pandas=True) for place, name in enumerate(layout.numbers)}
    columns |= {name: texts.slice(place * len(records), len(records)) for place, name in enumerate(layout.texts)}
    return pa.table({"id": records["example_id"], **columns})


def _by_column(rows: int, *, width: int) -> pa.Array:
    return pa.array(np.arange(rows * width).reshape(rows, width).T.ravel(), pa.int64())


def _decided(predicted: pa.Array, positive: pa.Array) -> pa.Array:
    return pc.coalesce(predicted, pc.cast(positive, pa.string()))
