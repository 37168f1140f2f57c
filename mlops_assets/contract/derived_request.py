"""What a caller must send where no request is declared: the columns of the examples' source, checked as it is.

A field has the source's own name, whatever characters it has, its type, bounds and allowed values. ``id`` is computed
from the key; where there is none, a caller may send one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, computed_field, create_model

from mlops_assets.contract.columns import Column
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.examples import SEPARATOR, Identity, asked_columns, time_column, written

if TYPE_CHECKING:
    from mlops_assets.contract.use_case import UseCase

_BOUNDS = {"at_least": "ge", "above": "gt", "at_most": "le", "below": "lt"}
ID = Field(default=None, description="Your own name of the row, to match with what turns out to be true")
EXAMPLE_MOMENT = datetime(2026, 1, 1, 8, 30)


def request_of(use_case: UseCase) -> type[BaseModel]:
    """The model of one row. Raises DeclarationError naming a column that no field can be called after."""
    columns, identity, moment = asked_columns(use_case), Identity.of(use_case), time_column(use_case)
    fields: dict[str, Any] = {column.name: _field(column, is_event_time=column == moment) for column in columns}
    for name in fields:
        _refuse_name(name, use_case=use_case.name)
    if not identity.columns:
        fields["id"] = (str | None, ID)
    example: dict[str, Any] = {column.name: _example(column) for column in columns}
    config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), json_schema_extra={"example": example})
    name = f"{''.join(word.capitalize() for word in use_case.name.split('_'))}Request"
    computed: dict[str, Any] = {}
    if identity.columns and "id" not in fields:
        computed["id"] = _computed(_namer(identity), str, "The row's own name, under which its outcome will be known.")
    if moment is not None and moment.name != "event_time":
        computed["event_time"] = _computed(_moment(moment.name), datetime, "The moment of prediction.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Field name .* shadows an attribute", UserWarning)
        model: Any = create_model(name, __config__=config, __doc__=use_case.description, **fields)
        model = type(model)(name, (model,), {"__module__": __name__, "__doc__": use_case.description, **computed})
    return cast(type[BaseModel], model)


def _field(column: Column, *, is_event_time: bool) -> tuple[Any, Any]:
    bounds = {ours: getattr(column, bound) for bound, ours in _BOUNDS.items() if _bounds(column, bound)}
    kind = datetime if is_event_time and column.name == "event_time" else _kind(column)
    if kind is datetime:
        kind = Annotated[datetime, AfterValidator(_in_utc)]
    kind = Annotated[kind, Field(description=column.description or None, **bounds)]
    return (kind | None, None) if column.nullable else (kind, ...)


def _kind(column: Column) -> Any:
    """The Python type of a value; of the allowed ones alone, where they are texts or whole numbers."""
    if column.allowed and (column.is_text or pa.types.is_integer(column.type)):
        return Literal[column.allowed]
    if pa.types.is_boolean(column.type):
        return bool
    if pa.types.is_integer(column.type):
        return int
    if column.is_number:
        return float
    if pa.types.is_timestamp(column.type):
        return datetime
    return date if column.is_moment else str


def _bounds(column: Column, bound: str) -> bool:
    return getattr(column, bound) is not None and column.is_number and not column.allowed


def _in_utc(moment: datetime) -> datetime:
    """As files are read: in UTC, whatever its offset."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _computed(read: Callable[[Any], object], kind: type, meaning: str) -> Any:
    return computed_field(return_type=kind, description=meaning)(property(read))


def _namer(identity: Identity) -> Callable[[Any], str]:
    def id_of(row: Any) -> str:
        return identity.prefix + SEPARATOR.join(written(getattr(row, each.name), each) for each in identity.columns)

    return id_of


def _moment(name: str) -> Callable[[Any], datetime]:
    def event_time_of(row: Any) -> datetime:
        value = getattr(row, name)
        return value if isinstance(value, datetime) else datetime.combine(value, time())

    return event_time_of


def _refuse_name(name: str, *, use_case: str) -> None:
    if name.startswith("_") or (name.startswith("model_") and hasattr(BaseModel, name)):
        raise DeclarationError(
            f"Use case '{use_case}': no field of a request can be called '{name}', as a column of its source is. Name "
            "it in left_out, give it another name in the schema, or declare request."
        )


def _example(column: Column) -> object:
    """A value that is let through."""
    if column.allowed:
        return column.allowed[0]
    if pa.types.is_boolean(column.type):
        return False
    if column.is_number:
        return _number_within(column)
    if column.is_moment:
        return (EXAMPLE_MOMENT if pa.types.is_timestamp(column.type) else EXAMPLE_MOMENT.date()).isoformat()
    return "text"


def _number_within(column: Column) -> float:
    """A number between the bounds, as near to 1 as they let it be."""
    low = next((each for each in (column.at_least, column.above) if each is not None), None)
    high = next((each for each in (column.at_most, column.below) if each is not None), None)
    whole = pa.types.is_integer(column.type)
    least = 1.0 if low is None else max(1.0, low + (column.above is not None) * (1 if whole else abs(low) / 10 or 0.1))
    most = least if high is None else min(least, high - (column.below is not None) * (1 if whole else abs(high) / 10))
    return int(most) if whole else float(most)
