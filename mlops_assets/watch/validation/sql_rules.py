"""Says pandera's built-in checks in DuckDB, for the checks where both mean exactly the same.

Each translation is held equal to pandera on pandas by a property test. What is not translated (a use case's
own functions, rules about a whole table, unusual patterns) is ``None`` here and answered by pandera itself;
see ``docs/adr/0004-row-rules-in-duckdb.md``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import pandera.pandas as pandera
import pyarrow as pa
from duckdb import ColumnExpression, ConstantExpression, Expression, FunctionExpression

from mlops_assets.contract.columns import Column

_UNIT = r"(?:[A-Za-z0-9_ /:@#,;=-]|\\[.+*?()|$^/-]|\[\^?[A-Za-z0-9_ ./:-]+\]|\.)"
_TIMES = r"(?:[*+?]|\{\d{1,3}(?:,(?:\d{1,3})?)?\})?"
_PLAIN_PATTERN = re.compile(rf"\^?(?:{_UNIT}{_TIMES})*\$?")
"""Patterns that every engine reads alike: characters, classes and repetitions, no groups."""


class _UntranslatableError(Exception):
    """The check means something that SQL would not say in exactly the same way."""


def is_missing(column: Column) -> Expression:
    """Condition that holds where there is no value: null, or NaN in a column of numbers."""
    value = ColumnExpression(column.name)
    if pa.types.is_floating(column.type):
        return value.isnull() | FunctionExpression("isnan", value)
    return value.isnull()


def is_broken(check: pandera.Check, *, column: Column) -> Expression | None:
    """Condition that holds where ``column`` breaks ``check``; ``None`` if only pandera can tell."""
    name = getattr(check._check_fn, "__name__", "")
    holds = _HOLDS.get(name)
    if holds is None or not check.is_builtin_check(name) or not check.ignore_na or check.element_wise:
        return None
    try:
        return ~is_missing(column) & ~holds(column, check.statistics or {})
    except _UntranslatableError:
        return None


def _constant(column: Column, value: Any) -> Expression:
    """``value`` as DuckDB knows it, if comparing it with the column's type means the same in pandas."""
    if pa.types.is_string(column.type) and isinstance(value, str):
        return ConstantExpression(value)
    numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if numeric and is_number and math.isfinite(value) and abs(value) < 2**53:
        return ConstantExpression(value)
    raise _UntranslatableError


def _number(column: Column, value: Any) -> Expression:
    """A bound to compare with: numbers only, texts have no order that all engines share."""
    if isinstance(value, str):
        raise _UntranslatableError
    return _constant(column, value)


def _compared(parameter: str, compare: Callable[[Expression, Expression], Any]) -> _Translation:
    """The column compared with one bound."""

    def holds(column: Column, statistics: Mapping[str, Any]) -> Expression:
        bound = _number(column, statistics[parameter])
        return _expression(compare(ColumnExpression(column.name), bound))

    return holds


def _equal(column: Column, statistics: Mapping[str, Any]) -> Expression:
    return _expression(ColumnExpression(column.name) == _constant(column, statistics["value"]))


def _in_range(column: Column, statistics: Mapping[str, Any]) -> Expression:
    value = ColumnExpression(column.name)
    low, high = (_number(column, statistics[name]) for name in ("min_value", "max_value"))
    above = value >= low if statistics["include_min"] else value > low
    below = value <= high if statistics["include_max"] else value < high
    return _expression(above & below)


def _one_of(parameter: str) -> _Translation:
    def holds(column: Column, statistics: Mapping[str, Any]) -> Expression:
        allowed = [_constant(column, value) for value in statistics[parameter]]
        if not allowed:
            raise _UntranslatableError
        return ColumnExpression(column.name).isin(*allowed)

    return holds


def _ended_as_python(pattern: str) -> str:
    """``$`` also matches before a line's end that is the last character."""
    ends = pattern.endswith("$") and not pattern.endswith(r"\$")
    return rf"{pattern[:-1]}\n?$" if ends else pattern


def _pattern(prefix: str) -> _Translation:
    def holds(column: Column, statistics: Mapping[str, Any]) -> Expression:
        pattern = statistics["pattern"]
        if not pa.types.is_string(column.type) or not _is_plain(pattern):
            raise _UntranslatableError
        told = ConstantExpression(f"{prefix}(?:{_ended_as_python(pattern)})")
        return FunctionExpression("regexp_matches", ColumnExpression(column.name), told)

    return holds


def _is_plain(pattern: Any) -> bool:
    """An empty pattern is not plain: DuckDB 2.0 finds ``^(?:)`` nowhere."""
    return isinstance(pattern, str) and bool(pattern) and _PLAIN_PATTERN.fullmatch(pattern) is not None


def _affix(function: str) -> _Translation:
    def holds(column: Column, statistics: Mapping[str, Any]) -> Expression:
        if not pa.types.is_string(column.type) or not isinstance(statistics["string"], str):
            raise _UntranslatableError
        return FunctionExpression(function, ColumnExpression(column.name), ConstantExpression(statistics["string"]))

    return holds


def _length(column: Column, statistics: Mapping[str, Any]) -> Expression:
    """Lengths are counted in Unicode code points."""
    low, high, exact = (statistics.get(name) for name in ("min_value", "max_value", "exact_value"))
    if not pa.types.is_string(column.type) or (low, high, exact) == (None, None, None):
        raise _UntranslatableError
    length = FunctionExpression("length", ColumnExpression(column.name))
    low, high = (exact, exact) if exact is not None else (low, high)
    holds = ConstantExpression(True)
    if low is not None:
        holds = holds & (length >= ConstantExpression(low))
    if high is not None:
        holds = holds & (length <= ConstantExpression(high))
    return holds


def _expression(condition: Any) -> Expression:
    """DuckDB overloads the operators; their annotations say ``bool``."""
    assert isinstance(condition, Expression)
    return condition


_Translation = Callable[[Column, Mapping[str, Any]], Expression]
_HOLDS: Mapping[str, _Translation] = {
    "equal_to": _equal,
    "not_equal_to": lambda column, statistics: ~_equal(column, statistics),
    "greater_than": _compared("min_value", lambda value, bound: value > bound),
    "greater_than_or_equal_to": _compared("min_value", lambda value, bound: value >= bound),
    "less_than": _compared("max_value", lambda value, bound: value < bound),
    "less_than_or_equal_to": _compared("max_value", lambda value, bound: value <= bound),
    "in_range": _in_range,
    "isin": _one_of("allowed_values"),
    "notin": lambda column, statistics: ~_one_of("forbidden_values")(column, statistics),
    "str_matches": _pattern("^"),
    "str_contains": _pattern(""),
    "str_startswith": _affix("starts_with"),
    "str_endswith": _affix("ends_with"),
    "str_length": _length,
}
