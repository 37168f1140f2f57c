"""A model version that is open for answering: from checked requests to answers that are recorded.

Belongs here: the opening of a model, and what makes one answer of many requests: one look-up, one computation, one
durable commit, and to each caller its own. What an answer is made of is in ``mlops_assets/steps/answer.py``, who waits
for whom in ``engine.py``, HTTP in ``app.py``.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import numpy as np
import pyarrow as pa
import pydantic_core
from pydantic import BaseModel

from mlops_assets.contract.errors import FeatureError, ServingError
from mlops_assets.contract.paths import RECORD
from mlops_assets.contract.tasks import Binary
from mlops_assets.contract.use_case import UseCase
from mlops_assets.serving.engine import Outcome, Pending
from mlops_assets.serving.shadow import Shadow
from mlops_assets.serving.start import verify_files
from mlops_assets.serving.trial import Serving
from mlops_assets.serving.versions import OpenVersion
from mlops_assets.serving.wire import Refused
from mlops_assets.steps.answer import Answering, RequestRow, as_plain, rows_of
from mlops_assets.stores.features.online import OnlineStore, open_online_store
from mlops_assets.stores.predictions.hiding import NOTHING_HIDDEN, Hiding
from mlops_assets.stores.predictions.prediction_log import PredictionLog, prediction_log_of
from mlops_assets.stores.predictions.records import RecordGroup, Repeatable, Repeated
from mlops_assets.training.scoring import Scorer

log = logging.getLogger(__name__)

LOG_TIMEOUT, LEAST_TIMEOUT = 2.0, 0.1
"""Seconds that a request waits for other writers of the log before it is refused, those included that it has waited
behind others; and what is waited at least.
"""


class Predictor:
    """The versions that answer of one use case, with the history they look up and the log. For one thread at a time.

    ``record`` is the version's ``record.json`` as plain values. ``online`` is None for a use case without history and
    side data. ``hiding`` is what of a record reaches the log, ``observe`` is shown every group of records once it is
    durable, ``clock`` says when an answer is given, with a zone. Another thread may replace ``serving`` and
    ``shadow``: what is being answered is answered by one state of them. ``lately`` is a row that was answered not long
    ago.
    """

    def __init__(
        self,
        *,
        use_case: UseCase,
        scorer: Scorer,
        record: Mapping[str, Any],
        online: OnlineStore | None,
        log: PredictionLog,
        hiding: Hiding = NOTHING_HIDDEN,
        observe: Callable[[pa.RecordBatch], None] = lambda _: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.serving = Serving(champion=OpenVersion.of(use_case=use_case, scorer=scorer, record=record, online=online))
        self.shadow: Shadow | None = None
        self.lately: Sequence[RequestRow] = ()
        self.log = log
        self.hiding = hiding
        self._observe = observe
        self._clock = clock

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        use_case: UseCase,
        checksums: Mapping[str, str],
        data_dir: Path,
        observe: Callable[[pa.RecordBatch], None] = lambda _: None,
    ) -> Self:
        """The model in ``folder``; ``ServingError`` when one of its files is missing or damaged."""
        verify_files(folder, checksums=checksums)
        return cls(
            use_case=use_case,
            scorer=Scorer.open({name: (folder / name).read_bytes() for name in checksums}),
            record=json.loads((folder / RECORD).read_text()),
            online=_open_online(use_case, data_dir=data_dir),
            log=prediction_log_of(use_case.name, folder=data_dir),
            hiding=Hiding.of(use_case, folder=data_dir),
            observe=observe,
        )

    @property
    def answering(self) -> Answering:
        """The champion as it answers."""
        return self.serving.champion.answering

    def together(self, requests: Sequence[Pending]) -> list[Outcome]:
        """The body of each request's answer, all of them durably recorded before this returns; or why it has none.

        A request that was given up meanwhile is not recorded. Raises ``Refused`` when nothing can be answered or
        recorded.
        """
        try:
            repeated = {pending: outcome for pending in requests if (outcome := self._repeated(pending)) is not None}
            fresh = [pending for pending in requests if pending not in repeated]
            outcomes = repeated | (self._fresh(fresh) if fresh else {})
        except FeatureError as error:
            if len(requests) > 1:
                raise
            log.warning("a request could not be computed", extra={"fields": {"reason": str(error)}})
            raise Refused(400, "What follows from these rows could not be computed.") from error
        except ServingError as error:
            log.error("nothing can be answered", extra={"fields": {"reason": str(error)}})
            raise Refused(
                503, "Nothing was answered: history or the log cannot be reached. Try again later."
            ) from error
        return [outcomes[pending] for pending in requests]

    def predict(self, rows: Sequence[BaseModel]) -> list[dict[str, Any]]:
        """One answer per row, in order, each durably recorded: for callers in this process."""
        answered = self.serving.answer(rows_of(rows), answered_at=self._clock(), new_id=_new_id)
        self._write(RecordGroup(rows=answered.records, layout=self.answering.layout))
        self._show(answered.records)
        return as_plain(answered)

    def day(self) -> date:
        """The day whose history is known, by which event times are bounded."""
        return self.answering.day(now=self._clock())

    def ready(self) -> None:
        """``ServingError`` saying why nothing could be answered now."""
        if self.answering.online:
            self.answering.online.in_use()
        self.log.ready()

    def describe(self) -> dict[str, Any]:
        """What a caller must send, what answers, and what the version was made of, as plain JSON values."""
        champion = self.serving.champion
        answering = champion.answering
        use_case, online = answering.use_case, answering.online
        current = online.current if online else None
        return {
            "use_case": use_case.name,
            "title": use_case.title,
            "description": use_case.description,
            "owner": use_case.owner,
            "model_version": answering.version,
            "threshold": answering.threshold if isinstance(use_case.task, Binary) else None,
            "positive_means": use_case.positive_word if isinstance(use_case.task, Binary) else None,
            "request": use_case.request.model_json_schema(),
            "features": [
                {"name": each.name, "kind": each.kind, "description": each.description} for each in use_case.features
            ],
            "history": current and {"as_of": current.as_of.isoformat(), "commit": current.commit},
            "record": dict(champion.record),
        }

    def close(self) -> None:
        """Gives the log and the online store back; predicting afterwards is an error."""
        self.log.close()
        if self.answering.online:
            self.answering.online.close()

    def _write(self, group: RecordGroup, *, timeout: float = LOG_TIMEOUT) -> frozenset[str]:
        """Makes a group durable, as the use case lets it be known; the keys that were answered before."""
        return self.log.append([self.hiding.hide(group)], timeout=timeout)

    def _show(self, records: pa.RecordBatch) -> None:
        """What was recorded to those who count it, or score it once more."""
        try:
            self._observe(records)
            if (shadow := self.shadow) is not None:
                shadow.offer(records)
        except Exception:  # what is durable is answered: as a failure it would be answered and recorded once more
            log.exception("what was answered could not be shown")

    def _repeated(self, pending: Pending) -> Outcome | None:
        """What was answered to this request before; None where it is new."""
        before = self.log.answered(pending.asked.key) if pending.asked.key else None
        return None if before is None else _again(before, pending)

    def _fresh(self, requests: Sequence[Pending]) -> dict[Pending, Outcome]:
        rows = [row for pending in requests for row in pending.asked.good]
        answered = self.serving.answer(rows, answered_at=self._clock(), new_id=_new_id)
        self.lately = rows[:1]
        plain = as_plain(answered)
        bodies = dict(_bodies(requests, plain))
        taken = [pending.take() for pending in requests]
        if not any(taken):
            return dict(bodies)
        records, repeatable = _kept(requests, bodies, taken=taken, records=answered.records)
        timeout = max(LEAST_TIMEOUT, LOG_TIMEOUT + min(pending.since for pending in requests) - time.monotonic())
        group = RecordGroup(rows=records, layout=self.answering.layout, repeatable=repeatable)
        refused = self._write(group, timeout=timeout)
        self._show(records)
        return {
            pending: bodies[pending] if pending.asked.key not in refused else self._repeated(pending) or bodies[pending]
            for pending in requests
        }


def _open_online(use_case: UseCase, *, data_dir: Path) -> OnlineStore | None:
    if not (use_case.history or use_case.asof):
        return None
    return open_online_store(use_case.name, data=data_dir)


def _new_id() -> str:
    """A UUID of version 7 (RFC 9562): ids that rise with time keep the log's index of them dense."""
    bits = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return str(UUID(int=bits & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62))


def _bodies(requests: Sequence[Pending], answers: Sequence[dict[str, Any]]) -> Iterator[tuple[Pending, bytes]]:
    for pending, first in zip(requests, _starts(requests), strict=False):
        own = answers[first : first + len(pending.asked.good)]
        yield pending, pydantic_core.to_json({"predictions": pending.asked.in_order(own)})


def _starts(requests: Sequence[Pending]) -> list[int]:
    """Where the rows of each request begin among all rows."""
    return [0, *accumulate(len(pending.asked.good) for pending in requests)]


def _kept(
    requests: Sequence[Pending], bodies: Mapping[Pending, bytes], *, taken: Sequence[bool], records: pa.RecordBatch
) -> tuple[pa.RecordBatch, tuple[Repeatable, ...]]:
    """The records of the requests that are waited for, and which of these requests may be repeated."""
    kept = [pending for pending, waited_for in zip(requests, taken, strict=True) if waited_for]
    if len(kept) < len(requests):
        mask = np.repeat(taken, [len(pending.asked.good) for pending in requests])
        records = records.filter(pa.array(mask))
    return records, tuple(
        Repeatable(
            key=pending.asked.key,
            fingerprint=pending.fingerprint,
            answer=bodies[pending],
            first=first,
            rows=len(pending.asked.good),
        )
        for pending, first in zip(kept, _starts(kept), strict=False)
        if pending.asked.key
    )


def _again(before: Repeated, pending: Pending) -> Outcome:
    if before.fingerprint == pending.fingerprint:
        return before.answer
    return Refused(422, "Another request was answered under this id: an id belongs to one request.")
