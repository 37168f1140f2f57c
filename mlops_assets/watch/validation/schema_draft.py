"""Drafts a pandera model from files, as readable Python for a person to edit.

A draft says what is true of these files, with some slack, and accepts them; what must be true of every file only a
person knows. What the model's fields are called is in ``field_names.py``.
"""

from __future__ import annotations

import ast
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from mlops_assets.contract.anomalies import Code
from mlops_assets.contract.errors import LandingError
from mlops_assets.contract.file_form import FileForm, suffix_of
from mlops_assets.watch.validation.date_forms import date_forms
from mlops_assets.watch.validation.field_names import class_name, field_names
from mlops_assets.watch.validation.file_format import FileReport, inspect_file
from mlops_assets.watch.validation.file_sniff import SniffedFormat, sniff_file
from mlops_assets.watch.validation.key_draft import draft_key
from mlops_assets.watch.validation.landed_parquet import kind_of
from mlops_assets.watch.validation.landed_text import is_written_as, read_columns
from mlops_assets.watch.validation.source_draft import declared_source
from mlops_assets.watch.validation.written_values import all_match, number_pattern

FEW = 20
"""At most so many texts are listed as the allowed ones."""
OFTEN = 10
"""If each occurs so many times on average."""
ENOUGH = 20
"""So many rows without a repetition make a column look like a key."""
SLACK = 0.5
"""A range seen in several files is widened by this part of itself on either side."""
MAGNITUDE = 10.0
"""A range seen in one file, which may be one day's, goes this many times as far from zero."""
NEAR_ZERO = 0.1
"""What is never negative and comes this near to zero, as a part of its largest value, is taken to begin there."""
LINE = 120
"""Characters of a line of the model at most, remarks aside."""

_INTEGER = r"[+-]?(0|[1-9][0-9]{0,17})"
_NUMBER = r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_OFFSET = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
_TYPES = (
    ("bool", r"true|false|True|False|TRUE|FALSE", pa.bool_()),
    ("int", _INTEGER, pa.int64()),
    ("float", _NUMBER, pa.float64()),
    ("date", _DAY, pa.date32()),
    ("datetime", _DAY + r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?" + _OFFSET, pa.timestamp("us")),
)
_CALENDAR = {"month": (1, 12), "day": (1, 31), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}
"""What one file shows a part of, and everybody knows the whole of."""
_DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d-%b-%Y", "%d %b %Y")
_DATE_FORMATS = tuple(f"{day}{time}" for day in _DAYS for time in ("", " %H:%M", " %H:%M:%S"))
"""Dates in other forms than ISO 8601, which alone is typed."""
_DATE_PARTS = {"%Y": "[0-9]{4}", "%b": "[A-Za-z]{3}", "%d": "[0-9]{1,2}", "%m": "[0-9]{1,2}", ".": "[.]"}
_DATE_PARTS |= dict.fromkeys(("%H", "%M", "%S"), "[0-9]{2}")
_NULLABLE = {"int": "pd.Int64Dtype", "bool": "pd.BooleanDtype"}


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The text of a Python module with one model, how its files are written, and what to look at first.

    ``columns`` has what each column is called in the model, by its name in the file.
    """

    code: str
    format: SniffedFormat
    columns: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def source(self, *, name: str, schema: str) -> str:
        """The declaration of a source of such files as Python, each argument with its reason."""
        return declared_source(self.format, name=name, schema=schema)


@dataclass(frozen=True, kw_only=True)
class LandedText:
    """All rows of the files as text, under the names that their columns have here."""

    files: tuple[Path, ...]
    report: FileReport
    text: pa.Table
    format: SniffedFormat

    def nulls(self, column: str) -> tuple[str, ...]:
        """The texts that stand for a missing value in a column."""
        return self.format.null_values.get(column, ("",))

    def is_present(self, column: str) -> pa.ChunkedArray:
        """By row, whether the column has a value."""
        values, nulls = self.text[column], pa.array(self.nulls(column), pa.string())
        return pc.and_(pc.invert(pc.is_in(values, value_set=nulls)), pc.is_valid(values))

    def present(self, column: str) -> pa.ChunkedArray:
        """The values of a column that are not missing, as written."""
        return self.text[column].filter(self.is_present(column))

    def numbers(self, column: str) -> pa.ChunkedArray:
        """The same as Python writes them, if they are numbers."""
        return self.plain(self.present(column))

    def plain(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Values of a column as Python writes them, if all that are not null are numbers."""
        form = self.format.form
        if form.is_plain_number or not len(values) or not all_match(values, number_pattern(form)):
            return values
        ungrouped = pc.replace_substring(values, form.thousands, "") if form.thousands else values
        return pc.replace_substring(ungrouped, form.decimal, ".")

    def kind(self, column: str) -> str | None:
        """What a Parquet file says that the values of a column are; ``None`` of text."""
        types = self.report.types
        return None if types is None else kind_of(types.field(self.report.names.index(column)).type)


@dataclass(frozen=True, kw_only=True)
class DraftedColumn:
    """One column as drafted: what it is called here and in the model, its type, rules and remarks.

    ``kind`` is one of ``bool``, ``int``, ``float``, ``date``, ``datetime`` and ``str``; ``dates`` are the forms in
    which a text is a date. ``warning`` is what a person should look at first.
    """

    column: str
    field: str
    kind: str
    nullable: bool
    unique: bool
    constant: bool
    rules: tuple[tuple[str, str], ...] = ()
    comments: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    warning: str = ""

    def line(self, *, unique: bool) -> str:
        """The line of the model, ``unique`` or not; several where one would be too long."""
        named = [("alias", python_text(self.column))] if self.field != self.column else []
        flags = [(name, "True") for name, holds in (("unique", unique), ("nullable", self.nullable)) if holds]
        arguments = [*named, *flags, *self.rules]
        told = f"    {self.field}: {_NULLABLE.get(self.kind, self.kind) if self.nullable else self.kind}"
        comment = f"  # {'; '.join(self.comments)}" if self.comments else ""
        if not arguments:
            return told + comment
        line = f"{told} = pa.Field({', '.join(f'{name}={value}' for name, value in arguments)})"
        if len(line) <= LINE:
            return line + comment
        rows = "".join(f"        {name}={_folded(value, after=8 + len(name) + 2)},\n" for name, value in arguments)
        return f"{told} = pa.Field({comment}\n{rows}    )"


def python_text(text: str) -> str:
    """A text as Python writes it, in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def listed(values: Sequence[object]) -> str:
    """Allowed values as Python writes them."""
    return f"[{', '.join(map(_value, values))}]"


def _folded(value: str, *, after: int) -> str:
    """A list that is too long for what is left of its line, with a line for each value."""
    if after + len(value) <= LINE or not value.startswith("["):
        return value
    values = "".join(f"            {_value(each)},\n" for each in ast.literal_eval(value))
    return f"[\n{values}        ]"


def _value(value: object) -> str:
    return python_text(value) if isinstance(value, str) else repr(value)


def draft_schema(*places: Path, name: str, delimiter: str | None = None, header: bool | None = None) -> Draft:
    """A model called ``name`` that accepts these files, or the data files in a folder.

    How they are written is seen in the first, unless it is given. A LandingError if one is no whole table, or has other
    columns than the first.
    """
    landed = read_landed(places, delimiter=delimiter, header=header)
    columns = draft_columns(landed)
    has_key = any(column.unique for column in columns)
    candidates = [
        each.column
        for each in columns
        if each.kind not in ("float", "bool") and not each.constant and not each.nullable
    ]
    key = () if has_key or landed.text.num_rows < ENOUGH else draft_key(landed.text.select(candidates))
    warnings = _warnings(landed, columns=columns)
    lines = [column.line(unique=column.unique) for column in columns]
    code = schema_module(class_name(name), lines=lines, landed=landed, key=key, warnings=warnings)
    names = {each.column: each.field for each in columns}
    return Draft(code=code, format=landed.format, columns=names, warnings=warnings)


def draft_columns(landed: LandedText) -> tuple[DraftedColumn, ...]:
    """Every column of these rows as a model may have it."""
    names = field_names(landed.text.column_names)
    written = zip(names.items(), landed.report.header, strict=True)
    with duckdb.connect() as connection:
        return tuple(
            _drafted(column, named=named, written=name, landed=landed, connection=connection)
            for (column, named), name in written
        )


def read_landed(places: Sequence[Path], *, delimiter: str | None = None, header: bool | None = None) -> LandedText:
    """All rows of files, or of the data files in folders, that are of one kind; LandingError as ``draft_schema``."""
    files = [file for place in places for file in (_files_in(place) if place.is_dir() else [place])]
    if not files:
        raise LandingError(f"There is no data file in {', '.join(map(str, places)) or 'no folder'}.")
    sniffed = sniff_file(files[0], delimiter=delimiter, header=header)
    reports = _inspected(files, form=sniffed.form)
    if any(fault.code is Code.NOT_UTF8 for report in reports.values() for fault in report.faults):
        sniffed = sniffed.encoded_as("cp1252")  # the head was plain, what is below it is not
        reports = _inspected(files, form=sniffed.form)
    first = reports[files[0]]
    for file, report in reports.items():
        _refuse(file, report, like=first)
    text = pa.concat_tables(
        read_columns(file, names=report.names, form=sniffed.form, report=report) for file, report in reports.items()
    )
    return LandedText(files=tuple(files), report=first, text=text, format=sniffed.seen_in(text))


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if suffix_of(path.name))


def _inspected(files: Sequence[Path], *, form: FileForm) -> dict[Path, FileReport]:
    return {file: inspect_file(file, form=form, landed_as=file.name) for file in files}


def _refuse(file: Path, report: FileReport, *, like: FileReport) -> None:
    if report.faults or not report.rows:
        raise LandingError(f"{file}: {'; '.join(map(str, report.faults)) or 'there are no rows to learn from.'}")
    if report.header != like.header:
        raise LandingError(f"{file}: its header is not that of the first file; draft files of one kind together.")
    if report.types != like.types:
        raise LandingError(f"{file}: its columns have other types than the first file's; draft files of one kind.")


def _warnings(landed: LandedText, *, columns: Sequence[DraftedColumn]) -> tuple[str, ...]:
    """What a person should look at before anything else: every guess, what SQL reads as one, dates in several forms."""
    reasons, header = landed.format.reasons, landed.report.header
    told = [f"{name}={value!r}? {reasons[name]}" for name, value in landed.format.declared.items() if name in reasons]
    for place, (written, here) in enumerate(zip(header, landed.report.names, strict=True)):
        earlier = [name for name in header[:place] if name.lower() == written.lower()]
        if written and earlier:
            told.append(f"Columns {earlier[0]!r} and {written!r} are one for SQL: the second is called {here!r} here.")
    return (*told, *(column.warning for column in columns if column.warning))


def _drafted(
    column: str, *, named: str, written: str, landed: LandedText, connection: DuckDBPyConnection
) -> DraftedColumn:
    present = landed.numbers(column)
    kind = landed.kind(column) or _kind(present, connection=connection)
    present = landed.present(column) if kind == "str" else present
    distinct = pc.count_distinct(present).as_py()
    comments = [] if written in (column, "") else [f"the file has {written!r} again: it is told apart as {column!r}"]
    formats = _date_formats(present) if kind == "str" else []
    forms = date_forms(landed.text[column], nulls=landed.nulls(column)) if kind == "str" and not formats else ()
    if kind == "int" and distinct == 1 and column.lower() not in (*_CALENDAR, "year"):
        kind = "float"  # a measure that happened to be whole all day
        comments.append(f"only {present[0].as_py()} was seen: int if it counts")
    rules = [("str_matches", f'r"{_date_pattern(formats[0])}"')] if formats else []
    if not formats and (distinct != 1 or column.lower() in _CALENDAR):
        rules = _rules(kind, present, column=column, files=len(landed.files))
    if formats:
        comments.append(f"dates as {' or '.join(formats)}; only ISO 8601 is typed")
    mixed = f"dates in {len(forms)} forms: {'; '.join(map(str, forms[:4]))}" if len(forms) > 1 else ""
    comments += [mixed] if mixed else []
    return DraftedColumn(
        column=column,
        field=named,
        kind=kind,
        nullable=len(present) < landed.text.num_rows,
        unique=kind in ("int", "str") and ENOUGH <= len(present) == distinct == landed.text.num_rows,
        constant=distinct == 1,
        rules=tuple(rules),
        comments=tuple(comments),
        dates=tuple(formats) or tuple(map(str, forms)),
        warning=f"Column {column!r} has {mixed}. As text they are no dates: have the source write one."
        if mixed
        else "",
    )


def _kind(present: pa.ChunkedArray, *, connection: DuckDBPyConnection) -> str:
    """The narrowest type that every value is written in, and means something in; text if there are no values."""
    for kind, pattern, arrow in _TYPES:
        if not len(present) or not pc.all(pc.match_substring_regex(present, f"^(?:{pattern})$")).as_py():
            continue
        if is_written_as(present, kind=arrow, connection=connection):  # not 2013-02-31, not 9e308
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


def _rules(kind: str, present: pa.ChunkedArray, *, column: str, files: int) -> list[tuple[str, str]]:
    if kind in ("int", "float"):
        return _number_rules(kind, present, column=column, files=files)
    if kind != "str" or not len(present):
        return []
    known = sorted(pc.unique(present).to_pylist())
    if len(known) <= FEW and len(present) >= OFTEN * len(known):
        return [("isin", listed(known))]
    lengths = pc.min_max(pc.utf8_length(present)).as_py()
    for letters in ("A-Z", "0-9A-Z"):
        pattern = f"^[{letters}]{{{lengths['min']},{lengths['max']}}}$"
        if lengths["max"] <= 8 and pc.all(pc.match_substring_regex(present, pattern)).as_py():
            return [("str_matches", f'r"{pattern}"')]
    return [("str_length", f'{{"min_value": {min(lengths["min"], 1)}, "max_value": {2 * lengths["max"]}}}')]


def _number_rules(kind: str, present: pa.ChunkedArray, *, column: str, files: int) -> list[tuple[str, str]]:
    """A range that a file of another day is likely to keep to."""
    plain = pc.replace_substring_regex(present, r"^\+", "")
    numbers = pc.cast(plain, pa.int64() if kind == "int" else pa.float64())
    low, high = (function(numbers).as_py() for function in (pc.min, pc.max))
    if kind == "int" and (low, high) == (0, 1):
        return [("isin", "[0, 1]")]
    known = _CALENDAR.get(column.lower())
    if known and known[0] <= low and high <= known[1]:
        bounds: tuple[float, float] = known
    else:
        bounds = _widened(low, high) if files > 1 else _far(low, high)
    shown = [_shown(bound, whole=kind == "int") for bound in bounds]
    return [("in_range", f'{{"min_value": {shown[0]}, "max_value": {shown[1]}}}')]


def _widened(low: float, high: float) -> tuple[float, float]:
    """The range with slack; what has no negative values keeps none."""
    slack = SLACK * (high - low)
    return (0.0 if low >= 0 and low - slack < 0 else _outwards(low - slack, up=False)), _outwards(high + slack, up=True)


def _far(low: float, high: float) -> tuple[float, float]:
    """A range of another order of magnitude; what comes near zero and is never negative begins there."""
    farthest = _outwards(MAGNITUDE * max(abs(low), abs(high)), up=True)
    begins_at_zero = 0 <= low <= NEAR_ZERO * high
    ends_at_zero = NEAR_ZERO * low <= high <= 0
    return (0.0 if begins_at_zero else -farthest), (0.0 if ends_at_zero else farthest)


def _outwards(bound: float, *, up: bool) -> float:
    """``bound`` rounded away from the range to two digits, if there are numbers so large."""
    if not bound or not math.isfinite(bound):
        return math.copysign(sys.float_info.max, bound) if bound else 0.0
    step = 10.0 ** (math.floor(math.log10(abs(bound))) - 1)
    if not step:
        return bound
    rounded = float(f"{(math.ceil(bound / step) if up else math.floor(bound / step)) * step:.6g}")
    if not math.isfinite(rounded):
        return math.copysign(sys.float_info.max, bound)
    return max(rounded, bound) if up else min(rounded, bound)


def _shown(bound: float, *, whole: bool) -> str:
    """The bound as Python, in as few digits as say it."""
    if whole:
        return str(int(bound))
    return next(text for digits in (6, 12, 15, 17) if float(text := f"{bound:.{digits}g}") == bound)


def schema_module(
    name: str, *, lines: Sequence[str], landed: LandedText, key: Sequence[str], warnings: Sequence[str]
) -> str:
    """The draft as a module; only what it uses is imported."""
    body = "\n".join(lines)
    # not \w+: a Python name may have marks, such as a vowel sign, which are none of its letters
    times = [kind for kind in ("date", "datetime") if re.search(rf"^    [^:]+: {kind}\b", body, flags=re.MULTILINE)]
    imports = [f"from datetime import {', '.join(times)}\n"] if times else []
    imports += ["import pandas as pd"] if re.search(r"^    [^:]+: pd\.", body, flags=re.MULTILINE) else []
    imports += ["import pandera.pandas as pa"]
    nulls = dict.fromkeys(text for texts in landed.format.null_values.values() for text in texts if text)
    told = ", ".join(map(repr, nulls)) or "none"
    files = [re.sub(r"[^\w .-]", "?", file.name) for file in landed.files]
    drafted_from = files[0] if len(files) == 1 else f"{len(files)} files, {files[0]} to {files[-1]}"
    said = f"Drafted from {drafted_from} ({landed.text.num_rows} rows). Missing values: {told}."
    unique = f"        unique = {listed(key)}  # no two rows of these files have the same\n" if key else ""
    return (
        f'"""{said} Read every line before you rely on it."""\n\n'
        + "".join(f"# {_commented(warning)}\n" for warning in warnings)
        + "\n".join(imports)
        + f'\n\n\nclass {name}(pa.DataFrameModel):\n    """One row of {files[0]}."""\n\n{body}\n\n'
        + f"    class Config:\n        strict = True\n        ordered = True\n{unique}"
    )


def _commented(text: str) -> str:
    return " ".join(text.split())
