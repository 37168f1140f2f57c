"""Answer: from checked requests to answers that can be recorded: look up history, compute features, score, flag.

Belongs here: the order of these steps, for whoever serves. What is worked out once for a model is in ``Answering``.
Opening a model, HTTP and the log are in ``serving/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from mlops_assets.contract.history import HistoryView
from mlops_assets.contract.tasks import answers, by_class
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.request_plan import Block, Encoded, RequestPlan
from mlops_assets.features.requests import request_schema
from mlops_assets.stores.features.online import LookUp, OnlineStore
from mlops_assets.stores.features.online_backend import Generation
from mlops_assets.stores.predictions.records import RECORDS, Layout
from mlops_assets.training.scoring import Scorer

_DECIDED = ["prediction_id", "score", "predicted_positive", "predicted"]
_MADE_OF = ["model_version", "history_as_of", "history_commit", "flags"]


@dataclass(frozen=True, kw_only=True)
class RequestRow:
    """One checked row: the values of the columns of ``request_schema``, in order, and what was sent, as JSON text."""

    values: tuple[object, ...]
    inputs: str


def rows_of(requests: Sequence[BaseModel]) -> list[RequestRow]:
    """Checked requests of one model as rows."""
    names = request_schema(type(requests[0])).names if requests else []
    return [
        RequestRow(values=tuple(getattr(each, name) for name in names), inputs=each.model_dump_json())
        for each in requests
    ]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What is to be remembered of each answer (``RECORDS``), and what else the caller is told: the probability of each
    class where there are classes.
    """

    records: pa.RecordBatch
    probabilities: Sequence[dict[str, float] | None]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Rows with all that a model reads of them."""

    examples: Mapping[str, pa.Array]
    look_up: LookUp | None
    encoded: Encoded


class Answering:
    """One version as it answers: for one thread at a time.

    ``online`` is None for a use case without history and side data. ``columns`` tells the place of each column among
    the values of a row. Raises ServingError when history is missing and FeatureError when the rows cannot be computed.
    """

    def __init__(
        self, *, use_case: UseCase, version: str, scorer: Scorer, threshold: float, online: OnlineStore | None
    ) -> None:
        self.use_case = use_case
        self.version = version
        self.scorer = scorer
        self.threshold = threshold
        self.online = online
        self._schema = request_schema(use_case.request)
        self.columns = {name: place for place, name in enumerate(self._schema.names)}
        self._plan: tuple[int, RequestPlan] | None = None
        self._of_days = {name: view for view in use_case.history for name, _, _ in view.day_columns()}
        features = use_case.features
        self.layout = Layout(
            numbers=tuple(each.name for each in features if each.kind == "numeric"),
            texts=tuple(each.name for each in features if each.kind == "categorical"),
        )

    def answer(self, rows: Sequence[RequestRow], *, answered_at: datetime, new_id: Callable[[], str]) -> Answered:
        """One answer per row, in order; none counts as given before its record is in the log.

        ``answered_at`` has a zone.
        """
        prepared = self.prepare(rows, answered_at=answered_at)
        scores = self.scorer.of_matrix(prepared.encoded.matrix)
        columns = {
            "prediction_id": pa.array([new_id() for _ in rows], pa.string()),
            "example_id": prepared.examples["id"],
            "answered_at": pa.repeat(pa.scalar(answered_at, pa.timestamp("us", tz="UTC")), len(rows)),
            "event_time": prepared.examples["event_time"],
            "model_version": pa.repeat(self.version, len(rows)),
            **answers(scores, task=self.use_case.task, threshold=self.threshold),
            "inputs": pa.array([row.inputs for row in rows], pa.string()),
            "numbers": _lists(pa.array(prepared.encoded.numbers.ravel()), rows=len(rows)),
            "texts": _lists(_row_by_row(prepared.encoded.texts), rows=len(rows)),
            "flags": pa.array(self._flags(prepared), RECORDS.field("flags").type),
        }
        if prepared.look_up is not None:
            columns["history_as_of"] = pa.repeat(prepared.look_up.as_of.isoformat(), len(rows))
            columns["history_commit"] = pa.repeat(prepared.look_up.commit, len(rows))
        nothing = {field.name: pa.nulls(len(rows), field.type) for field in RECORDS if field.name not in columns}
        records = pa.RecordBatch.from_arrays([(columns | nothing)[name] for name in RECORDS.names], schema=RECORDS)
        return Answered(records=records, probabilities=by_class(scores, task=self.use_case.task))

    def prepare(self, rows: Sequence[RequestRow], *, answered_at: datetime) -> Prepared:
        """The rows with their history and features."""
        examples = self._examples(rows, answered_at=answered_at)
        look_up = self.online.look_up(pa.table(dict(examples))) if self.online else None
        blocks: Sequence[Block] = look_up.history if look_up else ()
        columns = {**examples, **(look_up.side if look_up else {})}
        plan = self._planned(columns, blocks=blocks, generation=look_up.generation if look_up else None)
        encoded = plan.encode(columns, blocks=blocks, rows=len(rows))
        return Prepared(examples=examples, look_up=look_up, encoded=encoded)

    def day(self, *, now: datetime) -> date:
        """The day whose history is known; without history that of ``now``."""
        return self.online.last_looked_up().as_of if self.online else now.date()

    def close(self) -> None:
        """Gives the plan's connection back."""
        if self._plan is not None:
            self._plan[1].close()

    def _examples(self, rows: Sequence[RequestRow], *, answered_at: datetime) -> dict[str, pa.Array]:
        """The rows as features read them. What has no ``event_time`` happens now (UTC); what has no ``id`` has none."""
        values = zip(*(row.values for row in rows), strict=True)
        columns = {field.name: pa.array(column, field.type) for field, column in zip(self._schema, values, strict=True)}
        columns["id"] = columns["id"].cast(pa.string()) if "id" in columns else pa.nulls(len(rows), pa.string())
        if "event_time" not in columns:
            now = pa.scalar(answered_at.astimezone(UTC).replace(tzinfo=None), pa.timestamp("us"))
            columns["event_time"] = pa.repeat(now, len(rows))
        return columns

    def _planned(
        self, columns: Mapping[str, pa.Array], *, blocks: Sequence[Block], generation: Generation | None
    ) -> RequestPlan:
        """The plan for these columns: another generation of the online store may have other ones."""
        number = generation.number if generation else 0
        if self._plan is None or self._plan[0] != number:
            self.close()
            plan = RequestPlan(
                examples=pa.schema([(name, column.type) for name, column in columns.items()]),
                blocks=[names for names, _ in blocks],
                features=self.use_case.features,
                features_sql=self.use_case.features_sql,
                vocabulary=self.scorer.vocabulary,
            )
            self._plan = (number, plan)
        return self._plan[1]

    def _flags(self, prepared: Prepared) -> list[list[str]]:
        """Per row: categories the model never saw, entities without history, history of another day."""
        flags: list[list[str]] = [[] for _ in range(len(prepared.encoded.numbers))]
        for row, told in (*self._unseen(prepared.encoded), *self._without_history(prepared)):
            flags[row].append(told)
        return flags

    def _unseen(self, encoded: Encoded) -> Iterator[tuple[int, str]]:
        places = [place for place, each in enumerate(self.use_case.features) if each.kind == "categorical"]
        for place, texts in zip(places, encoded.texts, strict=True):
            unseen = np.isnan(encoded.matrix.values[:, place])
            for row in np.flatnonzero(unseen).tolist():
                if (text := texts[row].as_py()) is not None:
                    yield row, f"unknown {self.use_case.features[place].name} '{text}'"

    def _without_history(self, prepared: Prepared) -> Iterator[tuple[int, str]]:
        if prepared.look_up is None:
            return
        for names, values in prepared.look_up.history:
            view = self._of_days.get(names[0])
            if view is None:  # over hours, where nothing is no exception
                continue
            for row in np.flatnonzero(np.isnan(values).all(axis=1)).tolist():
                yield row, _no_history(view, [str(prepared.examples[key][row].as_py()) for key in view.keys])
        as_of = prepared.look_up.as_of
        days = prepared.examples["event_time"].cast(pa.date32(), safe=False).cast(pa.int32()).to_numpy()
        ages = days - (as_of - date(1970, 1, 1)).days
        for row in np.flatnonzero(ages).tolist():
            when = f"{ages[row]} days before" if ages[row] > 0 else f"{-ages[row]} days after"
            yield row, f"history is as of {as_of}, {when} the event's day"


def _no_history(view: HistoryView, entity: Sequence[str]) -> str:
    if not view.keys:
        return f"no history of {view.name}"
    return f"no history of {' and '.join(view.keys)} '{', '.join(entity)}'"


def _lists(values: pa.Array, *, rows: int) -> pa.ListArray:
    width = len(values) // rows
    return pa.ListArray.from_arrays(pa.array(np.arange(rows + 1) * width, pa.int32()), values)


def _row_by_row(columns: Sequence[pa.Array]) -> pa.Array:
    """The values of all columns, those of the first row first."""
    if not columns:
        return pa.array([], pa.string())
    order = np.arange(sum(map(len, columns))).reshape(len(columns), -1).T.ravel()
    return pa.concat_arrays(columns).take(pa.array(order))


def as_plain(answered: Answered) -> list[dict[str, Any]]:
    """What a caller is told of each answer."""
    parts = (answered.records.select(names).to_pylist() for names in (_DECIDED, _MADE_OF))
    together = zip(*parts, answered.probabilities, strict=True)
    return [{**decided, "probabilities": each, **made_of} for decided, made_of, each in together]
