"""Trials: a challenger that answers a share of the rows beside the champion, and when that share changes.

Belongs here: which version answers a row, what both did meanwhile, and the next step of a canary. What the guards say
is in ``judge/canary.py``, what a canary is told in ``stores/serving_orders.py``.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.judge.canary import Arm, State, Tally, rulings
from mlops_assets.serving.versions import OpenVersion
from mlops_assets.steps.answer import Answered, Answering, RequestRow
from mlops_assets.stores.serving_orders import CanaryOrder

log = logging.getLogger(__name__)


def moved_on(order: CanaryOrder, tally: Tally, *, now: datetime) -> CanaryOrder | None:
    """The canary's next step, or its end, when it is time for it; None while it stays where it is."""
    said = rulings(tally, guards=order.guards, whole=order.state == "ready")
    if breached := [str(each) for each in said if each.state is State.BREACHED]:
        return order.model_copy(update={"state": "back at zero", "since": now, "reason": "; ".join(breached)})
    held = all(each.state is State.HOLDS for each in said)
    if order.state == "ready" or not held or (now - order.since).total_seconds() < order.every:
        return None
    reason = "; ".join(map(str, said))
    if order.step + 1 < len(order.steps):
        return order.model_copy(update={"step": order.step + 1, "since": now, "reason": reason})
    return order.model_copy(update={"state": "ready", "since": now, "reason": reason})


class Trial:
    """A challenger that answers a ``share`` of the rows, and what it and the champion did meanwhile.

    Which rows is fixed by a hash of a row's key: a larger share holds the rows of a smaller one. Where it fails, the
    champion answers, and it is not asked again.
    """

    def __init__(self, version: OpenVersion, *, share: float) -> None:
        self.version = version
        self.share = share
        self.champion, self.challenger = _Count(), _Count()

    def chooses(self, keys: Sequence[str]) -> np.ndarray:
        """Whether it answers the row of each key."""
        salt = self.version.version.encode()[-16:]
        draws = [int.from_bytes(blake2b(key.encode(), digest_size=8, salt=salt).digest()) for key in keys]
        return np.array(draws, dtype=np.float64) < self.share * 2.0**64


class _Count:
    """What one version did."""

    def __init__(self) -> None:
        self._rows = self._errors = self._calls = 0
        self._log_seconds = 0.0
        self._decided: Counter[str] = Counter()

    def answered(self, records: pa.RecordBatch, *, seconds: float) -> None:
        self._rows += records.num_rows
        self._calls += 1
        self._log_seconds += math.log(max(seconds, 1e-9))
        self._decided.update(records["predicted"].drop_null().to_pylist())
        if (positives := pc.sum(records["predicted_positive"]).as_py()) is not None:
            self._decided["positives"] += positives

    def failed(self, rows: int) -> None:
        self._errors += rows

    def arm(self) -> Arm:
        """All so far."""
        return Arm(
            rows=self._rows,
            errors=self._errors,
            calls=self._calls,
            log_seconds=self._log_seconds,
            decided=dict(self._decided),
        )


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Who answers now. It is replaced as a whole, so that those who answer together are answered by one state of it."""

    champion: OpenVersion
    trial: Trial | None = None

    def answer(self, rows: Sequence[RequestRow], *, answered_at: datetime, new_id: Callable[[], str]) -> Answered:
        """As ``Answering.answer``: each row by the champion, or by the challenger on trial."""
        champion, trial = self.champion.answering, self.trial
        if trial is None or not trial.share:
            return champion.answer(rows, answered_at=answered_at, new_id=new_id)
        ids = [new_id() for _ in rows]
        chosen = trial.chooses(self._keys(rows, ids=ids))
        try:
            parts = [
                _timed(answering, rows, ids=ids, places=places, answered_at=answered_at, count=count)
                for places, answering, count in (
                    (np.flatnonzero(chosen), trial.version.answering, trial.challenger),
                    (np.flatnonzero(~chosen), champion, trial.champion),
                )
                if len(places)
            ]
        except Exception:  # whatever the challenger does wrong, nobody may be refused for it
            answered = champion.answer(rows, answered_at=answered_at, new_id=iter(ids).__next__)
            log.exception("the canary failed", extra={"fields": {"version": trial.version.version}})
            trial.challenger.failed(int(chosen.sum()))
            trial.share = 0.0
            return answered
        return _in_order(parts, places=np.concatenate([np.flatnonzero(chosen), np.flatnonzero(~chosen)]))

    def _keys(self, rows: Sequence[RequestRow], *, ids: Sequence[str]) -> list[str]:
        """The use case's own id of each row; the prediction's where it has none."""
        place = self.champion.answering.columns.get("id")
        if place is None:
            return list(ids)
        own = (row.values[place] for row in rows)
        return [id_ if key is None else str(key) for key, id_ in zip(own, ids, strict=True)]


def _timed(
    answering: Answering,
    rows: Sequence[RequestRow],
    *,
    ids: Sequence[str],
    places: np.ndarray,
    answered_at: datetime,
    count: _Count,
) -> Answered:
    """The answers of one version to the rows in these places, and how long it took."""
    began = time.perf_counter()
    own = iter([ids[place] for place in places])
    answered = answering.answer([rows[place] for place in places], answered_at=answered_at, new_id=own.__next__)
    count.answered(answered.records, seconds=time.perf_counter() - began)
    return answered


def _in_order(parts: Sequence[Answered], *, places: np.ndarray) -> Answered:
    """The answers of several versions, row by row as they were asked for."""
    if len(parts) == 1:
        return parts[0]
    back = np.argsort(places)
    probabilities = [each for part in parts for each in part.probabilities]
    return Answered(
        records=pa.concat_batches([part.records for part in parts]).take(pa.array(back)),
        probabilities=[probabilities[place] for place in back],
    )
