"""The columns of a source as far as a service must know them: types, bounds, allowed values, keys. No pandas here.

They are read from the schema of the source (``schema.py``), which needs pandas and pandera. A service has neither: a
packaged model carries them as ``columns.json``, by the names of the sources.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from mlops_assets.contract.source import Source

SOURCE_ROW = "source_row"
"""Column added to validated and quarantined rows: number of the data row in the landed file, from 1."""
COLUMNS = "columns.json"
"""Among the files of a packaged model: the columns of its use case's sources."""

_TYPES = {
    str(each): each
    for each in (
        pa.int64(), pa.int32(), pa.int16(), pa.float64(), pa.bool_(), pa.string(), pa.date32(), pa.timestamp("us"),
    )
}  # fmt: skip
_KINDS: dict[str, str] = {
    "int64": "a whole number",
    "int32": "a whole number of 32 bits",
    "int16": "a whole number of 16 bits",
    "double": "a number",
    "bool": "true or false",
    "string": "text",
    "date32[day]": "a date (YYYY-MM-DD)",
    "timestamp[us]": "a time (YYYY-MM-DD hh:mm:ss, in UTC or with its offset)",
}
_CARRIED: dict[str, Columns] = {}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a source: its Arrow type in the lake, whether a value may be missing, and its meaning.

    ``at_least`` to ``below`` bound numbers, ``allowed`` are the only values there are, where its schema says so.
    """

    name: str
    type: pa.DataType
    nullable: bool
    description: str = ""
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    allowed: tuple[str | int | float | bool, ...] = ()

    @property
    def kind(self) -> str:
        """The type in words, for messages: ``a whole number``."""
        return _KINDS[str(self.type)]

    @property
    def is_number(self) -> bool:
        """Whether a model can take its values as numbers, true and false among them."""
        return bool(pa.types.is_integer(self.type) or pa.types.is_floating(self.type) or pa.types.is_boolean(self.type))

    @property
    def is_text(self) -> bool:
        """Whether its values are texts."""
        return bool(pa.types.is_string(self.type))

    @property
    def is_moment(self) -> bool:
        """Whether its values are days or times."""
        return bool(pa.types.is_date(self.type) or pa.types.is_timestamp(self.type))


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of a source in the order of its header, and its unique keys."""

    columns: tuple[Column, ...]
    keys: tuple[tuple[str, ...], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(column.name for column in self.columns)

    def find(self, name: str) -> Column | None:
        """The column of that name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)


def packed(sources: Iterable[Source]) -> bytes:
    """What a packaged model carries of the columns of ``sources``."""
    told = {source.name: _plain(source.layout) for source in sources}
    return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False).encode()


def carry(packaged: bytes) -> None:
    """From now on this process knows the columns of these sources, and reads no schema for them."""
    _CARRIED.update({name: _from_plain(told) for name, told in json.loads(packaged).items()})


def carried(source: str) -> Columns | None:
    """The columns of a source as the model that is served carries them; ``None`` where none is served."""
    return _CARRIED.get(source)


def _plain(layout: Columns) -> dict[str, Any]:
    return {
        "columns": [{**asdict(each), "type": str(each.type)} for each in layout.columns],
        "keys": [list(key) for key in layout.keys],
    }


def _from_plain(told: Mapping[str, Any]) -> Columns:
    columns = (
        Column(**{**each, "type": _TYPES[each["type"]], "allowed": tuple(each["allowed"])}) for each in told["columns"]
    )
    return Columns(columns=tuple(columns), keys=tuple(tuple(key) for key in told["keys"]))
