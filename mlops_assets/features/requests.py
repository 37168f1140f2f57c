"""Requests as rows: a batch of checked pydantic models becomes the relation ``examples`` that feature SQL
reads.

The columns are the model's fields and computed fields; their types follow the annotations, as the offline
examples have them (int is BIGINT, float DOUBLE, str VARCHAR, datetime TIMESTAMP).
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from typing import Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel

from mlops_assets.contract.errors import DeclarationError

_TYPES: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    datetime: pa.timestamp("us"),
    date: pa.date32(),
}


def request_table(requests: Sequence[BaseModel], *, model: type[BaseModel]) -> pa.Table:
    """One row per request, in order."""
    return pa.Table.from_pylist([request.model_dump() for request in requests], schema=request_schema(model))


@cache
def request_schema(model: type[BaseModel]) -> pa.Schema:
    """The columns of a request model: its fields, then its computed fields."""
    annotations = {name: field.annotation for name, field in model.model_fields.items()}
    annotations |= {name: field.return_type for name, field in model.model_computed_fields.items()}
    return pa.schema([(name, _arrow_type(annotation, name)) for name, annotation in annotations.items()])


def _arrow_type(annotation: object, name: str) -> pa.DataType:
    if get_origin(annotation) in (Union, types.UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not type(None))
    if hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    found = _TYPES.get(type(get_args(annotation)[0]) if get_args(annotation) else annotation)  # type: ignore[call-overload]
    if found is None:
        raise DeclarationError(
            f"Request field '{name}' is {annotation}; "
            f"a column is one of {', '.join(known.__name__ for known in _TYPES)}."
        )
    return found
