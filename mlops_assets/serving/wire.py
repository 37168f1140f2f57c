"""What goes over the wire: rows that are checked one by one, answers, and refusals that say what to mend.

Belongs here: the shapes of requests and responses and how faults are worded. How a row is predicted is in
``predictor.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, WrapValidator

MOST_ROWS = 10_000
MOST_FAULTS = 100


class Answer(BaseModel):
    """The answer for one row, in the order of the rows asked."""

    prediction_id: Annotated[str, Field(description="The answer is remembered under it: `mlops trace ID`")]
    score: Annotated[
        float, Field(description="The probability that the row is positive, or of the class; or the number asked for")
    ]
    predicted_positive: Annotated[
        bool | None, Field(description="Whether the score reaches the model's threshold; null if not of two outcomes")
    ]
    predicted: Annotated[str | None, Field(description="The most probable class; null if not of several classes")]
    probabilities: Annotated[
        dict[str, float] | None, Field(description="The probability of each class; null if not of several classes")
    ]
    model_version: Annotated[str, Field(description="The version that answered")]
    history_as_of: Annotated[str | None, Field(description="History known before this day; null if none used")]
    history_commit: Annotated[str | None, Field(description="The lakeFS commit that history was made from")]
    flags: Annotated[list[str], Field(description="What was unusual, such as an entity without history")]


class Answers(BaseModel):
    """One answer per row."""

    predictions: list[Answer]


class Fault(BaseModel):
    """One thing wrong with a request. ``row`` counts from 0; null where the fault is not one row's."""

    row: int | None
    field: str | None
    reason: str


class Refusal(BaseModel):
    """Why nothing was predicted."""

    error: str
    faults: list[Fault] = []


def rows_of(request: type[BaseModel]) -> Any:
    """The type of the API's ``rows``: documented as a list of ``request``, but a bad row does not fail the
    others.

    BentoML answers a failed validation with a text of its own; here the failure is kept in the row's place
    and worded by ``refusal``.
    """
    row = Annotated[request, WrapValidator(_keep_failure)]
    description = f"The rows to predict, at most {MOST_ROWS}: all are answered, or none"
    return Annotated[list[row], WrapValidator(_keep_failure), Field(description=description)]  # type: ignore[valid-type]


def refusal(rows: object) -> Refusal | None:
    """Why these rows cannot be predicted, naming row, field and reason; None when all are good."""
    if isinstance(rows, ValidationError) or rows is None:
        reason = 'must be a list of rows, such as {"rows": [{...}, {...}]}'
        return Refusal(error="Nothing was predicted.", faults=[Fault(row=None, field="rows", reason=reason)])
    assert isinstance(rows, Sequence)
    if not 0 < len(rows) <= MOST_ROWS:
        reason = f"has {len(rows)} rows; 1 to {MOST_ROWS} can be answered at once"
        return Refusal(error="Nothing was predicted.", faults=[Fault(row=None, field="rows", reason=reason)])
    faults = [fault for number, row in enumerate(rows) for fault in _faults(row, number=number)]
    if not faults:
        return None
    bad = len({fault.row for fault in faults})
    text = f"{bad} of {len(rows)} rows cannot be predicted, so none was. Mend or leave out what is named here."
    return Refusal(error=text, faults=faults[:MOST_FAULTS])


def _faults(row: object, *, number: int) -> Iterator[Fault]:
    if not isinstance(row, ValidationError):
        return
    for told in row.errors(include_url=False, include_context=False):
        field = ".".join(str(part) for part in told["loc"]) or None
        reason = told["msg"].removeprefix("Value error, ")
        if told["type"] not in ("missing", "extra_forbidden"):
            reason = f"{reason}; found {_shortened(told['input'])}"
        yield Fault(row=number, field=field, reason=reason)


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keep_failure(value: object, handler: Callable[[object], object]) -> object:
    try:
        return handler(value)
    except ValidationError as error:
        return error
