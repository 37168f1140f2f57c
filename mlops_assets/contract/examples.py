"""The SQL of the examples where it is not written: the rows of the source that has the label, each with its id.

What a caller computes of a request (``derived_request.py``) must be the same text: both follow ``Identity``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from mlops_assets.contract.columns import Column, Columns
from mlops_assets.contract.defaults import is_by_period, label_columns, label_source
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.sql import GeneratedSql, identifier, literal
from mlops_assets.contract.tasks import Binary, Multiclass

if TYPE_CHECKING:
    from mlops_assets.contract.use_case import UseCase

SEPARATOR = "|"
MOMENT = "%Y-%m-%d %H:%M:%S.%f"
"""How a time is written in an id, in DuckDB and in Python alike."""
RESERVED = ("id", "label", "event_time", "outcome_known_at", "batch")
"""Columns of examples that mean something to the platform."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The columns whose values name a row, in order; none where batch and place in the file do."""

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, use_case: UseCase) -> Self:
        """The key, and of files that come by time the time as well, without which a key holds within one file alone."""
        layout, names = label_columns(use_case), use_case.key
        if names and use_case.time and use_case.time not in names and is_by_period(use_case):
            names = (*names, use_case.time)
        columns = tuple(column for name in names if (column := layout.find(name)) is not None)
        for column in columns:
            _refuse_unnameable(column, use_case=use_case.name)
        return cls(columns=columns)

    @property
    def prefix(self) -> str:
        """``person-``: a whole number by itself says little, so the name of its column goes before it."""
        (*others, last) = self.columns
        alone = not others and last.is_number and last.name != "id"
        return f"{last.name}-" if alone else ""

    @property
    def sql(self) -> str:
        """The id of a row of the source."""
        if not self.columns:
            return f"batch || '-' || {identifier('source_row')}"
        parts = f" || '{SEPARATOR}' || ".join(_as_text(column) for column in self.columns)
        return f"{literal(self.prefix)} || {parts}" if self.prefix else parts


def examples_of(use_case: UseCase) -> GeneratedSql:
    """One row per row of the source that has the label: its id, label and times, and every other column as it is."""
    source = label_source(use_case)
    selected = ",\n    ".join(_selected(use_case, source.layout))
    text = f"-- Generated: one row per row of {source.name}.\nSELECT\n    {selected}\nFROM {identifier(source.name)}\n"
    return GeneratedSql(name="the generated examples.sql", text=text)


def time_column(use_case: UseCase) -> Column | None:
    """The column that says when something happened; DeclarationError where it holds no times."""
    column = label_columns(use_case).find(use_case.time) if use_case.time else None
    if column is not None and not column.is_moment:
        raise DeclarationError(
            f"Use case '{use_case.name}', time: '{column.name}' is {column.kind}, where a date or a time is needed: "
            "mend its type in the schema, or write examples_sql."
        )
    return column


def asked_columns(use_case: UseCase) -> tuple[Column, ...]:
    """The columns that a caller knows: all but label, weight, and what is left out."""
    kept_out = {use_case.label, use_case.weight, *use_case.left_out}
    return tuple(each for each in label_columns(use_case).columns if each.name not in kept_out)


def _selected(use_case: UseCase, layout: Columns) -> Iterator[str]:
    label, time = layout.find(use_case.label or ""), time_column(use_case)
    assert label is not None
    yield f"{Identity.of(use_case).sql} AS id"
    yield f"{_label(use_case, label)} AS label"
    if time is not None:
        moment = f"CAST({identifier(time.name)} AS TIMESTAMP)"
        yield f"{moment} AS event_time"
        yield f"date_trunc('day', {moment}) + INTERVAL 1 DAY AS outcome_known_at"
    meant = {use_case.label, *(name for name in (use_case.time,) if name == "event_time")}
    meant |= {name for name in use_case.key if name == "id"} | {*use_case.left_out}.intersection(RESERVED)
    for column in layout.columns:
        if column.name in meant:
            continue
        if column.name in RESERVED:
            raise DeclarationError(
                f"Use case '{use_case.name}': the column '{column.name}' of its source is called as examples call "
                "something else. Name it in left_out or, if it names the rows, in key; or write examples_sql."
            )
        yield _plain(column)


def _plain(column: Column) -> str:
    """The column as requests have it: every whole number has 64 bits there."""
    name = identifier(column.name)
    return f"CAST({name} AS BIGINT) AS {name}" if str(column.type) in ("int16", "int32") else name


def _label(use_case: UseCase, column: Column) -> str:
    name = identifier(column.name)
    if isinstance(use_case.task, Multiclass):
        return _place(name, classes=use_case.task.classes, label=column.name)
    if not isinstance(use_case.task, Binary):
        _refuse_text(use_case, column)
        return f"CAST({name} AS DOUBLE)"
    if use_case.positive is None:
        _refuse_no_outcome(use_case, column)
        return f"CAST({name} AS INTEGER)"
    _refuse_never_positive(use_case, column)
    return f"CAST({name} = {_value(use_case.positive, column)} AS INTEGER)"


def _place(name: str, *, classes: tuple[str, ...], label: str) -> str:
    """The place of a row's class; a class that is not declared fails where it is read, naming it."""
    places = " ".join(f"WHEN {literal(each)} THEN {place}" for place, each in enumerate(classes))
    text = f"CAST({name} AS VARCHAR)"
    wrong = f"error({literal(f'The classes of the task do not have this value of {label}: ')} || {text})"
    return f"CASE {text} {places} ELSE CASE WHEN {name} IS NOT NULL THEN {wrong} END END"


def _value(positive: str | int | bool, column: Column) -> str:
    if column.is_text:
        return literal(str(positive))
    return f"CAST({literal(str(positive))} AS {'BOOLEAN' if str(column.type) == 'bool' else 'DOUBLE'})"


def _refuse_text(use_case: UseCase, column: Column) -> None:
    if not column.is_number:
        raise DeclarationError(
            f"Use case '{use_case.name}', label: '{column.name}' is {column.kind}, and a Regression needs a number: "
            "mend its type in the schema, or declare another task."
        )


def _refuse_no_outcome(use_case: UseCase, column: Column) -> None:
    """A label of two outcomes is 0 or 1, or it is said which value counts as 1."""
    outcomes = not column.allowed or {*column.allowed} <= {0, 1}
    if column.is_number and outcomes:
        return
    values = f" Its values: {', '.join(map(str, column.allowed))}." if column.allowed else ""
    raise DeclarationError(
        f"Use case '{use_case.name}', label: '{column.name}' is {column.kind} and not 0 or 1: say which of its values "
        f"counts as 1 (positive=…), or declare task=Multiclass(classes=…) or Regression().{values}"
    )


def _refuse_never_positive(use_case: UseCase, column: Column) -> None:
    if column.allowed and use_case.positive not in column.allowed:
        raise DeclarationError(
            f"Use case '{use_case.name}', positive: '{column.name}' is never {use_case.positive!r}. "
            f"Its values: {', '.join(map(repr, column.allowed))}."
        )


def _refuse_unnameable(column: Column, *, use_case: str) -> None:
    if str(column.type) in ("double", "bool"):
        raise DeclarationError(
            f"Use case '{use_case}', key: '{column.name}' is {column.kind}, which does not name a row: take whole "
            "numbers, texts, dates or times, or leave key out."
        )


def _as_text(column: Column) -> str:
    name = identifier(column.name)
    written = f"strftime({name}, '{MOMENT}')" if str(column.type) == "timestamp[us]" else f"CAST({name} AS VARCHAR)"
    return f"coalesce({written}, '')" if column.nullable else written


def written(value: object, column: Column) -> str:
    """What ``_as_text`` gives, of a value in Python."""
    if value is None:
        return ""
    return f"{value:{MOMENT}}" if str(column.type) == "timestamp[us]" else str(value)
