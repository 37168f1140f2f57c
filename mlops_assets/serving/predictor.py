"""From checked rows to recorded answers: look up history, compute features, score, remember, answer.

Belongs here: the order of these steps and the opening of a model. The steps themselves are ``features/``, ``training/``
and ``stores/``; HTTP is in ``service.py``.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.tasks import Binary, answers, by_class
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.matrix import Matrix
from mlops_assets.features.request_step import RequestStep
from mlops_assets.features.requests import request_table
from mlops_assets.serving.packaging import checksum
from mlops_assets.serving.wire import Answer
from mlops_assets.stores.features.online import LookUp, OnlineStore, open_online_store
from mlops_assets.stores.models.record import RECORD
from mlops_assets.stores.predictions.prediction_log import PredictionLog, PredictionRecord, prediction_log_of
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
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._use_case = use_case
        self._scorer = scorer
        self._record = record
        self._version = str(record["version"])
        self._threshold = float(record["threshold"])
        self._online = online
        self._log = log
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
            log=prediction_log_of(use_case.name, folder=data_dir, timeout=LOG_TIMEOUT),
        )

    def predict(self, rows: Sequence[BaseModel]) -> list[Answer]:
        """One answer per row, in order, each durably recorded before this returns.

        ``ServingError`` when history is missing or the answers cannot be recorded: then none counts as given.
        """
        answered_at = self._clock()
        examples = _examples(rows, use_case=self._use_case, answered_at=answered_at)
        found = self._look_up(examples)
        features = self._step().compute(found.examples if found else examples)
        matrix = self._scorer.vocabulary.encode(features, features=self._use_case.features)
        flags = self._flags(examples, features=features, matrix=matrix, found=found)
        scores = self._scorer.of_matrix(matrix)
        records = self._records(
            rows,
            examples=examples,
            features=features,
            answered=answers(scores, task=self._use_case.task, threshold=self._threshold),
            flags=flags,
            found=found,
            answered_at=answered_at,
        )
        self._log.append(records)
        told = by_class(scores, task=self._use_case.task)
        return [_as_answer(record, probabilities=each) for record, each in zip(records, told, strict=True)]

    def describe(self) -> dict[str, Any]:
        """What a caller must send, what answers, and what the version was made of, as plain JSON values."""
        use_case = self._use_case
        current = self._online.current if self._online else None
        return {
            "use_case": use_case.name,
            "title": use_case.title,
            "description": use_case.description,
            "owner": use_case.owner,
            "model_version": self._version,
            "threshold": self._threshold if isinstance(use_case.task, Binary) else None,
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
        if self._online:
            self._online.close()

    def _look_up(self, examples: pa.Table) -> LookUp | None:
        return self._online.look_up(examples) if self._online else None

    def _step(self) -> RequestStep:
        """This thread's own: its statement is planned once, and no two requests share a connection."""
        found: RequestStep | None = getattr(self._of_thread, "step", None)
        if found is None:
            use_case = self._use_case
            found = RequestStep(features_sql=use_case.features_sql, features=use_case.features)
            self._of_thread.step = found
        return found

    def _flags(
        self, examples: pa.Table, *, features: pa.Table, matrix: Matrix, found: LookUp | None
    ) -> list[list[str]]:
        """Per row: categories the model never saw, entities without history, history of another day."""
        flags: list[list[str]] = [[] for _ in range(examples.num_rows)]
        for position, feature in enumerate(self._use_case.features):
            if feature.kind == "categorical":
                unseen = np.isnan(matrix.values[:, position]) & np.asarray(features[feature.name].is_valid())
                for row in np.flatnonzero(unseen).tolist():
                    flags[row].append(f"unknown {feature.name} '{features[feature.name][row].as_py()}'")
        if found is not None:
            self._flag_history(flags, examples=examples, found=found)
        return flags

    def _flag_history(self, flags: list[list[str]], *, examples: pa.Table, found: LookUp) -> None:
        for view in self._use_case.history:
            columns = [found.examples[name] for name, _, _ in view.columns()]
            if any(column.null_count == 0 for column in columns):
                continue
            known = np.any([np.asarray(column.is_valid()) for column in columns], axis=0)
            for row in np.flatnonzero(~known).tolist():
                entity = ", ".join(str(examples[key][row].as_py()) for key in view.keys)
                flags[row].append(f"no history of {' and '.join(view.keys)} '{entity}'")
        for row, moment in enumerate(examples["event_time"].to_pylist()):
            if age := (moment.date() - found.as_of).days:
                when = f"{age} days before" if age > 0 else f"{-age} days after"
                flags[row].append(f"history is as of {found.as_of}, {when} the event's day")

    def _records(
        self,
        rows: Sequence[BaseModel],
        *,
        examples: pa.Table,
        features: pa.Table,
        answered: Mapping[str, pa.Array],
        flags: Sequence[Sequence[str]],
        found: LookUp | None,
        answered_at: datetime,
    ) -> list[PredictionRecord]:
        ids, moments = examples["id"].to_pylist(), examples["event_time"].to_pylist()
        values = features.drop_columns(["id"]).to_pylist()
        told = pa.table(dict(answered)).to_pylist()
        return [
            PredictionRecord(
                prediction_id=str(uuid4()),
                example_id=ids[number],
                answered_at=answered_at,
                event_time=moments[number],
                model_version=self._version,
                **told[number],
                history_as_of=found.as_of.isoformat() if found else None,
                history_commit=found.commit if found else None,
                inputs=row.model_dump(mode="json"),
                features={name: _finite(value) for name, value in values[number].items()},
                flags=tuple(flags[number]),
            )
            for number, row in enumerate(rows)
        ]


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


def _examples(rows: Sequence[BaseModel], *, use_case: UseCase, answered_at: datetime) -> pa.Table:
    """The rows as features read them. What has no ``event_time`` happens now (UTC); what has no ``id`` has
    none.
    """
    table = request_table(rows, model=use_case.request)
    if "id" not in table.column_names:
        table = table.append_column("id", pa.nulls(table.num_rows, pa.string()))
    if "event_time" not in table.column_names:
        now = pa.scalar(answered_at.astimezone(UTC).replace(tzinfo=None), pa.timestamp("us"))
        table = table.append_column("event_time", pa.repeat(now, table.num_rows))
    return table


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


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
