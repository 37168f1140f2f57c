"""A model version that is open for answering: from checked rows to recorded answers.

Belongs here: the opening of a model and what its answers need to be safe among threads. What an answer is made of is
in ``mlops_assets/steps/answer.py``; HTTP is in ``service.py``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from pydantic import BaseModel

from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.paths import RECORD
from mlops_assets.contract.tasks import Binary
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.request_step import RequestStep
from mlops_assets.serving.wire import Answer
from mlops_assets.steps.answer import Serving, answer
from mlops_assets.stores.features.online import OnlineStore, open_online_store
from mlops_assets.stores.models.bento_store import checksum
from mlops_assets.stores.predictions.hiding import Hiding
from mlops_assets.stores.predictions.prediction_log import PredictionLog, prediction_log_of
from mlops_assets.stores.predictions.prediction_record import PredictionRecord, record_group
from mlops_assets.training.scoring import MODEL, VOCABULARY, Scorer

LOG_TIMEOUT = 2.0
"""Seconds to wait for another writer of the log before a request is refused."""


class Predictor:
    """One model version of one use case, with the history it looks up and the log it writes. Safe for
    threads.

    ``record`` is the version's ``record.json`` as plain values. ``online`` is None for a use case without
    history and side data. ``clock`` says when an answer is given, with a zone.
    """

    def __init__(
        self,
        *,
        use_case: UseCase,
        scorer: Scorer,
        record: Mapping[str, Any],
        online: OnlineStore | None,
        log: PredictionLog,
        hiding: Hiding | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._serving = Serving(
            use_case=use_case,
            version=str(record["version"]),
            scorer=scorer,
            threshold=float(record["threshold"]),
            online=online,
        )
        self._record = record
        self._log = log
        self._hiding = hiding
        self._clock = clock
        self._of_thread = threading.local()

    @classmethod
    def open(cls, folder: Path, *, use_case: UseCase, checksums: Mapping[str, str], data_dir: Path) -> Self:
        """The model in ``folder``; ``ServingError`` when one of its files is missing or damaged."""
        verify_files(folder, checksums=checksums)
        return cls(
            use_case=use_case,
            scorer=Scorer.open({name: (folder / name).read_bytes() for name in checksums}),
            record=json.loads((folder / RECORD).read_text()),
            online=_open_online(use_case, data_dir=data_dir),
            log=prediction_log_of(use_case.name, folder=data_dir),
            hiding=Hiding.of(use_case, folder=data_dir),
        )

    def predict(self, rows: Sequence[BaseModel]) -> list[Answer]:
        """One answer per row, in order, each durably recorded before this returns.

        ``ServingError`` when history is missing or the answers cannot be recorded: then none counts as given.
        """
        answered = answer(
            rows,
            serving=self._serving,
            request_step=self._step(),
            answered_at=self._clock(),
            new_id=lambda: str(uuid4()),
        ).outcome
        group = record_group(answered.records)
        self._log.append([self._hiding.hide(group) if self._hiding else group], timeout=LOG_TIMEOUT)
        told = zip(answered.records, answered.probabilities, strict=True)
        return [_as_answer(record, probabilities=each) for record, each in told]

    def describe(self) -> dict[str, Any]:
        """What a caller must send, what answers, and what the version was made of, as plain JSON values."""
        use_case, online = self._serving.use_case, self._serving.online
        current = online.current if online else None
        return {
            "use_case": use_case.name,
            "title": use_case.title,
            "description": use_case.description,
            "owner": use_case.owner,
            "model_version": self._serving.version,
            "threshold": self._serving.threshold if isinstance(use_case.task, Binary) else None,
            "positive_means": use_case.positive_word if isinstance(use_case.task, Binary) else None,
            "request": use_case.request.model_json_schema(),
            "features": [
                {"name": each.name, "kind": each.kind, "description": each.description} for each in use_case.features
            ],
            "history": current and {"as_of": current.as_of.isoformat(), "commit": current.commit},
            "record": dict(self._record),
        }

    def close(self) -> None:
        """Gives the log and the online store back; predicting afterwards is an error."""
        self._log.close()
        if self._serving.online:
            self._serving.online.close()

    def _step(self) -> RequestStep:
        """This thread's own: its statement is planned once, and no two requests share a connection."""
        found: RequestStep | None = getattr(self._of_thread, "step", None)
        if found is None:
            use_case = self._serving.use_case
            found = RequestStep(features_sql=use_case.features_sql, features=use_case.features)
            self._of_thread.step = found
        return found


def verify_files(folder: Path, *, checksums: Mapping[str, str]) -> None:
    """``ServingError`` unless ``folder`` holds every file with the SHA-256 it had when the Bento was
    built.
    """
    for name in dict.fromkeys((MODEL, VOCABULARY, RECORD, *checksums)):
        if name not in checksums or not (folder / name).is_file():
            raise ServingError(f"The model in {folder} has no {name}: build its Bento again.")
        if (held := checksum(folder / name)) != checksums[name]:
            raise ServingError(
                f"{folder / name} is damaged: its SHA-256 is {held[:12]}…, the Bento was built with "
                f"{checksums[name][:12]}…. Remove the folder and build the Bento again."
            )


def _open_online(use_case: UseCase, *, data_dir: Path) -> OnlineStore | None:
    if not (use_case.history or use_case.asof):
        return None
    return open_online_store(use_case.name, data=data_dir)


def _as_answer(record: PredictionRecord, *, probabilities: dict[str, float] | None) -> Answer:
    return Answer(
        prediction_id=record.prediction_id,
        score=record.score,
        predicted_positive=record.predicted_positive,
        predicted=record.predicted,
        probabilities=probabilities,
        model_version=record.model_version,
        history_as_of=record.history_as_of,
        history_commit=record.history_commit,
        flags=list(record.flags),
    )
