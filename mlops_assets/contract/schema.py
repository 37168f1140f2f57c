"""Reads a pandera model as the lake needs it: columns with Arrow types, checked to be usable row by row.

What values must fulfil is said by the use case's models; how the rules are evaluated is in ``row_rules.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from mlops_assets.contract.columns import SOURCE_ROW, Column, Columns
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.rule_code import code_of

Model = type[pandera.DataFrameModel]

_BOUNDS = {
    "greater_than_or_equal_to": ("at_least", "min_value"),
    "greater_than": ("above", "min_value"),
    "less_than_or_equal_to": ("at_most", "max_value"),
    "less_than": ("below", "max_value"),
}


@dataclass(frozen=True)
class Schema:
    """A pandera model read once: columns in order, unique keys, and pandera's own schema with the checks."""

    name: str
    columns: tuple[Column, ...]
    keys: tuple[tuple[str, ...], ...]
    rules: pandera.DataFrameSchema

    @property
    def ordered(self) -> bool:
        """Whether a file must have the columns in the model's order."""
        return bool(self.rules.ordered)

    @property
    def strict(self) -> bool:
        """Whether a file with further columns is refused; otherwise they are kept out."""
        return self.rules.strict is True

    @property
    def layout(self) -> Columns:
        """The columns and keys alone."""
        return Columns(columns=self.columns, keys=self.keys)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in the order of the file's header."""
        return tuple(column.name for column in self.columns)

    @property
    def version(self) -> str:
        """Twelve digits that change with what the model accepts: columns, types, keys, rules and their own code."""
        told = [[column.name, str(column.type), column.nullable] for column in self.columns]
        lenient = [name for name in ("ordered", "strict") if not getattr(self, name)]
        rules = [_said(check) for check in _checks(self.rules)]
        return sha256(json.dumps([told, self.keys, rules, *([lenient] if lenient else [])]).encode()).hexdigest()[:12]

    @property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of a validated table: the declared columns and ``source_row``."""
        fields = [pa.field(column.name, column.type) for column in self.columns]
        return pa.schema([*fields, pa.field(SOURCE_ROW, pa.int64())])


@cache
def read_schema(model: Model) -> Schema:
    """Read ``model``; raise DeclarationError for what cannot be honoured row by row on files."""
    rules = model.to_schema()
    _refuse_unsupported(model.__name__, rules)
    columns = tuple(_column(model.__name__, name, declared) for name, declared in rules.columns.items())
    keys = [(name,) for name, declared in rules.columns.items() if declared.unique]
    if rules.unique:
        keys.append(tuple(rules.unique))
    return Schema(name=model.__name__, columns=columns, keys=tuple(keys), rules=rules)


def _refuse_unsupported(model: str, rules: pandera.DataFrameSchema) -> None:
    """Landed values are kept as they are and every column is in the header: refuse what would break that."""
    lowered = [str(name).lower() for name in rules.columns]
    alike = [str(name) for name in rules.columns if lowered.count(str(name).lower()) > 1]
    unsupported = {
        "parsers": bool(rules.parsers) or any(column.parsers for column in rules.columns.values()),
        "an index": rules.index is not None,
        "column patterns (regex=True)": any(column.regex for column in rules.columns.values()),
        "optional columns": any(not column.required for column in rules.columns.values()),
        "checks with groupby": any(check.groupby is not None for check in _checks(rules)),
        f"a column named '{SOURCE_ROW}'": SOURCE_ROW in rules.columns,
        f"columns that differ only in case ({', '.join(alike)}), which SQL reads as one": bool(alike),
    }
    found = [what for what, present in unsupported.items() if present]
    if found:
        raise DeclarationError(
            f"Model {model} declares {', '.join(found)}: not supported for landed files. "
            "Use required columns, column checks, dataframe checks and Config.unique."
            + (f" Where a file has both names, the later one is alias='{alike[-1]}.1'." if alike else "")
        )


def _checks(rules: pandera.DataFrameSchema) -> list[Any]:
    return [*rules.checks, *(check for column in rules.columns.values() for check in column.checks)]


def _said(check: Any) -> list[str]:
    """A check as text: what it is called, what it compares with, and the code of a use case's own with its helpers."""
    code = [] if check.statistics else code_of(check._check_fn)
    return [str(check.name), str(check.error), str(sorted((check.statistics or {}).items(), key=str)), *code]


def _column(model: str, name: str, declared: pandera.Column) -> Column:
    arrow = _arrow_type(declared.dtype)
    if arrow is None:
        raise DeclarationError(
            f"Column '{name}' of model {model} has the type {declared.dtype}, unknown here. "
            "Use int, float, str, bool, date, datetime, or pandas' Int16, Int32, Int64, Boolean."
        )
    return Column(
        name=name,
        type=arrow,
        nullable=declared.nullable,
        description=declared.description or "",
        **dict(_limits(declared)),
    )


def _limits(declared: pandera.Column) -> Iterator[tuple[str, Any]]:
    """The bounds and the allowed values that pandera's own checks say of a column."""
    for check in declared.checks:
        told = check.statistics or {}
        if check.name == "isin":
            allowed = tuple(told["allowed_values"])
            yield "allowed", allowed if all(isinstance(value, str | int | float) for value in allowed) else ()
        elif check.name == "in_range":
            yield ("at_least" if told.get("include_min", True) else "above"), _number(told["min_value"])
            yield ("at_most" if told.get("include_max", True) else "below"), _number(told["max_value"])
        elif check.name in _BOUNDS:
            bound, statistic = _BOUNDS[check.name]
            yield bound, _number(told[statistic])


def _number(bound: Any) -> float | None:
    """A bound of numbers; those of times are judged where files are, and bound no request."""
    return bound if isinstance(bound, int | float) and not isinstance(bound, bool) else None


def _arrow_type(dtype: Any) -> pa.DataType | None:
    """Arrow type of one of pandera's data types; ``None`` if there is none for it."""
    if str(dtype) == "date":
        return pa.date32()
    declared = getattr(dtype, "type", None)
    if isinstance(declared, pd.StringDtype):
        return pa.string()
    if isinstance(declared, pd.BooleanDtype):
        return pa.bool_()
    kind = np.dtype(getattr(declared, "numpy_dtype", declared)) if declared is not None else None
    if kind is not None and kind.kind == "M":
        return pa.timestamp("us")
    names = {
        "int64": pa.int64(),
        "int32": pa.int32(),
        "int16": pa.int16(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
    }
    return names.get(str(kind))
