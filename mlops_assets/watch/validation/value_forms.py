"""How values are written that should not be so: a decimal comma, a spreadsheet's date, spaces around them.

Looks at the text of values that broke a rule, and says which one habit explains them. Knows no tables.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlops_assets.contract.anomalies import Cause

SHARE_EXPLAINED = 0.8
"""A form explains values if at least this share of them is written in it."""

_NULLS = {"null", "none", "n/a", "#n/a", "nan", "nil", "-", "--", "?", ".", "unknown", "missing", "(null)", "\\n", "na"}
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([ ,.'\u00a0\u202f]\d{3})+([.,]\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_SERIAL = re.compile(r"[2-6]\d{4}(\.\d+)?")
_DATE = re.compile(
    r"(\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}[/.]\d{1,2}[/.]\d{1,2}|\d{8}|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4}).*"
)
_TIME_WITH_TAIL = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?)?\s*[^\d\s].*")
_WITH_UNIT = re.compile(r"[+-]?\d+([.,]\d+)?\s*[A-Za-z°%$€]+")


@dataclass(frozen=True, kw_only=True)
class Form:
    """The habit that explains the values, with its evidence in one sentence."""

    cause: Cause
    explanation: str


def explain_form(values: Sequence[str], *, rule: str) -> Form | None:
    """What one habit of writing explains ``values``, which broke ``rule``; ``None`` if none does."""
    if not values:
        return None
    for cause, (said, fits) in _forms(rule).items():
        examples = [value for value in values if fits(value)]
        if len(examples) >= SHARE_EXPLAINED * len(values):
            shown = ", ".join(f"'{value}'" for value in dict.fromkeys(examples[:20]))
            return Form(cause=cause, explanation=f"{said}, such as {_cut(shown)}.")
    return None


def _forms(rule: str) -> Mapping[Cause, tuple[str, Callable[[str], bool]]]:
    """The forms in the order in which they are tried, the most particular first."""
    forms: dict[Cause, tuple[str, Callable[[str], bool]]] = {
        Cause.NULL_TEXT: ("A missing value is written as text", lambda value: value.strip().lower() in _NULLS),
        Cause.SPACES: ("Spaces stand around the values", lambda value: value != value.strip()),
    }
    if rule == "column_type":
        forms |= {
            Cause.THOUSANDS_SEPARATOR: ("Thousands are separated", _whole(_THOUSANDS)),
            Cause.DECIMAL_COMMA: ("Numbers have a decimal comma", _whole(_DECIMAL_COMMA)),
            Cause.SERIAL_DATE: ("Dates are a spreadsheet's day numbers", _whole(_SERIAL)),
            Cause.DATE_FORMAT: ("Dates or times are in another format than YYYY-MM-DD hh:mm:ss", _is_dated_otherwise),
            Cause.UNIT_SUFFIX: ("Numbers have their unit beside them", _whole(_WITH_UNIT)),
        }
    accepted = _accepts(rule)
    if accepted is not None:
        forms[Cause.LETTER_CASE] = (
            "Only upper and lower case differ",
            lambda value: any(accepted(other) for other in (value.upper(), value.lower(), value.title())),
        )
    return forms


def _is_dated_otherwise(value: str) -> bool:
    """A date in another order, or in ISO 8601 with more behind it."""
    return any(pattern.fullmatch(value.strip()) for pattern in (_DATE, _TIME_WITH_TAIL))


def _whole(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value.strip()) is not None


def _accepts(rule: str) -> Callable[[str], bool] | None:
    """What the text of a pandera rule about texts accepts."""
    name, _, argument = rule.partition("(")
    try:
        told = ast.literal_eval(argument.removesuffix(")"))
    except (SyntaxError, ValueError):
        return None
    if name == "isin" and isinstance(told, list | tuple | set):
        return lambda value: value in told
    if name == "str_matches" and isinstance(told, str):
        return lambda value: re.match(told, value) is not None
    return None


def _cut(text: str, length: int = 80) -> str:
    if len(text) <= length:
        return text
    end = text.rfind(", ", 0, length)
    return f"{text[:end]}, …" if end > 0 else f"{text[:length]}…"
