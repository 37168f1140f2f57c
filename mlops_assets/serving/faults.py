"""From pydantic's errors to faults that name row, field, value and rule; and to the status that a body gets.

Belongs here: how faults are worded and cut, for every route that takes a body.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from mlops_assets.serving.wire import Fault, Refused

MOST_FAULTS = 100
"""That one refusal names."""
MOST_NAMED = 20_000
"""Of more, none is named: pydantic words all or none, at a hundred thousand a second."""
LONGEST_VALUE = 60
_SILENT = ("missing", "extra_forbidden", "json_invalid")


def details_of(error: ValidationError, *, refused: str) -> list[Any]:
    """Pydantic's details of an error. ``Refused`` where they are too many."""
    if (count := error.error_count()) > MOST_NAMED:
        raise Refused(400, f"{refused} {count} faults are too many to be named.")
    return list(error.errors(include_url=False, include_context=False))


def fault_of(detail: Any) -> Fault:
    """One of pydantic's details: of one row where it lies in a list at the top, as ``rows`` is."""
    where = detail["loc"]
    row = where[1] if len(where) > 1 and isinstance(where[1], int) else None
    field = ".".join(str(part) for part in (where if row is None else where[2:]))
    return Fault(
        row=row,
        field=shortened_text(field) or None,
        value=None if detail["type"] in _SILENT else shortened(detail["input"]),
        rule=detail["msg"].removeprefix("Value error, "),
    )


def status_of(detail: Any) -> int:
    """413 where it is too much, in rows or in depth."""
    too_deep = detail["type"] == "json_invalid" and "recursion limit" in detail["msg"]
    too_many = detail["type"] == "too_long" and len(detail["loc"]) == 1
    return 413 if too_deep or too_many else 400


def shortened(value: object) -> str:
    """A value as Python writes it, cut."""
    return shortened_text(repr(value))


def shortened_text(text: str) -> str:
    """A text that an answer may hold."""
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."
