"""Parquet files as they land: what their columns are, and their values as the text that is judged.

A value has one way to be written (a number to its last digit, a time in UTC), so that a row is judged, set aside and
shown as one of a CSV file is. A missing value is null, whatever the source's texts for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_assets.contract.anomalies import Anomaly, Code, anomaly
from mlops_assets.watch.validation.landed_bytes import LONGEST_VALUE, FileFaultError

if TYPE_CHECKING:
    from mlops_assets.contract.schema import Schema

ROWS_AT_ONCE = 65_536
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"


def inspect_parquet(path: Path) -> tuple[int, int, pa.Schema]:
    """How many bytes the rows have as text at least, how many rows there are, and the types of the columns.

    Every text is looked at; a FileFaultError says what is wrong with the file.
    """
    try:
        types = pq.read_schema(path)
        with pq.ParquetFile(path, read_dictionary=_texts_of(types)) as file:
            rows, groups = file.metadata.num_rows, range(file.num_row_groups)
            size = sum(file.metadata.row_group(group).total_byte_size for group in groups)
            size = max(size, rows * len(types)) + _checked_texts(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise FileFaultError(Code.CUT_FILE, f"The Parquet file cannot be read to its end: {error}.") from error
    return size, rows, types


def type_faults(types: pa.Schema, *, names: Sequence[str], schema: Schema) -> tuple[Anomaly, ...]:
    """The columns, called ``names`` here, whose values are of another type than declared."""
    found = dict(zip(names, map(_value_type, types.types), strict=True))
    unfit = [each for each in schema.columns if each.name in found and not _fits(found[each.name], declared=each.type)]
    return tuple(
        anomaly(
            Code.WRONG_COLUMN_TYPE,
            f"Column '{column.name}' is {found[column.name]} in the file: it must be {column.kind}.",
            column=column.name,
            expected=column.kind,
            found=str(found[column.name]),
        )
        for column in unfit
    )


def kind_of(found: pa.DataType) -> str:
    """What a schema calls the values of a column, as Python: ``int``, ``float``, ``bool``, ``date``, ``datetime``, else
    ``str``."""
    kinds = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "date": pa.date32()}
    kinds |= {"datetime": pa.timestamp("us")}
    return next((kind for kind, declared in kinds.items() if _fits(found, declared=declared)), "str")


def parquet_text_parts(path: Path, *, names: Sequence[str], header: Sequence[str], decimal: str) -> Iterator[pa.Table]:
    """Some columns as text, some rows at a time; ``header`` says what the columns of the file are called here.

    Numbers are written under the source's own decimal sign.
    """
    places = [list(header).index(name) for name in names]
    with pq.ParquetFile(path) as file:
        written = [file.schema_arrow.names[place] for place in places]
        for part in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=written):
            yield pa.table([_as_text(part.column(name), decimal=decimal) for name in written], names=list(names))


def _as_text(values: pa.Array, *, decimal: str) -> pa.Array:
    kind = _value_type(values.type)
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        kind = pa.float64()  # the number that the file has, to its last digit
    elif pa.types.is_timestamp(kind):
        kind = pa.timestamp(kind.unit)  # in UTC, as Arrow keeps it
    elif pa.types.is_date(kind):
        kind = pa.date32()
    text = values.cast(kind).cast(pa.string())
    is_fraction = pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return pc.replace_substring(text, ".", decimal) if is_fraction and decimal != "." else text


def _fits(found: pa.DataType, *, declared: pa.DataType) -> bool:
    found = _value_type(found)
    of_declared = (
        (pa.types.is_string, (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)),
        (pa.types.is_integer, (pa.types.is_integer,)),
        (pa.types.is_floating, (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal)),
        (pa.types.is_boolean, (pa.types.is_boolean,)),
        (pa.types.is_date, (pa.types.is_date,)),
        (pa.types.is_timestamp, (pa.types.is_timestamp,)),
    )
    accepted = next(each for is_kind, each in of_declared if is_kind(declared))
    return pa.types.is_null(found) or any(is_kind(found) for is_kind in accepted)


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return _fits(kind, declared=pa.string()) and not pa.types.is_null(kind)


def _texts_of(types: pa.Schema) -> list[str]:
    return [field.name for field in types if _is_text(field.type)]


def _checked_texts(file: pq.ParquetFile) -> int:
    """How many bytes all texts have; a FileFaultError names a column in which one is no text or too long.

    Each distinct text is looked at once, and none is copied as often as it occurs: a small file may have many.
    """
    size, names = 0, _texts_of(file.schema_arrow)
    for part in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=names) if names else ():
        for name, column in zip(names, part.columns, strict=True):
            encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
            encoded.dictionary.validate(full=True)
            _refuse_texts(encoded.dictionary, column=name)
            lengths = pc.binary_length(encoded.dictionary).cast(pa.int64())
            size += pc.sum(lengths.take(encoded.indices)).as_py() or 0
    return size


def _refuse_texts(texts: pa.Array, *, column: str) -> None:
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest > LONGEST_VALUE:
        message = f"Column '{column}' has a value of {longest:,} bytes: one has at most {LONGEST_VALUE:,}."
        raise FileFaultError(Code.TOO_LONG, message, column=column)
    if pc.any(pc.match_substring_regex(texts, _CONTROL)).as_py():
        raise FileFaultError(Code.CONTROL_CHARACTERS, f"Column '{column}' contains control characters.", column=column)
