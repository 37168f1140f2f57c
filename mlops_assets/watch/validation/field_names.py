"""What the columns of a file can be called in a drafted model: Python names, each of its own.

A column whose name cannot be that of a field gets another, and keeps its own as ``pa.Field(alias=…)``.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Sequence

import pandera.pandas as pandera

from mlops_assets.contract.errors import DeclarationError

_USED = {"pa", "pd", "date", "datetime", "int", "float", "str", "bool"}
"""What the body of a drafted model refers to."""
_RESERVED = {*_USED, *dir(pandera.DataFrameModel)}


def field_names(columns: Sequence[str]) -> dict[str, str]:
    """The field of each column, in their order; the column's own name wherever that can be."""
    fields: dict[str, str] = {}
    taken = {column for column in columns if _can_be_a_field(column)}
    for column in columns:
        named = column
        if not _can_be_a_field(column):
            named = _distinct(_made_of(column), taken=taken)
            taken.add(named)
        fields[column] = named
    return fields


def class_name(name: str) -> str:
    """``name`` if a class can have it; a DeclarationError otherwise."""
    if not name.isidentifier() or keyword.iskeyword(name) or name in _USED:
        raise DeclarationError(f"'{name}' cannot be the name of a model: say --name with a Python name, such as Rows.")
    return name


def _can_be_a_field(name: str) -> bool:
    """Python reads names in their NFKC form, and pandera leaves out those that begin with an underscore."""
    is_name = name.isidentifier() and not keyword.iskeyword(name) and unicodedata.normalize("NFKC", name) == name
    return is_name and not name.startswith("_") and name not in _RESERVED


def _made_of(column: str) -> str:
    """A name that resembles the column's."""
    normal = unicodedata.normalize("NFKC", column)
    kept = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in normal)
    plain = re.sub("_+", "_", kept).strip("_")
    if not plain or not plain.isidentifier():
        plain = f"column_{plain}".rstrip("_")
    return plain if _can_be_a_field(plain) else f"{plain}_"


def _distinct(name: str, *, taken: set[str]) -> str:
    number, distinct = 1, name
    while distinct in taken:
        number += 1
        distinct = f"{name}_{number}" if not name.endswith("_") else f"{name}{number}"
    return distinct
