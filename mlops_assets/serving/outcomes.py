"""Outcomes that callers send: what turned out to be true of a prediction, by its id or by the use case's own name."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import pydantic_core
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.tasks import Binary, Multiclass, Task
from mlops_assets.serving.faults import MOST_FAULTS, details_of, fault_of, shortened, status_of
from mlops_assets.serving.wire import Fault, Refused, Shape
from mlops_assets.stores.predictions.hiding import Hiding
from mlops_assets.stores.predictions.prediction_log import PredictionLog
from mlops_assets.stores.predictions.records import Outcome

log = logging.getLogger(__name__)

MOST_OUTCOMES = 1_000
NOTHING = "No outcome was recorded."
EARLIEST, AHEAD = datetime(1970, 1, 1, tzinfo=UTC), timedelta(days=1)
"""When an outcome may be known: clocks differ, and a day is more than they do."""
NAME = Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")


class ToldOutcome(BaseModel):
    """One outcome: of the prediction ``prediction_id``, or of the example that the use case calls ``example_id``."""

    model_config = ConfigDict(extra="forbid")

    prediction_id: Annotated[str | None, NAME] = None
    example_id: Annotated[str | None, NAME, Field(description="The use case's own name of it")] = None
    label: Annotated[
        bool | float | str,
        Field(description="true or 1, false or 0; the name of the class; or the number, as the task has it"),
    ]
    known_at: Annotated[AwareDatetime | None, Field(description="With a zone; now, if it is not said")] = None

    @model_validator(mode="after")
    def _names_one(self) -> ToldOutcome:
        if (self.prediction_id is None) == (self.example_id is None):
            raise ValueError("give either prediction_id or example_id")
        return self


class ToldOutcomes(BaseModel):
    """The body of POST /outcomes."""

    model_config = ConfigDict(extra="forbid")

    outcomes: Annotated[list[ToldOutcome], Field(min_length=1, max_length=MOST_OUTCOMES)]


class Receipt(Shape):
    """What became of one outcome."""

    status: Annotated[
        Literal["recorded", "repeated", "corrected", "late", "unknown"],
        Field(
            description="recorded; repeated: known already; corrected: another label was known; "
            "late: recorded, its prediction has left the log for the lake; unknown: nothing was predicted of it"
        ),
    ]


class Receipts(Shape):
    """For every outcome, in order, what became of it."""

    outcomes: list[Receipt]


class Outcomes:
    """Writes outcomes of a ``task`` to ``log``, which knows examples as ``hiding`` lets it."""

    def __init__(self, log: PredictionLog, *, hiding: Hiding, task: Task) -> None:
        self._log = log
        self._hiding = hiding
        self._task = task
        self._adapter = TypeAdapter(ToldOutcomes)

    def record(self, body: bytes) -> bytes:
        """The receipts. ``Refused`` where one of them cannot be an outcome: then none is recorded."""
        try:
            told = self._adapter.validate_json(body, strict=True).outcomes
        except ValidationError as error:
            details = details_of(error, refused=NOTHING)[:MOST_FAULTS]
            raise Refused(status_of(details[0]), NOTHING, faults=[fault_of(each) for each in details]) from error
        now = datetime.now(UTC)
        if faults := list(_faults(told, task=self._task, latest=now + AHEAD)):
            raise Refused(400, NOTHING, faults=faults[:MOST_FAULTS])
        try:
            statuses = self._log.record_outcomes([self._outcome(each, now=now) for each in told])
        except ServingError as error:
            log.error("no outcome can be recorded", extra={"fields": {"reason": str(error)}})
            raise Refused(503, f"{NOTHING} The log cannot be reached: try again later.") from error
        return pydantic_core.to_json({"outcomes": [{"status": status} for status in statuses]})

    def _outcome(self, told: ToldOutcome, *, now: datetime) -> Outcome:
        return Outcome(
            label=float(told.label) if isinstance(told.label, bool) else told.label,
            known_at=told.known_at or now,
            prediction_id=told.prediction_id,
            example_id=told.example_id and self._hiding.example_id(told.example_id),
        )


def _faults(outcomes: Sequence[ToldOutcome], *, task: Task, latest: datetime) -> Iterator[Fault]:
    for row, each in enumerate(outcomes):
        if rule := why_no_label(each.label, task=task):
            yield Fault(row=row, field="label", value=shortened(each.label), rule=rule)
        if each.known_at and not EARLIEST <= each.known_at <= latest:
            rule = f"from {EARLIEST:%Y} to {latest:%Y-%m-%d}"
            yield Fault(row=row, field="known_at", value=str(each.known_at), rule=rule)


def why_no_label(label: float | str, *, task: Task) -> str | None:
    """What rule a label breaks; None if it is one of the task's."""
    if isinstance(task, Multiclass):
        return None if label in task.classes else f"one of {', '.join(task.classes)}"
    if isinstance(label, str) or not abs(label) < float("inf"):
        return "a finite number"
    return "0 or 1" if isinstance(task, Binary) and label not in (0, 1) else None
