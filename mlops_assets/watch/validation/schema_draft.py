"""Drafts a pandera model from a file, as readable Python for a person to edit.

A draft says what is true of this one file, with some slack; what must be true of every file only a person knows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from mlops_assets.contract.errors import LandingError
from mlops_assets.watch.validation.file_format import inspect_file

MISSING = ("", "NA", "N/A", "NULL", "null", "NaN", "nan", "None")
"""Texts that are taken for missing values where they occur."""
FEW = 20
"""At most so many texts are listed as the allowed ones."""
OFTEN = 10
"""If each occurs so many times on average."""
ENOUGH = 20
"""So many rows without a repetition make a column look like a key."""
SLACK = 0.25
"""A range is widened by this part of itself on either side."""

_INTEGER = r"[+-]?(0|[1-9][0-9]{0,17})"
_NUMBER = r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TYPES = (
    ("bool", r"true|false|True|False|TRUE|FALSE"),
    ("int", _INTEGER),
    ("float", _NUMBER),
    ("date", _DAY),
    ("datetime", _DAY + r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?Z?"),
)
_DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d-%b-%Y", "%d %b %Y")
_DATE_FORMATS = tuple(f"{day}{time}" for day in _DAYS for time in ("", " %H:%M", " %H:%M:%S"))
"""Dates in other forms than ISO 8601, which alone is typed."""
_DATE_PARTS = {"%Y": "[0-9]{4}", "%b": "[A-Za-z]{3}", "%d": "[0-9]{1,2}", "%m": "[0-9]{1,2}", ".": "[.]"}
_DATE_PARTS |= dict.fromkeys(("%H", "%M", "%S"), "[0-9]{2}")
_NULLABLE = {"int": "pd.Int64Dtype", "bool": "pd.BooleanDtype"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The text of a Python module with one model, and the texts that were taken for missing values."""

    code: str
    null_values: tuple[str, ...]


def draft_schema(path: Path, *, name: str, delimiter: str = ",") -> Draft:
    """A model called ``name`` that accepts the file; a LandingError if the file is no whole table."""
    report = inspect_file(path, delimiter=delimiter)
    if report.faults or not report.rows:
        raise LandingError(f"{path}: {'; '.join(map(str, report.faults)) or 'there are no rows to learn from.'}")
    unusable = [column for column in report.header if not _NAME.fullmatch(column)]
    if unusable or len(set(report.header)) < len(report.header):
        raise LandingError(
            f"{path}: columns must be different Python names; found {', '.join(unusable) or 'repeated ones'}."
            + (" Is the delimiter another one? Say --delimiter." if len(report.header) == 1 else "")
        )
    text = _read(path, header=report.header, delimiter=delimiter, quoted=report.quoted)
    nulls = tuple(value for value in MISSING if any(_occurs(text[column], value) for column in report.header))
    fields = [_field(column, text[column], nulls=nulls) for column in report.header]
    return Draft(code=_module(name, fields=fields, file=path.name, rows=report.rows, nulls=nulls), null_values=nulls)


def _read(path: Path, *, header: Sequence[str], delimiter: str, quoted: bool) -> pa.Table:
    return pa_csv.read_csv(
        path,
        read_options=pa_csv.ReadOptions(column_names=list(header), skip_rows=1),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
        ),
    )


def _occurs(values: pa.ChunkedArray, text: str) -> bool:
    return bool(pc.any(pc.equal(values, text)).as_py())


def _field(column: str, values: pa.ChunkedArray, *, nulls: Sequence[str]) -> str:
    """One line of the model."""
    present = values.filter(pc.invert(pc.is_in(values, value_set=pa.array(nulls, pa.string()))))
    nullable = len(present) < len(values)
    kind = _kind(present)
    formats = _date_formats(present) if kind == "str" else []
    rules = [f'str_matches=r"{_date_pattern(formats[0])}"'] if formats else _rules(kind, present)
    arguments = [*(["nullable=True"] if nullable else []), *rules]
    unique = len(present) >= ENOUGH and pc.count_distinct(present).as_py() == len(present)
    if unique and not nullable and kind in ("int", "str"):
        arguments.insert(0, "unique=True")
    told = _NULLABLE.get(kind, kind) if nullable else kind
    comment = f"  # dates as {' or '.join(formats)}; only ISO 8601 is typed" if formats else ""
    return f"    {column}: {told} = pa.Field({', '.join(arguments)}){comment}" if arguments else f"    {column}: {told}"


def _kind(present: pa.ChunkedArray) -> str:
    """The narrowest type that every value is written in; text if there are no values."""
    for kind, pattern in _TYPES:
        if len(present) and pc.all(pc.match_substring_regex(present, f"^(?:{pattern})$")).as_py():
            return kind
    return "str"


def _date_formats(present: pa.ChunkedArray) -> list[str]:
    """The formats in which every value is a date; several where days and months cannot be told apart."""

    def fits(form: str) -> bool:
        if not pc.all(pc.match_substring_regex(present, _date_pattern(form))).as_py():
            return False
        return bool(pc.strptime(present, format=form, unit="s", error_is_null=True).null_count == 0)

    return [form for form in _DATE_FORMATS if len(present) and fits(form)]


def _date_pattern(form: str) -> str:
    """A regular expression for texts in a date format."""
    parts = re.findall(r"%[a-zA-Z]|.", form)
    return f"^{''.join(_DATE_PARTS.get(part, part) for part in parts)}$"


def _rules(kind: str, present: pa.ChunkedArray) -> list[str]:
    if kind in ("int", "float"):
        numbers = pc.cast(pc.replace_substring_regex(present, r"^\+", ""), pa.float64())
        low, high = _widened(pc.min(numbers).as_py(), pc.max(numbers).as_py())
        shown = (f"{int(low)}", f"{int(high)}") if kind == "int" else (f"{low:g}", f"{high:g}")
        return [f'in_range={{"min_value": {shown[0]}, "max_value": {shown[1]}}}']
    if kind != "str" or not len(present):
        return []
    known = sorted(pc.unique(present).to_pylist())
    if len(known) <= FEW and len(present) >= OFTEN * len(known):
        return [f"isin={known!r}"]
    lengths = pc.min_max(pc.utf8_length(present)).as_py()
    for letters in ("A-Z", "0-9A-Z"):
        pattern = f"^[{letters}]{{{lengths['min']},{lengths['max']}}}$"
        if lengths["max"] <= 8 and pc.all(pc.match_substring_regex(present, pattern)).as_py():
            return [f'str_matches=r"{pattern}"']
    return [f'str_length={{"min_value": {min(lengths["min"], 1)}, "max_value": {2 * lengths["max"]}}}']


def _widened(low: float, high: float) -> tuple[float, float]:
    """The range with slack, rounded outwards to two digits; what has no negative values keeps none."""
    slack = SLACK * ((high - low) or abs(high) or 1.0)
    step = 10.0 ** (math.floor(math.log10(slack)))
    below, above = math.floor((low - slack) / step) * step, math.ceil((high + slack) / step) * step
    return (max(below, 0.0) if low >= 0 else below), above


def _module(name: str, *, fields: Sequence[str], file: str, rows: int, nulls: Sequence[str]) -> str:
    """The draft as a module; only what it uses is imported."""
    body = "\n".join(fields)
    times = [kind for kind in ("date", "datetime") if re.search(rf": {kind}\b", body)]
    imports = [f"from datetime import {', '.join(times)}\n"] if times else []
    imports += ["import pandas as pd"] if "pd." in body else []
    imports += ["import pandera.pandas as pa"]
    told = ", ".join(repr(value) for value in nulls) or "none"
    return (
        f'"""Drafted from {file} ({rows} rows). Missing values: {told}. Read every line before you rely on it."""\n\n'
        + "\n".join(imports)
        + f'\n\n\nclass {name}(pa.DataFrameModel):\n    """One row of {file}."""\n\n{body}\n\n'
        + "    class Config:\n        strict = True\n        ordered = True\n"
    )
