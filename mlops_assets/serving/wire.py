"""What goes over the wire: answers, faults of rows, and refusals that say what to mend.

Belongs here: the shapes of responses, which OpenAPI documents as they stand here. How a body becomes checked rows is in
``asking.py``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """What is answered has these fields, all of them and no others."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=(), json_schema_serialization_defaults_required=True)


class Answer(Shape):
    """The answer for one row, in the order of the rows asked."""

    prediction_id: Annotated[str, Field(description="The answer is remembered under it: `mlops trace ID`")]
    score: Annotated[
        float, Field(description="The probability that the row is positive, or of the class; or the number asked for")
    ]
    predicted_positive: Annotated[
        bool | None, Field(description="Whether the score reaches the model's threshold; null if not of two outcomes")
    ] = None
    predicted: Annotated[str | None, Field(description="The most probable class; null if not of several classes")] = (
        None
    )
    probabilities: Annotated[
        dict[str, float] | None, Field(description="The probability of each class; null if not of several classes")
    ] = None
    model_version: Annotated[str, Field(description="The version that answered")]
    history_as_of: Annotated[str | None, Field(description="History known before this day; null if none used")] = None
    history_commit: Annotated[str | None, Field(description="The lakeFS commit that history was made from")] = None
    flags: Annotated[list[str], Field(description="What was unusual, such as an entity without history")] = []


class Fault(Shape):
    """One thing wrong with a request. ``row`` counts from 0; null where the fault is not one row's."""

    row: int | None = None
    field: str | None = None
    value: Annotated[str | None, Field(description="What was found there, shortened")] = None
    rule: Annotated[str, Field(description="What must hold")]


class Refusal(Shape):
    """Why nothing was answered: the one shape of every status but 200."""

    error: str
    faults: list[Fault] = []


class FaultyRow(Shape):
    """Stands in the place of an answer where one row cannot be predicted and others were."""

    error: str
    faults: list[Fault]


class Answers(Shape):
    """For every row, in order, its answer or what is wrong with it."""

    predictions: list[Answer | FaultyRow]


class Contributions(Shape):
    """How far each feature moved one row's answer: with ``base`` they add up to ``margin``."""

    score: float
    margin: Annotated[
        float | dict[str, float],
        Field(
            description="The model's answer before its link function and calibration; by class where there are classes"
        ),
    ]
    base: float | dict[str, float]
    contributions: dict[str, float | dict[str, float]]
    model_version: str
    history_as_of: str | None = None


class Explanations(Shape):
    """For every row, in order, its contributions or what is wrong with it."""

    explanations: list[Contributions | FaultyRow]


class Refused(Exception):
    """A request that is not answered, with the status it gets; ``retry_after`` are seconds, of a 503 one at least."""

    def __init__(self, status: int, error: str, *, faults: list[Fault] | None = None, retry_after: int = 0) -> None:
        super().__init__(error)
        self.status = status
        self.refusal = Refusal(error=error, faults=faults or [])
        self.retry_after = retry_after or int(status == 503)
