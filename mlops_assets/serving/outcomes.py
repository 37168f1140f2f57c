"""Outcomes that callers send: what turned out to be true of a prediction, by its id or by the use case's own name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import pydantic_core
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.tasks import Binary, Multiclass, Task
from mlops_assets.serving.wire import Fault, Refused
from mlops_assets.stores.predictions.prediction_log import PredictionLog
from mlops_assets.stores.predictions.records import Outcome

MOST_OUTCOMES = 1_000


class ToldOutcome(BaseModel):
    """One outcome: of the prediction ``prediction_id``, or of the example that the use case calls ``example_id``."""

    model_config = ConfigDict(extra="forbid")

    prediction_id: Annotated[str | None, Field(max_length=200)] = None
    example_id: Annotated[str | None, Field(max_length=200, description="The use case's own name of it")] = None
    label: Annotated[
        float | str,
        Field(description="true or 1, false or 0; the name of the class; or the number, as the task has it"),
    ]
    known_at: Annotated[AwareDatetime | None, Field(description="With a zone; now, if it is not said")] = None

    @model_validator(mode="before")
    @classmethod
    def _truth_as_number(cls, told: object) -> object:
        if isinstance(told, dict) and isinstance(told.get("label"), bool):
            return {**told, "label": float(told["label"])}
        return told

    @model_validator(mode="after")
    def _names_one(self) -> ToldOutcome:
        if (self.prediction_id is None) == (self.example_id is None):
            raise ValueError("give either prediction_id or example_id")
        return self


class ToldOutcomes(BaseModel):
    """The body of POST /outcomes."""

    model_config = ConfigDict(extra="forbid")

    outcomes: Annotated[list[ToldOutcome], Field(min_length=1, max_length=MOST_OUTCOMES)]


class Receipt(BaseModel):
    """What became of one outcome."""

    status: Annotated[
        str,
        Field(
            description="recorded; repeated: known already; corrected: another label was known; "
            "late: recorded, its prediction has left the log for the lake; unknown: nothing was predicted of it"
        ),
    ]


class Receipts(BaseModel):
    """For every outcome, in order, what became of it."""

    outcomes: list[Receipt]


class Outcomes:
    """Writes outcomes of a ``task`` to ``log``."""

    def __init__(self, log: PredictionLog, *, task: Task) -> None:
        self._log = log
        self._task = task
        self._adapter = TypeAdapter(ToldOutcomes)

    def record(self, body: bytes) -> bytes:
        """The receipts. ``Refused`` where one of them cannot be an outcome: then none is recorded."""
        try:
            told = self._adapter.validate_json(body, strict=True).outcomes
        except ValidationError as error:
            faults = [
                Fault(row=_row(each["loc"]), field=".".join(map(str, each["loc"][2:])) or None, rule=each["msg"])
                for each in error.errors(include_url=False, include_context=False)[:100]
            ]
            raise Refused(400, "No outcome was recorded.", faults=faults) from error
        faults = [
            Fault(row=row, field="label", value=repr(each.label)[:60], rule=rule)
            for row, each in enumerate(told)
            if (rule := why_no_label(each.label, task=self._task))
        ]
        if faults:
            raise Refused(400, "No outcome was recorded.", faults=faults[:100])
        now = datetime.now(UTC)
        try:
            statuses = self._log.record_outcomes(
                [
                    Outcome(
                        label=each.label,
                        known_at=each.known_at or now,
                        prediction_id=each.prediction_id,
                        example_id=each.example_id,
                    )
                    for each in told
                ]
            )
        except ServingError as error:
            raise Refused(503, "No outcome was recorded: the log cannot be reached. Try again later.") from error
        return pydantic_core.to_json({"outcomes": [{"status": status} for status in statuses]})


def why_no_label(label: float | str, *, task: Task) -> str | None:
    """What rule a label breaks; None if it is one of the task's."""
    if isinstance(task, Multiclass):
        return None if label in task.classes else f"one of {', '.join(task.classes)}"
    if isinstance(label, str) or not abs(label) < float("inf"):
        return "a finite number"
    return "0 or 1" if isinstance(task, Binary) and label not in (0, 1) else None


def _row(where: tuple[int | str, ...]) -> int | None:
    return where[1] if len(where) > 1 and isinstance(where[1], int) else None
