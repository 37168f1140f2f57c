"""Explanations: what moved a score, and how far, as XGBoost computes it (SHAP values of trees, Lundberg et al. 2020).

They take a hundred times what an answer takes, so they are made in a thread of their own, one request after another,
and few may wait: who asks for predictions never waits for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pydantic_core
import xgboost as xgb

from mlops_assets.contract.errors import FeatureError, ServingError
from mlops_assets.contract.tasks import Multiclass, answers
from mlops_assets.serving.asking import Asked
from mlops_assets.serving.wire import Refused
from mlops_assets.steps.answer import Answering
from mlops_assets.training.booster import told_names

log = logging.getLogger(__name__)

MOST_ROWS = 100
MOST_WAITING = 4


class Explaining:
    """Explains by what ``answering`` answers with: whoever serves now, in an instance that must be nobody else's."""

    def __init__(self, answering: Callable[[], Answering]) -> None:
        self._answering = answering
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explaining")
        self._waiting = 0

    async def answer(self, asked: Asked) -> bytes:
        """The body of the answer. ``Refused`` for too many rows, or while too many wait."""
        if len(asked.good) > MOST_ROWS:
            raise Refused(413, f"{len(asked.good)} rows are too many to explain at once: at most {MOST_ROWS}.")
        if self._waiting >= MOST_WAITING:
            raise Refused(503, "Too many explanations are waiting: try again later.", retry_after=1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._explained, asked)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Finishes what runs."""
        self._pool.shutdown(cancel_futures=True)

    def _explained(self, asked: Asked) -> bytes:
        try:
            rows = list(_contributions(self._answering(), asked))
        except FeatureError as error:
            log.warning("a request could not be computed", extra={"fields": {"reason": str(error)}})
            raise Refused(400, "What follows from these rows could not be computed.") from error
        except ServingError as error:
            log.error("nothing can be explained", extra={"fields": {"reason": str(error)}})
            raise Refused(503, "Nothing was explained: history cannot be reached. Try again later.") from error
        return pydantic_core.to_json({"explanations": asked.in_order(rows)})


def _contributions(answering: Answering, asked: Asked) -> Iterator[dict[str, Any]]:
    prepared = answering.prepare(asked.good, answered_at=datetime.now(UTC))
    matrix = prepared.encoded.matrix
    rows = xgb.DMatrix(
        matrix.values,
        feature_names=told_names(matrix.names),
        feature_types=list(matrix.types),
        enable_categorical=True,
        nthread=1,
    )
    moved = np.asarray(answering.scorer.booster.predict(rows, pred_contribs=True, strict_shape=True), dtype=np.float64)
    scores = answering.scorer.of_matrix(matrix)
    told = answers(scores, task=answering.use_case.task, threshold=answering.threshold)["score"].to_pylist()
    task = answering.use_case.task
    for score, row in zip(told, moved, strict=True):
        parts = row.sum(axis=1), row[:, -1], row[:, :-1].T
        by_name: Callable[[Any], Any] = (
            (lambda values: dict(zip(task.classes, values.tolist(), strict=True)))
            if isinstance(task, Multiclass)
            else (lambda values: float(values[0]))
        )
        yield {
            "score": score,
            "margin": by_name(parts[0]),
            "base": by_name(parts[1]),
            "contributions": dict(zip(matrix.names, map(by_name, parts[2]), strict=True)),
            "model_version": answering.version,
            "history_as_of": prepared.look_up.as_of.isoformat() if prepared.look_up else None,
        }
