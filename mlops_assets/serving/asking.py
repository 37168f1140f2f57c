"""From the bytes of a request to rows that can be answered, each checked for itself.

Belongs here: what a body must be and how its faults are worded. Types are strict (no number in quotes, no ``true`` for
1, whole numbers of 64 bits, numbers that are finite, a moment with its time), whatever a use case's model would let
pass: what was guessed would be remembered as if it had been sent.
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Annotated, Any

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from mlops_assets.contract.serving import EventTimes
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.requests import request_schema
from mlops_assets.serving.faults import MOST_FAULTS, details_of, fault_of, shortened, status_of
from mlops_assets.serving.wire import Fault, FaultyRow, Refused
from mlops_assets.steps.answer import RequestRow

log = logging.getLogger(__name__)

MOST_FAULTS_OF_ROW = 10
LONGEST_KEY = 200
WHOLE_NUMBERS = range(-(2**63), 2**63)
KEY = Field(
    min_length=1,
    max_length=LONGEST_KEY,
    pattern=r"^[ -~]+$",
    description="Repeating a request with this id (or Idempotency-Key) gives the same answer",
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request: the rows to be answered, the others by their place, and the ``key`` that the caller gave it."""

    good: list[RequestRow]
    faulty: Mapping[int, FaultyRow]
    key: str | None = None

    def in_order(self, answers: Sequence[Any]) -> list[Any]:
        """The answers of the good rows with the faulty ones in their places."""
        following = iter(answers)
        rows = len(self.good) + len(self.faulty)
        return [self.faulty.get(place) or next(following) for place in range(rows)]


class Asking:
    """Checks the bodies of one use case's requests: at most ``most_rows`` rows each."""

    def __init__(self, use_case: UseCase, *, most_rows: int) -> None:
        self._schema = request_schema(use_case.request)
        self._times = use_case.event_times
        self._read = _reader(self._schema.names)
        bounded = _bounded(use_case.request)
        self._unbounded = [(name, column) for column, name in enumerate(self._schema.names) if name not in bounded]
        self.body = body_of(use_case.request, most_rows=most_rows)
        self._adapter: TypeAdapter[Any] = TypeAdapter(self.body)

    def check(self, body: bytes, *, day: date, key: str | None = None) -> Asked:
        """The rows of ``body``; ``day`` is what event times are bounded by, ``key`` what the caller calls this request,
        if not in the body. ``Refused`` where no row is good.
        """
        try:
            ask = self._adapter.validate_json(body, strict=True)
        except ValidationError as error:
            return self._partly(body, error, day=day, key=key)
        return self._asked(ask.rows, places=range(len(ask.rows)), faulty={}, key=ask.id or key, day=day)

    def _partly(self, body: bytes, error: ValidationError, *, day: date, key: str | None) -> Asked:
        """The rows that are good although others are not."""
        of_rows: dict[int, list[Fault]] = defaultdict(list)
        for detail in details_of(error, refused="Nothing was answered."):
            where = detail["loc"]
            if len(where) < 2 or where[0] != "rows":
                raise Refused(status_of(detail), "Nothing was answered.", faults=[fault_of(detail)])
            if len(of_rows[where[1]]) < MOST_FAULTS_OF_ROW:
                of_rows[where[1]].append(fault_of(detail))
        document = pydantic_core.from_json(body)
        places = [place for place in range(len(document["rows"])) if place not in of_rows]
        faulty = {place: _faulty(faults) for place, faults in of_rows.items()}
        if not places:
            raise _refused(faulty)
        rest = pydantic_core.to_json({**document, "rows": [document["rows"][place] for place in places]})
        ask = self._adapter.validate_json(rest, strict=True)
        return self._asked(ask.rows, places=places, faulty=faulty, key=ask.id or key, day=day)

    def _asked(
        self,
        rows: Sequence[BaseModel],
        *,
        places: Sequence[int],
        faulty: dict[int, FaultyRow],
        key: str | None,
        day: date,
    ) -> Asked:
        good: list[RequestRow] = []
        for place, row in zip(places, rows, strict=True):
            values, faults = self._values(row, place=place, day=day)
            if faults:
                faulty[place] = _faulty(faults)
            else:
                good.append(RequestRow(values=values, inputs=row.model_dump_json()))
        if not good:
            raise _refused(faulty)
        return Asked(good=good, faulty=faulty, key=key)

    def _values(self, row: BaseModel, *, place: int, day: date) -> tuple[tuple[object, ...], list[Fault]]:
        try:
            values: tuple[object, ...] = self._read(row)
        except ValueError as error:
            return (), [Fault(row=place, rule=str(error))]
        except Exception:  # a computed field is the use case's own code
            log.exception("a row's computed fields failed")
            return (), [Fault(row=place, rule="what follows from it can be worked out")]
        looked_at = ((name, values[column]) for name, column in self._unbounded)
        return values, [fault for name, value in looked_at for fault in _unusable(name, value, self._times, place, day)]


def body_of(request: type[BaseModel], *, most_rows: int) -> type[BaseModel]:
    """The model of a whole body: documented by OpenAPI, and what is checked."""
    rows = Annotated[list[request], Field(min_length=1, max_length=most_rows, description="What to predict")]  # type: ignore[valid-type]
    return create_model(
        "Ask", __config__=ConfigDict(extra="forbid"), rows=(rows, ...), id=(Annotated[str | None, KEY], None)
    )


def _reader(names: Sequence[str]) -> Callable[[object], tuple[object, ...]]:
    """Reads these attributes of an object, as one tuple."""
    if any("." in name for name in names):  # which would be read as an attribute of an attribute
        return lambda row: tuple(getattr(row, name) for name in names)
    read = attrgetter(*names)
    return read if len(names) > 1 else lambda row: (read(row),)


def _bounded(request: type[BaseModel]) -> frozenset[str]:
    """The fields that the request's own model holds to what a column can hold."""
    fields = request.model_json_schema()["properties"]
    return frozenset(name for name, field in fields.items() if {"enum", "pattern"} & field.keys() or _is_between(field))


def _is_between(field: Mapping[str, Any]) -> bool:
    """Whether a field has a lower and an upper bound, both of 64 bits."""
    kinds = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
    bounds = [[field[name] for name in kind if name in field] for kind in kinds]
    return all(bounds) and all(WHOLE_NUMBERS[0] <= bound <= WHOLE_NUMBERS[-1] for kind in bounds for bound in kind)


def _unusable(name: str, value: object, times: EventTimes, place: int, day: date) -> Iterator[Fault]:
    """What no column could hold, or a moment that is out of the use case's bounds."""
    if type(value) is int and value not in WHOLE_NUMBERS:
        yield Fault(row=place, field=name, value=shortened(value), rule="a whole number has at most 64 bits")
    elif type(value) is float and not math.isfinite(value):
        yield Fault(row=place, field=name, value=shortened(value), rule="a number is finite")
    elif isinstance(value, str) and "\0" in value:  # Postgres keeps no such text, whoever else is answered with it
        yield Fault(row=place, field=name, value=shortened(value), rule="a text has no character of code 0")
    elif name == "event_time" and isinstance(value, datetime) and (rule := times.why_not(value.date(), day=day)):
        yield Fault(row=place, field=name, value=str(value), rule=rule)


def _refused(faulty: Mapping[int, FaultyRow]) -> Refused:
    faults = [fault for place in sorted(faulty) for fault in faulty[place].faults]
    rows = "The row" if len(faulty) == 1 else f"None of the {len(faulty)} rows"
    verb = "cannot" if len(faulty) == 1 else "can"
    return Refused(400, f"{rows} {verb} be predicted. Mend what is named here.", faults=faults[:MOST_FAULTS])


def _faulty(faults: list[Fault]) -> FaultyRow:
    return FaultyRow(error="This row cannot be predicted.", faults=faults)
