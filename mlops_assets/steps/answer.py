"""Answer: from checked requests to answers that can be recorded: look up history, compute features, score, flag.

Belongs here: the order of these steps, for whoever serves. Opening a model, HTTP and the log are in ``serving/``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from mlops_assets.contract.tasks import answers, by_class
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.matrix import Matrix
from mlops_assets.features.request_step import RequestStep
from mlops_assets.features.requests import request_table
from mlops_assets.steps.step import Step
from mlops_assets.stores.features.online import LookUp, OnlineStore
from mlops_assets.stores.predictions.prediction_record import PredictionRecord
from mlops_assets.training.scoring import Scorer


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The version that answers; ``online`` is None for a use case without history and side data."""

    use_case: UseCase
    version: str
    scorer: Scorer
    threshold: float
    online: OnlineStore | None


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What is to be remembered of each answer, and the probability of each class where there are classes."""

    records: list[PredictionRecord]
    probabilities: Sequence[dict[str, float] | None]


def answer(
    rows: Sequence[BaseModel],
    *,
    serving: Serving,
    request_step: RequestStep,
    answered_at: datetime,
    new_id: Callable[[], str],
) -> Step[Answered]:
    """One answer per row, in order; none counts as given before its record is in the log.

    ``answered_at`` has a zone. Raises ServingError when history is missing.
    """
    use_case, scorer = serving.use_case, serving.scorer
    examples = _examples(rows, use_case=use_case, answered_at=answered_at)
    found = serving.online.look_up(examples) if serving.online else None
    features = request_step.compute(found.examples if found else examples)
    matrix = scorer.vocabulary.encode(features, features=use_case.features)
    scores = scorer.of_matrix(matrix)
    records = _records(
        rows,
        examples=examples,
        features=features,
        answered=answers(scores, task=use_case.task, threshold=serving.threshold),
        flags=_flags(examples, use_case=use_case, features=features, matrix=matrix, found=found),
        found=found,
        version=serving.version,
        answered_at=answered_at,
        new_id=new_id,
    )
    return Step(outcome=Answered(records=records, probabilities=by_class(scores, task=use_case.task)))


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


def _flags(
    examples: pa.Table, *, use_case: UseCase, features: pa.Table, matrix: Matrix, found: LookUp | None
) -> list[list[str]]:
    """Per row: categories the model never saw, entities without history, history of another day."""
    flags: list[list[str]] = [[] for _ in range(examples.num_rows)]
    for position, feature in enumerate(use_case.features):
        if feature.kind == "categorical":
            unseen = np.isnan(matrix.values[:, position]) & np.asarray(features[feature.name].is_valid())
            for row in np.flatnonzero(unseen).tolist():
                flags[row].append(f"unknown {feature.name} '{features[feature.name][row].as_py()}'")
    if found is not None:
        _flag_history(flags, examples=examples, use_case=use_case, found=found)
    return flags


def _flag_history(flags: list[list[str]], *, examples: pa.Table, use_case: UseCase, found: LookUp) -> None:
    for view in use_case.history:
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
    rows: Sequence[BaseModel],
    *,
    examples: pa.Table,
    features: pa.Table,
    answered: Mapping[str, pa.Array],
    flags: Sequence[Sequence[str]],
    found: LookUp | None,
    version: str,
    answered_at: datetime,
    new_id: Callable[[], str],
) -> list[PredictionRecord]:
    ids, moments = examples["id"].to_pylist(), examples["event_time"].to_pylist()
    values = features.drop_columns(["id"]).to_pylist()
    told = pa.table(dict(answered)).to_pylist()
    return [
        PredictionRecord(
            prediction_id=new_id(),
            example_id=ids[number],
            answered_at=answered_at,
            event_time=moments[number],
            model_version=version,
            **told[number],
            history_as_of=found.as_of.isoformat() if found else None,
            history_commit=found.commit if found else None,
            inputs=row.model_dump(mode="json"),
            features={name: _finite(value) for name, value in values[number].items()},
            flags=tuple(flags[number]),
        )
        for number, row in enumerate(rows)
    ]


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
