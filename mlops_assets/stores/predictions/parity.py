"""Parity: served records computed once more through the offline path, as of their own moment, and compared to the bit.

What was served came from the online store and the service's statement; what it is compared with comes from the lake, at
the commit and for the day that the record names. Which records are looked at is drawn by a seed that the caller gives,
by their numbers, so that a long log is never held at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ValidationError, create_model

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import PlatformError, ServingError
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.tasks import answers
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.requests import request_table
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.tables import Connect
from mlops_assets.stores.features.reading import point_in_time_features
from mlops_assets.stores.models.registry import load_version
from mlops_assets.training.scoring import Scorer

NAME = "served_equals_offline"
SAMPLE = 200
NAMED_DIFFERENCES = 5
SCORE = "score"

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One value of one served record that the offline path computes differently."""

    prediction_id: str
    name: str
    served: object
    offline: object

    def __str__(self) -> str:
        return f"{self.name} of prediction {self.prediction_id} was {self.served!r}, offline it is {self.offline!r}."


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What came of comparing ``compared`` records; ``skipped`` says of the others why they could not be."""

    compared: int
    differences: tuple[Difference, ...]
    skipped: tuple[str, ...]


def audit_parity(
    records: pa.Table, *, of: int, use_case: UseCase, lake: Lake, connect: Connect, seed: int
) -> CheckResult:
    """``NAME``: a sample of served ``records`` (as the lake has them), drawn by ``seed`` from ``of`` of them, equals
    the offline path.

    Without records there is nothing to judge, and it says so. A difference is an ERROR that names the value on both
    sides; records that cannot be computed again, such as those of a commit that is gone, are a WARN that says why.
    """
    found = compare(records.to_pylist(), use_case=use_case, lake=lake, connect=connect)
    told = [str(difference) for difference in found.differences]
    nothing = () if records.num_rows else ("insufficient data: nothing was answered.",)
    reasons = (*told[:NAMED_DIFFERENCES], *dict.fromkeys(found.skipped), *nothing)
    return CheckResult(
        name=NAME,
        passed=not reasons,
        severity=Severity.ERROR if told else Severity.WARN,
        figures={
            "records": of,
            "compared": found.compared,
            "not_comparable": len(found.skipped),
            "differing_values": len(told),
            "seed": seed,
        },
        reasons=reasons,
    )


def compare(records: Sequence[Record], *, use_case: UseCase, lake: Lake, connect: Connect) -> Parity:
    """Every record once more, those of one model, commit and day together."""

    def moment(record: Record) -> tuple[str, str, str]:
        return record["model_version"], record["history_commit"] or "", record["history_as_of"] or ""

    compared = 0
    differences: list[Difference] = []
    skipped: list[str] = []
    for _, together in groupby(sorted(records, key=moment), key=moment):
        group = list(together)
        reason = _why_not(group[0], use_case=use_case)
        try:
            if not reason:
                differences += _differences(group, use_case=use_case, lake=lake, connect=connect)
                compared += len(group)
        except PlatformError as error:
            reason = f"Some records cannot be computed again: {error}"
        skipped += [reason] * len(group) if reason else []
    return Parity(compared=compared, differences=tuple(differences), skipped=tuple(skipped))


def _why_not(record: Record, *, use_case: UseCase) -> str:
    """Why a record says too little to be computed again; empty if it does not."""
    if not use_case.parity:
        hidden = ", ".join(use_case.logged)
        return f"insufficient data: {use_case.name} hides {hidden} in its log, and declares parity=False."
    if (use_case.history or use_case.asof) and not (record["history_commit"] and record["history_as_of"]):
        return "Some records do not say which history they were answered from."
    return ""


def _differences(group: Sequence[Record], *, use_case: UseCase, lake: Lake, connect: Connect) -> Iterator[Difference]:
    first = group[0]
    features = _offline_features(group, use_case=use_case, lake=lake, connect=connect)
    model = load_version(lake.at(), use_case=use_case.name, version=first["model_version"])
    scorer = Scorer.open(model.files)
    answered = answers(scorer.scores(features), task=use_case.task, threshold=model.record.threshold)[SCORE].to_pylist()
    for record, row, offline in zip(group, features.to_pylist(), answered, strict=True):
        served = json.loads(record["features"])
        values = {feature.name: _as_logged(row[feature.name]) for feature in scorer.features} | {SCORE: offline}
        for name, value in values.items():
            answered = record["score"] if name == SCORE else served.get(name)
            if answered != value:
                yield Difference(prediction_id=record["prediction_id"], name=name, served=answered, offline=value)


def _offline_features(group: Sequence[Record], *, use_case: UseCase, lake: Lake, connect: Connect) -> pa.Table:
    """The features of records of one commit and day, from the lake."""
    model = _shown_request(use_case)
    asked = request_table([_request(record, use_case=use_case, model=model) for record in group], model=model)
    moments = pa.array([record["event_time"] for record in group], pa.timestamp("us"))
    if "event_time" in asked.column_names:
        asked = asked.drop_columns(["event_time"])
    as_of = group[0]["history_as_of"]
    with connect() as connection:
        return point_in_time_features(
            asked.append_column("event_time", moments),
            use_case=use_case,
            snapshot=lake.at(group[0]["history_commit"]),
            connection=connection,
            as_of=date.fromisoformat(as_of) if as_of else None,
        )


def _shown_request(use_case: UseCase) -> type[BaseModel]:
    """The request model in which what the log hides is missing."""
    fields = use_case.request.model_fields
    hidden = {name: (fields[name].annotation | None, None) for name in use_case.logged if name in fields}  # type: ignore[operator]
    return create_model(use_case.request.__name__, __base__=use_case.request, **hidden) if hidden else use_case.request  # type: ignore[call-overload]


def _request(record: Record, *, use_case: UseCase, model: type[BaseModel]) -> BaseModel:
    """What was asked, without what the request model works out by itself and what the log hides."""
    left_out = {*use_case.request.model_computed_fields, *use_case.logged}
    asked = {name: value for name, value in json.loads(record["inputs"]).items() if name not in left_out}
    try:
        return model.model_validate(asked)
    except ValidationError as error:
        fields = ", ".join(str(found["loc"][0]) for found in error.errors() if found["loc"])
        raise ServingError(f"What was asked is no request of {use_case.name} any more: {fields}.") from error


def _as_logged(value: object) -> object:
    """As the prediction log keeps it: JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
